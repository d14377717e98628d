"""Segment EER and range EER: answers by hand, a grid of a millisecond, and what must not change them."""

from dataclasses import replace

import numpy as np
import pytest

from src.metrics.eer import compute_eer
from src.metrics.localization import RESOLUTIONS, ScoredClip, range_eer, range_errors, segment_eer
from src.metrics.spans import cell_labels


def drawn_clips(seed: int, n_clips: int = 6, hop: float = 0.02) -> list[ScoredClip]:
    """Return clips of 1 to 2 s with spans on a grid of 1 ms, and frame scores that know a little of them."""
    rng = np.random.default_rng(seed)
    clips = []
    for _ in range(n_clips):
        n_frames = int(rng.integers(50, 100))
        duration = round(n_frames * hop + rng.uniform(0, 0.9) * hop, 3)
        start, length = rng.uniform(0, 0.5), rng.uniform(0.1, 0.5)
        spans = np.round([[start, start + length]], 3)
        scores = rng.normal(size=n_frames) + 1.5 * cell_labels(spans, hop, n_frames)
        clips.append(ScoredClip(scores, hop, spans, duration))
    return clips


def on_a_grid(clips: list[ScoredClip], threshold: float) -> tuple[float, float]:
    """Return FAR and FRR by counting milliseconds."""
    truth, accepted = [], []
    for clip in clips:
        moments = (np.arange(round(clip.duration * 1000)) + 0.5) / 1000
        frames = np.minimum((moments / clip.hop).astype(int), len(clip.frame_scores) - 1)
        accepted.append(np.asarray(clip.frame_scores)[frames] >= threshold)
        truth.append(~np.any([(moments > start) & (moments < end) for start, end in clip.spans], axis=0))
    bonafide, accepts = np.concatenate(truth), np.concatenate(accepted)
    return accepts[~bonafide].mean(), (~accepts[bonafide]).mean()


def test_by_hand() -> None:
    """60 ms are bona fide and 40 ms spoofed; the third and the last frame are half spoofed."""
    clip = ScoredClip([3.0, 2.0, 0.0, -1.0, 1.0], 0.02, [(0.05, 0.09)], 0.1)
    assert range_errors([clip], 0.5) == pytest.approx((10 / 40, 10 / 60))
    assert range_errors([clip], 1.5) == pytest.approx((0, 20 / 60))
    assert range_errors([clip], -0.5) == pytest.approx((20 / 40, 0))
    assert range_eer([clip]) == pytest.approx(((10 / 40 + 10 / 60) / 2, 1.0))
    assert segment_eer([clip], 0.02) == pytest.approx((0.0, 1.0))


def test_both_rates_are_those_of_a_grid_of_a_millisecond() -> None:
    for seed in range(5):
        clips = drawn_clips(seed)
        for threshold in (-0.5, 0.4, 1.1, 2.0):
            assert range_errors(clips, threshold) == pytest.approx(on_a_grid(clips, threshold), abs=1e-9)


def test_the_range_eer_is_where_both_rates_meet() -> None:
    for seed in range(5):
        clips = drawn_clips(seed)
        eer, threshold = range_eer(clips)
        assert np.mean(range_errors(clips, threshold)) == pytest.approx(eer)
        scores = np.unique(np.concatenate([clip.frame_scores for clip in clips]))
        gaps = [abs(np.subtract(*range_errors(clips, score))) for score in scores]
        assert abs(np.subtract(*range_errors(clips, threshold))) == pytest.approx(min(gaps))


def test_spans_on_the_frames_give_the_eer_of_the_frames() -> None:
    for seed in range(5):
        clips = [
            replace(clip, spans=np.round(np.array(clip.spans) / 0.02) * 0.02, duration=len(clip.frame_scores) * 0.02)
            for clip in drawn_clips(seed)
        ]
        labels = np.concatenate([cell_labels(clip.spans, 0.02, len(clip.frame_scores)) for clip in clips])
        eer = compute_eer(labels, np.concatenate([clip.frame_scores for clip in clips]))[0]
        assert segment_eer(clips, 0.02)[0] == pytest.approx(eer)
        assert range_eer(clips)[0] == pytest.approx(eer)


def test_perfect_scores_have_no_error_and_reversed_ones_nothing_else() -> None:
    spans = [(0.64, 1.28)]
    clip = ScoredClip(cell_labels(spans, 0.02, 96) * 2.0 - 1, 0.02, spans, 1.92)
    reverse = replace(clip, frame_scores=-np.asarray(clip.frame_scores))
    for resolution in RESOLUTIONS:
        assert segment_eer([clip], resolution)[0] == 0
    assert range_eer([clip])[0] == 0
    assert range_eer([reverse])[0] == 1
    assert segment_eer([reverse], 0.02)[0] == 1


def test_equal_scores_are_chance_for_the_range_eer() -> None:
    assert range_eer([ScoredClip(np.ones(50), 0.02, [(0.2, 0.5)], 1.0)])[0] == 0.5


def test_a_frame_cut_in_two_changes_nothing() -> None:
    for seed in range(5):
        clips = drawn_clips(seed)
        halved = [replace(clip, frame_scores=np.repeat(clip.frame_scores, 2), hop=clip.hop / 2) for clip in clips]
        assert range_eer(halved) == pytest.approx(range_eer(clips))
        assert segment_eer(halved, 0.16) == pytest.approx(segment_eer(clips, 0.16))


def test_only_the_order_of_the_scores_counts_and_the_order_of_the_clips_does_not() -> None:
    clips = drawn_clips(3)
    bent = [replace(clip, frame_scores=np.exp(clip.frame_scores)) for clip in clips]
    slower = [
        replace(clip, hop=2 * clip.hop, spans=2 * np.array(clip.spans), duration=2 * clip.duration) for clip in clips
    ]
    for others in (bent, clips[::-1], slower):
        assert range_eer(others)[0] == pytest.approx(range_eer(clips)[0])
    assert segment_eer(bent, 0.16)[0] == segment_eer(clips[::-1], 0.16)[0] == segment_eer(clips, 0.16)[0]
    assert segment_eer(slower, 0.32)[0] == segment_eer(clips, 0.16)[0]


def test_a_clip_without_spans_is_bona_fide_time() -> None:
    clips = drawn_clips(4)
    quiet = ScoredClip(np.full(50, 9.0), 0.02, [], 1.0)
    far, frr = range_errors(clips, 0.5)
    with_it = range_errors([*clips, quiet], 0.5)
    assert with_it[0] == far
    assert with_it[1] < frr


def test_it_says_what_is_wrong() -> None:
    clip = drawn_clips(0)[0]
    for function in (range_eer, lambda clips: segment_eer(clips, 0.16)):
        with pytest.raises(ValueError, match="There is no clip"):
            function([])
        with pytest.raises(ValueError, match=r"All .* trials are bona fide"):
            function([replace(clip, spans=[])])
        with pytest.raises(ValueError, match=r"1 of .* frame scores is NaN"):
            function([replace(clip, frame_scores=[1.0, np.nan])])
        with pytest.raises(ValueError, match="`hop` must be a positive number"):
            function([replace(clip, hop=0)])
        with pytest.raises(ValueError, match="must not overlap"):
            function([replace(clip, spans=[(0, 0.5), (0.4, 0.6)])])
    with pytest.raises(ValueError, match="`resolution` must be a positive number"):
        segment_eer([clip], -0.1)
