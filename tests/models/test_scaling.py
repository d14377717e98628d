import numpy as np
import pytest

from src.models.scaling import Scaling


@pytest.fixture
def vectors() -> np.ndarray:
    drawn = np.random.default_rng(0).standard_normal((200, 12)) * np.linspace(0.01, 100, 12) + 7
    return drawn.astype(np.float32)


def test_standard_is_scikit_learns_standardisation(vectors: np.ndarray) -> None:
    from sklearn.preprocessing import StandardScaler

    vectors[:, 4] = 0.1  # never varies
    expected = StandardScaler().fit(vectors.astype(float)).transform(vectors.astype(float) * 2)
    found = Scaling.learn(vectors, "standard").apply(vectors * 2)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_unit_keeps_the_direction_and_the_variance_near_one(vectors: np.ndarray) -> None:
    standard, unit = (Scaling.learn(vectors, how).apply(vectors) for how in ("standard", "unit"))
    np.testing.assert_allclose((unit**2).sum(axis=1), 12)
    cosines = (standard * unit).sum(axis=1) / np.linalg.norm(standard, axis=1) / np.linalg.norm(unit, axis=1)
    np.testing.assert_allclose(cosines, 1)
    assert unit.var() == pytest.approx(1, rel=0.01)


def test_a_vector_at_the_mean_has_no_direction() -> None:
    scaling = Scaling.learn(np.array([[1.0, 2.0], [3.0, 6.0]]), "unit")
    np.testing.assert_array_equal(scaling.apply(np.array([[2.0, 4.0]])), [[0, 0]])


def test_none_leaves_numbers_as_they_are(vectors: np.ndarray) -> None:
    found = Scaling.learn(vectors, "none").apply(vectors)
    np.testing.assert_array_equal(found, vectors)
    assert found.dtype == np.float64
    assert not np.shares_memory(found, vectors)


def test_what_is_scaled_lies_row_by_row_however_it_came(vectors: np.ndarray) -> None:
    """A digest of the numbers, and products of them, ask for it."""
    for how in ("standard", "unit", "none"):
        found = Scaling.learn(vectors, how).apply(np.asfortranarray(vectors))
        assert found.flags.c_contiguous
