"""The statistics of one clip of any length: what an embedding store holds for it, without a store.

A clip longer than a window goes through the backbone in windows of equal length, and the statistics of the windows are
pooled into those of all their frames. Stores are filled with the functions of this file as well, so that a
classifier is given the same numbers for a clip of a store and for a single recording.

`clip_statistics` takes a waveform; `recording_statistics` takes a file and reads it as a store does, a window at a
time. They differ for long recordings at another rate than the backbone's, which are cut before they are resampled.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from src.audio.io import SILENT, UnusableAudio, count_samples, is_silent, load_stretches, load_waveform
from src.backbones.contract import Backbone

WINDOW_SECONDS = 30.0
"""Longer clips are cut into windows of at most this length."""
NOT_FINITE = "its embedding is not finite"


def clip_statistics(
    backbone: Backbone, waveform: np.ndarray, *, window_seconds: float = WINDOW_SECONDS
) -> tuple[np.ndarray, int]:
    """Return mean and standard deviation over time of every layer that a backbone keeps, for one clip.

    Parameters
    ----------
    backbone : Backbone
    waveform : np.ndarray, shape (n,)
        float32, mono, within [-1, 1], at `backbone.rate`; of any length.
    window_seconds : float
        Longer clips are cut into windows; use the value of the store (`max_seconds` of its meta.json).

    Returns
    -------
    statistics : np.ndarray, shape (layers, 2, d)
        float32; mean and population standard deviation over the frames of all windows.
    n_frames : int
        The number of those frames.

    Raises
    ------
    UnusableAudio
        When the clip is too short for a frame, silent, or its embedding is not finite: the reasons for which a store
        leaves a clip out.

    >>> from src.backbones import load_backbone
    >>> noise = np.random.default_rng(7).uniform(-0.5, 0.5, 16_000).astype(np.float32)
    >>> statistics, n_frames = clip_statistics(load_backbone("lfcc"), noise)
    >>> statistics.shape, n_frames
    ((1, 2, 120), 99)
    """
    edges = window_edges(len(waveform), window_samples(backbone, window_seconds))
    return _pooled(backbone, (waveform[start:stop] for start, stop in pairwise(edges)))


def recording_statistics(
    backbone: Backbone, path: Path, *, window_seconds: float = WINDOW_SECONDS
) -> tuple[np.ndarray, int]:
    """Return `clip_statistics` of a recording, read as a store reads it: of a long one a few windows at a time.

    Parameters
    ----------
    backbone : Backbone
    path : Path
        Of any rate and number of channels.
    window_seconds : float
        As in `clip_statistics`.

    Returns
    -------
    np.ndarray, shape (layers, 2, d), and the number of frames.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    UnusableAudio
        When it cannot be read, or for the reasons of `clip_statistics`.
    """
    edges = window_edges(count_samples(path, backbone.rate), window_samples(backbone, window_seconds))
    if len(edges) == 2:
        return _pooled(backbone, [load_waveform(path, backbone.rate)])
    return _pooled(backbone, load_stretches(path, pairwise(edges), backbone.rate))


def _pooled(backbone: Backbone, windows: Iterable[np.ndarray]) -> tuple[np.ndarray, int]:
    """Return the statistics over the frames of all windows of a clip."""
    statistics: list[np.ndarray] = []
    n_frames: list[int] = []
    silent = True
    for batch in _batches(windows, backbone.batch_seconds * backbone.rate, padded_samples(backbone)):
        reason = why_too_short(min(map(len, batch)), backbone.rate, backbone.min_samples)
        if reason:
            raise UnusableAudio(reason)
        silent = silent and all(map(is_silent, batch))
        of_windows, counts = backbone.statistics(batch)
        statistics.extend(of_windows)
        n_frames.extend(counts)
    pooled, total = pool_windows(np.stack(statistics), n_frames)
    if silent or not np.isfinite(pooled).all():
        raise UnusableAudio(SILENT if silent else NOT_FINITE)
    return pooled, total


def _batches(windows: Iterable[np.ndarray], most_samples: float, padded: float) -> Iterator[list[np.ndarray]]:
    """Yield batches of windows as large as a backbone takes, padding included; at least one window each."""
    batch: list[np.ndarray] = []
    for window in windows:
        if batch and (len(batch) + 1) * max(padded, *map(len, [*batch, window])) > most_samples:
            yield batch
            batch = []
        batch.append(window)
    yield batch


def window_samples(backbone: Backbone, seconds: float) -> float:
    """Return the most samples of a window: what was asked for, or what the backbone can take at once, if that is less.

    Most backbones take clips of any length, and so have no `longest_seconds`.
    """
    return min(seconds, getattr(backbone, "longest_seconds", math.inf)) * backbone.rate


def padded_samples(backbone: Backbone) -> float:
    """Return as how many samples a short clip counts in a batch; 0 for most backbones, which pad to the longest."""
    return getattr(backbone, "padded_seconds", 0.0) * backbone.rate


def window_edges(n_samples: int, window_samples: float) -> list[int]:
    """Return where a clip is cut into the fewest windows of at most `window_samples`, equal to within a sample.

    >>> window_edges(10, 4)
    [0, 3, 6, 10]
    """
    count = max(1, int(-(-n_samples // window_samples)))
    return [n_samples * edge // count for edge in range(count + 1)]


def pool_windows(statistics: np.ndarray, n_frames: Sequence[int]) -> tuple[np.ndarray, int]:
    """Return mean and standard deviation over the frames of several windows from those of each window.

    Parameters
    ----------
    statistics : np.ndarray, shape (w, layers, 2, d)
    n_frames : sequence of w int

    Returns
    -------
    np.ndarray, shape (layers, 2, d), and the number of all frames.
    """
    if len(n_frames) == 1:
        return statistics[0], n_frames[0]
    weights = (np.asarray(n_frames) / sum(n_frames))[:, None, None]
    means, deviations = statistics[:, :, 0].astype(np.float64), statistics[:, :, 1].astype(np.float64)
    mean = (weights * means).sum(axis=0)
    variance = (weights * (deviations**2 + (means - mean) ** 2)).sum(axis=0)
    return np.stack([mean, np.sqrt(variance)], axis=1).astype(np.float32), sum(n_frames)


@dataclass
class Windows:
    """The windows of a clip, collected until they are complete."""

    n_windows: int
    statistics: list[np.ndarray] = field(default_factory=list)
    n_frames: list[int] = field(default_factory=list)
    silent: bool = True

    def add(self, statistics: np.ndarray, n_frames: int, silent: bool) -> bool:
        """Add a window, shape (layers, 2, d); return whether it was the last."""
        self.statistics.append(statistics)
        self.n_frames.append(n_frames)
        self.silent &= silent
        return len(self.n_frames) == self.n_windows

    def pooled(self) -> tuple[np.ndarray, int]:
        """Return the statistics over the frames of all windows, and how many frames those are."""
        return pool_windows(np.stack(self.statistics), self.n_frames)


def why_too_short(n_samples: int, rate: int, min_samples: int) -> str:
    """Return why a clip of so many samples gives no frame; empty when it gives one."""
    if n_samples >= min_samples:
        return ""
    return f"too short ({n_samples} samples at {rate} Hz; a frame needs {min_samples})"
