"""Spans of time, and what they say of frames and segments: which of a clip's parts are spoofed.

A span is a pair (start, end) in s. The spans of a clip are an array (k, 2), sorted, none of them empty and no two
overlapping; k = 0 where nothing is spoofed. Frame i of a detector stands for the time from i * hop to (i + 1) * hop,
whatever its field of view; a segment is the same at a coarser resolution, such as 20, 160 or 640 ms.

A frame or segment is a spoof (0) if any part of it is spoofed, else bona fide (1), as in PartialSpoof: Zhang, Wang,
Cooper, Evans and Yamagishi, "The PartialSpoof database and countermeasures for the detection of short fake speech
segments embedded in an utterance", IEEE/ACM TASLP 2023. Hence the score of a segment is the lowest of its frames: one
frame that is certainly spoofed decides, however bona fide the others are. The mean would dilute a short spoof.
"""

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from src.metrics.checks import FloatArray, IntArray, check_class_scores, check_positive

INSTANT = 1e-6
"""Seconds that rounding may move a border by: an overlap shorter than this is none."""


def check_spans(spans: npt.ArrayLike) -> FloatArray:
    """Return spans as a float64 array (k, 2), after checking them.

    Raises
    ------
    ValueError
        When they are not pairs of finite numbers, start below 0, are empty, or overlap or are not sorted.

    >>> check_spans([(0.5, 1), (2, 3)])
    array([[0.5, 1. ],
           [2. , 3. ]])
    >>> check_spans([(1, 0.5)])
    Traceback (most recent call last):
    ...
    ValueError: A span must end after its start, and 1 to 0.5 s does not.
    """
    array = np.asarray(spans, dtype=np.float64)
    if array.size == 0:
        return np.zeros((0, 2))
    if array.ndim != 2 or array.shape[1] != 2 or not np.isfinite(array).all():
        raise ValueError(f"Spans must be pairs of finite numbers, start and end in s, not {spans!r}.")
    for start, end in array:
        if start < 0:
            raise ValueError(f"A span must not start before the clip, and {start:g} to {end:g} s does.")
        if end <= start:
            raise ValueError(f"A span must end after its start, and {start:g} to {end:g} s does not.")
    for (_, end), (start, _) in pairwise(array):
        if start < end:
            raise ValueError(f"Spans must be sorted and must not overlap; one starts at {start:g} s, before {end:g} s.")
    return array


def cell_labels(spans: npt.ArrayLike, hop: float, n_cells: int) -> IntArray:
    """Return the labels of frames or segments: 0 = spoof where a span reaches into one, else 1 = bona fide.

    Parameters
    ----------
    spans : array-like, shape (k, 2)
        The spoofed stretches of a clip in s.
    hop : float
        Length of a frame or segment in s.
    n_cells : int
        How many of them the clip has.

    Returns
    -------
    np.ndarray, shape (n_cells,)

    >>> cell_labels([(0.19, 0.41)], hop=0.1, n_cells=6)
    array([1, 0, 0, 0, 0, 1])
    """
    check_positive(hop=hop)
    labels = np.ones(n_cells, dtype=np.int64)
    for start, end in check_spans(spans):
        labels[math.floor((start + INSTANT) / hop) : max(0, math.ceil((end - INSTANT) / hop))] = 0
    return labels


def n_segments(duration: float, resolution: float) -> int:
    """Return how many segments a clip has; a last one that is shorter than the others counts.

    >>> n_segments(2.0, 0.16), n_segments(1.92, 0.16)
    (13, 12)
    """
    check_positive(duration=duration, resolution=resolution)
    return max(1, math.ceil((duration - INSTANT) / resolution))


def segment_scores(frame_scores: npt.ArrayLike, hop: float, resolution: float, duration: float) -> FloatArray:
    """Return the score of each segment of a clip: the lowest of the frames that reach into it.

    Parameters
    ----------
    frame_scores : array-like, shape (t,)
        Higher = more bona fide.
    hop : float
        Seconds from one frame to the next.
    resolution : float
        Length of a segment in s; it may be shorter than a frame, and need not be a multiple of one.
    duration : float
        Of the clip in s. Frames behind its end are left out. A model may have no frame for the last few milliseconds:
        its last one stands for them.

    Returns
    -------
    np.ndarray, shape (n_segments(duration, resolution),)

    >>> segment_scores([3.0, 1.0, 2.0, 5.0], hop=0.02, resolution=0.04, duration=0.1)
    array([1., 2., 5.])
    """
    check_positive(hop=hop)
    scores = check_class_scores(frame_scores, "frame")
    starts = np.arange(n_segments(duration, resolution)) * resolution
    ends = np.minimum(starts + resolution, duration)
    first = np.minimum(np.floor((starts + INSTANT) / hop).astype(int), len(scores) - 1)
    last = np.minimum(np.ceil((ends - INSTANT) / hop).astype(int), len(scores))
    return np.array([scores[low : max(high, low + 1)].min() for low, high in zip(first, last, strict=True)])


def spans_of_frames(
    frame_scores: npt.ArrayLike, hop: float, threshold: float, *, gap: float = 0.0, least: float = 0.0
) -> FloatArray:
    """Return the stretches that frames call spoofed: those whose score lies below the threshold.

    Parameters
    ----------
    frame_scores : array-like, shape (t,)
        Higher = more bona fide.
    hop : float
        Seconds from one frame to the next.
    threshold : float
        A frame is called bona fide where score >= threshold, as everywhere; it comes from validation data.
    gap : float
        Bona fide stretches between two spoofed ones that last this many seconds or less are filled.
    least : float
        Spoofed stretches shorter than this many seconds, after filling, are dropped.

    Returns
    -------
    np.ndarray, shape (k, 2)

    Raises
    ------
    ValueError
        When a score is not finite, `hop` is not positive, or `gap` or `least` is negative.

    >>> spans_of_frames([1, -1, -1, 1, -1, 1, 1, 1, -1], 0.02, 0.0, gap=0.02, least=0.04)
    array([[0.02, 0.1 ]])
    """
    check_positive(hop=hop)
    for name, value in (("gap", gap), ("least", least)):
        if not value >= 0:
            raise ValueError(f"`{name}` must be 0 s or more, not {value}.")
    spoofed = check_class_scores(frame_scores, "frame") < threshold
    edges = np.flatnonzero(np.diff(np.concatenate([[0], spoofed.astype(int), [0]])))
    starts, ends = edges[::2] * hop, edges[1::2] * hop
    apart = starts[1:] - ends[:-1] > gap + INSTANT
    starts, ends = starts[np.append(True, apart)[: len(starts)]], ends[np.append(apart, True)[: len(ends)]]
    spans = np.stack([starts, ends], axis=1)
    return spans[ends - starts >= least - INSTANT]
