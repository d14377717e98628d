"""Masked spans: the share, at least one everywhere, never everything, the same from the same seed."""

import numpy as np
import pytest

from src.pretraining.masks import draw_mask, draw_masks, start_probability


@pytest.mark.parametrize(("share", "span", "published"), [(0.49, 10, 0.065), (0.566, 10, 0.08)])
def test_the_start_probability_is_that_of_the_papers(share: float, span: int, published: float) -> None:
    assert start_probability(share, span) == pytest.approx(published, abs=0.001)


@pytest.mark.parametrize(("share", "span"), [(0.49, 10), (0.7, 5), (0.2, 1)])
def test_about_the_share_that_is_wanted_is_masked(share: float, span: int) -> None:
    masks = draw_masks((7, 0), (400, 200), share, span)
    assert masks.mean() == pytest.approx(share, abs=0.04)


@pytest.mark.parametrize("n_frames", [2, 3, 9, 10, 11, 25])
def test_every_row_has_a_masked_frame_and_one_that_is_not(n_frames: int) -> None:
    for share in (0.01, 0.5, 0.9):
        masks = draw_masks((7, 1), (100, n_frames), share, 10)
        assert masks.any(axis=1).all() and not masks.all(axis=1).any()


def test_masks_are_made_of_whole_spans() -> None:
    for seed in range(50):
        mask = draw_mask(np.random.default_rng(seed), 60, 0.3, 6)
        edges = np.flatnonzero(np.diff(np.pad(mask, 1).astype(int)))
        assert (edges[1::2] - edges[::2] >= 6).all()


def test_a_row_follows_from_its_seed_alone() -> None:
    many, few = draw_masks((7, 3), (6, 50), 0.5, 5), draw_masks((7, 3), (2, 50), 0.5, 5)
    assert (many[:2] == few).all()
    assert (draw_masks((7, 4), (6, 50), 0.5, 5) != many).any()
