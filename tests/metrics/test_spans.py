"""Spans, frames and segments say the same of a clip: known answers, and two routes that agree."""

import numpy as np
import pytest

from src.metrics.spans import cell_labels, check_spans, n_segments, segment_scores, spans_of_frames


def drawn_spans(rng: np.random.Generator, duration: float) -> np.ndarray:
    """Return zero to three spans on a grid of 1 ms."""
    borders = rng.choice(np.arange(int(duration * 1000)), 2 * rng.integers(0, 4), replace=False)
    return np.sort(borders).reshape(-1, 2) / 1000


@pytest.mark.parametrize(
    ("spans", "complaint"),
    [
        ([1.0, 2.0], "pairs of finite numbers"),
        ([(1, 2, 3)], "pairs of finite numbers"),
        ([(0, np.nan)], "pairs of finite numbers"),
        ([(-0.1, 1)], r"not start before the clip, and -0\.1 to 1 s does"),
        ([(1, 1)], r"must end after its start, and 1 to 1 s does not"),
        ([(0, 1), (0.9, 2)], r"must not overlap; one starts at 0\.9 s, before 1 s"),
        ([(2, 3), (0, 1)], "must be sorted"),
    ],
)
def test_spans_that_make_no_sense_are_refused(spans: list, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        check_spans(spans)


def test_no_span_and_spans_that_touch_are_fine() -> None:
    assert check_spans([]).shape == (0, 2)
    assert check_spans([(0, 1), (1, 2)]).tolist() == [[0, 1], [1, 2]]


def test_a_cell_is_spoofed_if_any_part_of_it_is() -> None:
    """The rule of PartialSpoof, against a grid of 1 ms."""
    rng = np.random.default_rng(7)
    for _ in range(50):
        spans = drawn_spans(rng, 2.0)
        grid = np.ones(2000, dtype=int)
        for start, end in (spans * 1000).round().astype(int):
            grid[start:end] = 0
        for hop in (0.02, 0.16, 0.64):
            step = round(hop * 1000)
            expected = [grid[start : start + step].min() for start in range(0, 2000, step)]
            assert cell_labels(spans, hop, n_segments(2.0, hop)).tolist() == expected


def test_a_border_on_the_grid_spoofs_no_neighbour_whatever_the_rounding() -> None:
    for number in range(1, 500):
        labels = cell_labels([(number * 0.02, (number + 1) * 0.02)], 0.02, 501)
        assert np.flatnonzero(labels == 0).tolist() == [number]
        assert n_segments(number * 0.02, 0.02) == number


def test_coarser_labels_are_the_lowest_of_the_finer_ones() -> None:
    rng = np.random.default_rng(8)
    for _ in range(50):
        spans = drawn_spans(rng, 1.92)
        fine = cell_labels(spans, 0.02, 96)
        assert cell_labels(spans, 0.16, 12).tolist() == fine.reshape(12, 8).min(axis=1).tolist()
        assert segment_scores(fine, 0.02, 0.16, 1.92).tolist() == fine.reshape(12, 8).min(axis=1).tolist()


def test_a_segment_has_the_score_of_its_most_spoofed_frame() -> None:
    scores = np.random.default_rng(9).normal(size=100)
    for resolution, per in ((0.02, 1), (0.16, 8), (0.64, 32)):
        expected = [scores[start : start + per].min() for start in range(0, 100, per)]
        np.testing.assert_array_equal(segment_scores(scores, 0.02, resolution, 2.0), expected)


def test_segments_that_no_frame_fits_take_those_that_reach_into_them() -> None:
    assert segment_scores([3, 1, 2], hop=0.03, resolution=0.02, duration=0.09).tolist() == [3, 1, 1, 2, 2]
    assert segment_scores([3, 1], hop=0.02, resolution=0.01, duration=0.04).tolist() == [3, 3, 1, 1]


def test_the_last_frame_stands_for_what_a_model_leaves_at_the_end_and_later_ones_are_left_out() -> None:
    assert segment_scores([3, 1], hop=0.02, resolution=0.02, duration=0.08).tolist() == [3, 1, 1, 1]
    assert segment_scores([3, 1, -9], hop=0.02, resolution=0.02, duration=0.04).tolist() == [3, 1]


@pytest.mark.parametrize("scores", [[], [[1.0, 2.0]], [1.0, np.nan]])
def test_scores_of_no_frames_or_of_no_number_are_refused(scores: list) -> None:
    for function in (lambda: segment_scores(scores, 0.02, 0.16, 1.0), lambda: spans_of_frames(scores, 0.02, 0.0)):
        with pytest.raises(ValueError, match="frame scores"):
            function()


def test_found_spans_give_the_decisions_back() -> None:
    rng = np.random.default_rng(10)
    for _ in range(50):
        scores = rng.normal(size=60)
        spans = spans_of_frames(scores, 0.02, 0.3)
        assert cell_labels(spans, 0.02, 60).tolist() == (scores >= 0.3).astype(int).tolist()


@pytest.mark.parametrize(
    ("gap", "least", "expected"),
    [
        (0.0, 0.0, [[0.0, 0.02], [0.04, 0.1], [0.2, 0.24]]),
        (0.02, 0.0, [[0.0, 0.1], [0.2, 0.24]]),
        (0.0, 0.04, [[0.04, 0.1], [0.2, 0.24]]),
        (0.02, 0.06, [[0.0, 0.1]]),  # gaps are filled first
        (0.1, 0.0, [[0.0, 0.24]]),
        (0.0, 1.0, []),
    ],
)
def test_short_gaps_are_filled_and_short_spans_dropped(gap: float, least: float, expected: list) -> None:
    scores = [-1, 1, -1, -1, -1, 1, 1, 1, 1, 1, -1, -1]
    found = spans_of_frames(scores, 0.02, 0.0, gap=gap, least=least)
    np.testing.assert_allclose(found, np.array(expected).reshape(-1, 2), atol=1e-12)


def test_a_score_at_the_threshold_is_bona_fide() -> None:
    assert len(spans_of_frames([0.5, 0.5], 0.02, 0.5)) == 0


def test_lengths_that_are_none_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"`gap` must be 0 s or more, not -1"):
        spans_of_frames([1.0], 0.02, 0.0, gap=-1)
    with pytest.raises(ValueError, match=r"`least` must be 0 s or more, not nan"):
        spans_of_frames([1.0], 0.02, 0.0, least=np.nan)
    with pytest.raises(ValueError, match=r"`hop` must be a positive number, not 0"):
        cell_labels([], 0, 5)
    with pytest.raises(ValueError, match="`duration` must be a positive number"):
        n_segments(0, 0.02)
