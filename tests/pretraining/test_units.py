"""Units are those of scikit-learn, the same for the same seed, and too few different frames are refused."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from src.pretraining.standardised import MOST_FRAMES, Standardised, frames_of
from src.pretraining.units import learn_units, nearest_units


def blobs() -> torch.Tensor:
    rng = np.random.default_rng(0)
    middles = 10 * rng.standard_normal((6, 4))
    return torch.from_numpy((middles[:, None] + rng.standard_normal((6, 50, 4))).reshape(300, 4)).float()


def test_units_are_the_blobs_that_were_drawn() -> None:
    frames = blobs()
    units = nearest_units(frames, learn_units(frames, 6, seed=1)).reshape(6, 50)
    assert (units == units[:, :1]).all() and sorted(units[:, 0].tolist()) == list(range(6))


def test_the_nearest_centre_is_that_of_scikit_learn() -> None:
    frames = blobs()
    clusters = KMeans(12, n_init=1, random_state=0).fit(frames.numpy())
    units = nearest_units(frames[None], torch.from_numpy(clusters.cluster_centers_))
    assert units.shape == (1, 300) and units[0].tolist() == clusters.labels_.tolist()


def test_the_seed_decides_the_centres() -> None:
    frames = torch.from_numpy(np.random.default_rng(0).standard_normal((300, 4))).float()
    first, again, other = (learn_units(frames, 20, seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_silence_has_one_unit_and_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"5 units need as many different frames, not 1 .of 300.*silent.*`units` lower"
    ):
        learn_units(torch.zeros(300, 4), 5, seed=1)


def test_frames_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        learn_units(blobs().masked_fill(torch.eye(300, 4).bool(), float("nan")), 5, seed=1)


def test_vectors_are_standardised_by_what_was_learnt() -> None:
    vectors = torch.tensor([3.0, -2.0, 0.0]) + torch.randn(400, 3, generator=torch.Generator().manual_seed(1))
    vectors[:, 2] = 5.0
    standardised = Standardised(3)
    learnt = standardised.learn(vectors)
    torch.testing.assert_close(learnt, standardised(vectors))
    torch.testing.assert_close(learnt.mean(dim=0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(learnt.std(dim=0, correction=0), torch.tensor([1.0, 1.0, 0.0]))
    assert set(standardised.state_dict()) == {"mean", "deviation"}


def test_no_more_clips_are_read_than_needed() -> None:
    taken = []

    def clips() -> object:
        for number in range(10):
            taken.append(number)
            yield np.zeros(320 * (MOST_FRAMES // 2), np.float32)

    frames = frames_of(clips(), lambda waveforms, n_frames: torch.zeros(1, n_frames, 2))  # type: ignore[arg-type]
    assert frames.shape == (MOST_FRAMES, 2) and taken == [0, 1]


def test_there_must_be_a_clip() -> None:
    with pytest.raises(ValueError, match="no clip to learn from"):
        frames_of([], lambda waveforms, n_frames: torch.zeros(1, n_frames, 2))
