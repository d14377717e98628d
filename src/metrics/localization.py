"""How well the scores of frames find the spoofed stretches of partly spoofed clips: segment EER and range EER.

Segment EER: every clip is cut into segments of one length, each with its label and its score (`spans.py`), and the EER
is that of all segments of all clips. It depends on the resolution: long segments are spoofed more often, and hide where
exactly a spoof begins. Name the resolution beside it.

Range EER: no segments, but durations. At a threshold, the false acceptance rate is the share of the spoofed time that
is called bona fide, and the false rejection rate the share of the bona fide time that is called spoofed; the EER is
where they meet. It counts exactly where a spoof begins and ends. A clip's time is cut wherever a frame or a span begins
or ends; both rates only change at the score of a frame, so they are computed for each of these exactly, without the
search of the paper. Frames of one score pass a threshold together, also where a span begins inside a frame. Unlike
the official EER of trials, there are no points that no threshold reaches.

Source: Zhang, Wang, Cooper, Evans and Yamagishi, "Range-based equal error rate for spoof localization", Interspeech
2023.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from src.metrics.checks import FloatArray, check_class_scores, check_positive, check_scores
from src.metrics.eer import detection_error_curve, equal_error_point
from src.metrics.spans import INSTANT, cell_labels, check_spans, n_segments, segment_scores

RESOLUTIONS = (0.02, 0.16, 0.64)
"""Seconds; those of PartialSpoof that are usually reported."""


@dataclass(frozen=True)
class FrameScores:
    """What a detector says of the frames of one clip."""

    scores: npt.NDArray
    """Shape (t,): higher = more bona fide."""
    seconds: float
    """Time that a frame stands for: frame i from i to i + 1 times this."""
    duration: float
    """Of the clip, in s."""


@dataclass(frozen=True)
class ScoredClip:
    """One clip: the scores of its frames, and where it is spoofed in truth."""

    frame_scores: npt.ArrayLike
    """Shape (t,), higher = more bona fide."""
    hop: float
    """Seconds from one frame to the next."""
    spans: npt.ArrayLike
    """Shape (k, 2): the spoofed stretches in s; none = all of it is bona fide."""
    duration: float
    """In s; a spoofed stretch that lasts longer ends there."""


def segment_eer(clips: Sequence[ScoredClip], resolution: float) -> tuple[float, float]:
    """Compute the EER of the segments of all clips, and the score it is reached at.

    Parameters
    ----------
    clips : sequence of ScoredClip
    resolution : float
        Length of a segment in s.

    Returns
    -------
    eer : float
        In [0, 1].
    threshold : float
        As in `eer.compute_eer`.

    Raises
    ------
    ValueError
        When there is no clip, a score is not finite, or all segments are of one class.

    >>> clip = ScoredClip([2.0, 2.0, -1.0, -3.0], hop=0.02, spans=[(0.04, 0.08)], duration=0.08)
    >>> segment_eer([clip], 0.02)
    (0.0, -1.0)
    """
    labels, scores, _ = segments_of(clips, resolution)
    return equal_error_point(*detection_error_curve(labels, scores))


def segments_of(clips: Sequence[ScoredClip], resolution: float) -> tuple[npt.NDArray, npt.NDArray, npt.NDArray]:
    """Return the labels and scores of the segments of all clips, and the number of each one's clip, each (m,).

    >>> clip = ScoredClip([2.0, -1.0, -3.0], hop=0.02, spans=[(0.02, 0.06)], duration=0.06)
    >>> [array.tolist() for array in segments_of([clip, clip], 0.04)]
    [[0, 0, 0, 0], [-1.0, -3.0, -1.0, -3.0], [0, 0, 1, 1]]
    """
    counts = [n_segments(clip.duration, resolution) for clip in clips]
    labels = [cell_labels(clip.spans, resolution, count) for clip, count in zip(clips, counts, strict=True)]
    scores = [segment_scores(clip.frame_scores, clip.hop, resolution, clip.duration) for clip in clips]
    return _joined(labels), _joined(scores), np.repeat(np.arange(len(clips)), counts)


def range_eer(clips: Sequence[ScoredClip]) -> tuple[float, float]:
    """Compute the EER over time, and a threshold at which it is reached.

    Parameters
    ----------
    clips : sequence of ScoredClip

    Returns
    -------
    eer : float
        In [0, 1]: the mean of both rates where they are closest.
    threshold : float
        A frame is called bona fide where score >= threshold; infinite where all is best called spoofed.

    Raises
    ------
    ValueError
        As `segment_eer`.

    >>> clip = ScoredClip([2.0, 2.0, -1.0, -3.0], hop=0.02, spans=[(0.03, 0.08)], duration=0.08)
    >>> tuple(round(number, 6) for number in range_eer([clip]))  # 10 of 50 ms are accepted, nothing is rejected
    (0.1, 2.0)
    """
    seconds, labels, scores = _stretches(clips)
    order = np.argsort(scores, kind="stable")
    seconds, labels, scores = seconds[order], labels[order], scores[order]
    first = np.flatnonzero(np.concatenate([[True], scores[1:] != scores[:-1]]))
    rejected = np.concatenate([[0.0], np.cumsum(seconds * labels)])
    stopped = np.concatenate([[0.0], np.cumsum(seconds * (1 - labels))])
    reachable = np.append(first, len(scores))  # a threshold at the first of equal scores rejects all before it
    frr, far = rejected[reachable] / rejected[-1], 1 - stopped[reachable] / stopped[-1]
    return equal_error_point(frr, far, np.append(scores[first], np.inf))


def range_errors(clips: Sequence[ScoredClip], threshold: float) -> tuple[float, float]:
    """Return the share of the spoofed time that is accepted and of the bona fide time that is rejected.

    Parameters
    ----------
    clips : sequence of ScoredClip
    threshold : float
        A frame is called bona fide where score >= threshold; comes from validation data.

    Returns
    -------
    far, frr : float
        In [0, 1].

    >>> clip = ScoredClip([2.0, 2.0, -1.0, -3.0], hop=0.02, spans=[(0.03, 0.08)], duration=0.08)
    >>> tuple(round(rate, 6) for rate in range_errors([clip], 0.0))
    (0.2, 0.0)
    """
    seconds, labels, scores = _stretches(clips)
    accepted = scores >= threshold
    spoofed, bonafide = labels == 0, labels == 1
    far = seconds[spoofed & accepted].sum() / seconds[spoofed].sum()
    frr = seconds[bonafide & ~accepted].sum() / seconds[bonafide].sum()
    return float(far), float(frr)


def _stretches(clips: Sequence[ScoredClip]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return length in s, label and score of all stretches between the borders of frames and spans, each (m,)."""
    parts = [_stretches_of(clip) for clip in clips]
    seconds, labels, scores = (_joined([part[place] for part in parts]) for place in range(3))
    check_scores(labels, scores)
    return seconds, labels, scores


def _stretches_of(clip: ScoredClip) -> tuple[FloatArray, FloatArray, FloatArray]:
    check_positive(hop=clip.hop, duration=clip.duration)
    frame_scores = check_class_scores(clip.frame_scores, "frame")
    spans = check_spans(clip.spans)
    borders = np.concatenate([[0.0, clip.duration], np.arange(1, len(frame_scores)) * clip.hop, spans.ravel()])
    borders = np.unique(borders[borders <= clip.duration])
    seconds, middles = np.diff(borders), (borders[1:] + borders[:-1]) / 2
    frames = np.minimum((middles / clip.hop).astype(int), len(frame_scores) - 1)
    # The number of spans that began before a moment exceeds that of those that ended by one inside a span.
    spoofed = np.searchsorted(spans[:, 0], middles) > np.searchsorted(spans[:, 1], middles)
    kept = seconds > INSTANT
    return seconds[kept], 1.0 - spoofed[kept], frame_scores[frames[kept]]


def _joined(arrays: Sequence[npt.NDArray]) -> npt.NDArray:
    if not arrays:
        raise ValueError("There is no clip: give the scores of at least one.")
    return np.concatenate(arrays)
