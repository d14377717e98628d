import numpy as np
import pytest

from src.visualize.standardize import standardize
from src.visualize.tsne import tsne_projection
from src.visualize.umap import umap_projection

PROJECTIONS = [pytest.param(umap_projection, id="umap"), pytest.param(tsne_projection, id="tsne")]


def two_blobs(n_each: int = 20, n_dimensions: int = 12) -> np.ndarray:
    """Two clouds twenty deviations apart in a third of the dimensions, and one column that never changes."""
    vectors = np.random.default_rng(1).normal(size=(2 * n_each, n_dimensions))
    vectors[n_each:, : n_dimensions // 3] += 20
    vectors[:, -1] = 0.1
    return vectors.astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("project", PROJECTIONS)
def test_far_blobs_stay_apart(project):
    points = project(two_blobs(), seed=0)
    assert points.shape == (40, 2)
    assert points.dtype == np.float32
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert ((distances.argmin(axis=1) < 20) == (np.arange(40) < 20)).all()
    between = np.linalg.norm(points[:20].mean(axis=0) - points[20:].mean(axis=0))
    assert between > points[:20].std(axis=0).max() + points[20:].std(axis=0).max()


@pytest.mark.slow
@pytest.mark.parametrize("project", PROJECTIONS)
def test_same_seed_same_bytes_and_no_global_randomness(project):
    first = project(two_blobs(), seed=3)
    np.random.seed(99)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(99)  # noqa: NPY002
    second = project(two_blobs(), seed=3)
    assert first.tobytes() == second.tobytes()
    assert np.random.random() == expected  # noqa: NPY002


@pytest.mark.slow
@pytest.mark.parametrize("project", PROJECTIONS)
def test_scale_and_offset_of_a_column_do_not_matter(project):
    # Powers of two and whole numbers, so that standardising gives the very same floats.
    vectors = np.random.default_rng(0).integers(-50, 50, size=(16, 6)).astype(float)
    vectors[15] = 10 * 16 - vectors[:15].sum(axis=0)  # a mean of 10: exact, like the offset
    moved = vectors * 2.0 ** np.arange(6) + 2.0 ** np.arange(6)
    np.testing.assert_array_equal(standardize(vectors), standardize(moved))
    assert project(vectors, seed=0).tobytes() == project(moved, seed=0).tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("project", PROJECTIONS)
@pytest.mark.parametrize("n", [4, 5, 7])
def test_few_points_and_many_dimensions(project, n):
    vectors = np.random.default_rng(n).normal(size=(n, 70))
    assert np.isfinite(project(vectors, seed=0)).all()


@pytest.mark.parametrize("project", PROJECTIONS)
@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.eye(3), r"at least 4 vectors .* got \(3, 3\)"),
        (np.ones((9, 1)), r"at least 2 dimensions"),
        (np.ones(9), r"got \(9,\)"),
        (np.ones((9, 4)), "All 9 vectors are equal"),
        (np.vstack([np.eye(5), np.full(5, np.nan)]), "1 of 6 vectors hold NaN"),
    ],
)
def test_what_cannot_be_projected_is_refused(project, vectors, message):
    with pytest.raises(ValueError, match=message):
        project(vectors, seed=0)


def test_standardize_gives_mean_0_and_deviation_1():
    scaled = standardize(two_blobs()[:, :-1])
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(axis=0), 1)


def test_standardize_turns_constant_columns_to_0():
    # Of such values many have a computed deviation of about 1e-16: divided by it, rounding would become signal.
    constants = np.tile(np.linspace(0.1, 9.7, 20), (42, 1))
    varying = np.arange(42.0)[:, np.newaxis]
    scaled = standardize(np.hstack([constants, varying]))
    assert (scaled[:, :20] == 0).all()
    assert scaled[:, 20].std() == pytest.approx(1)
