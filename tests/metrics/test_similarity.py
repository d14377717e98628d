"""Linear CKA against its definition by kernels, and what it does not depend on."""

import numpy as np
import pytest

from src.metrics.similarity import LinearCka, cosine


def cka(first: np.ndarray, second: np.ndarray) -> float:
    sums = LinearCka()
    for start in range(0, len(first), 7):
        sums.add(first[start : start + 7], second[start : start + 7])
    return sums.value()


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((400, 5)) * [3, 1, 1, 0.5, 0.1] + 2


def test_it_is_the_alignment_of_centred_kernels(frames: np.ndarray) -> None:
    other = np.tanh(frames[:, :3])
    centring = np.eye(len(frames)) - 1 / len(frames)
    k, m = (centring @ each @ each.T @ centring for each in (frames, other))
    expected = (k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum())
    assert cka(frames, other) == pytest.approx(expected, abs=1e-12)


def test_turning_moving_and_scaling_a_layer_changes_nothing(frames: np.ndarray) -> None:
    turned, _ = np.linalg.qr(np.random.default_rng(2).standard_normal((5, 5)))
    assert cka(frames, -3 * frames @ turned + 7) == pytest.approx(1, abs=1e-9)


def test_layers_that_have_nothing_in_common_are_near_zero(frames: np.ndarray) -> None:
    assert cka(frames, np.random.default_rng(3).standard_normal((400, 5))) < 0.03


def test_a_constant_layer_has_none(frames: np.ndarray) -> None:
    assert np.isnan(cka(frames, np.zeros((400, 2))))


def test_frames_must_belong_together(frames: np.ndarray) -> None:
    with pytest.raises(ValueError, match="got 400 and 399"):
        LinearCka().add(frames, frames[1:])


def test_cosines_are_row_by_row() -> None:
    found = cosine(np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]]), np.array([[-2.0, -2.0], [1.0, 1.0], [1.0, 1.0]]))
    assert found[:2] == pytest.approx([-1, np.sqrt(0.5)])
    assert np.isnan(found[2])
