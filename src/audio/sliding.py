"""Windows that slide over a stream: the same numbers as the same windows of a file, whatever chunks the sound comes in.

Window i covers samples i * hop to i * hop + length, at 16 kHz. Where the stream ends between two windows, a last one
covers its last `length` samples, so that no sound goes unheard and no window is half empty; only a stream that is
shorter than a window gives a shorter window. No window spans a gap: after one the windows begin anew.

Constant memory: a `Ring` holds the latest seconds alone. The resampler is soxr, which gives the same samples for chunks
as for the whole (tested for chunks of 1 sample and more). Every window is mixed to mono and brought within full scale
by itself, as `io.load_stretch` does with a stretch of a file, because a stream's later sound is not known.

A sample that is NaN or infinite would spread through the resampler, so zero takes its place; the windows that it lies
in are refused, as a recording with such a sample is.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import soxr

from src.audio.channels import cancelling_channel, to_mono
from src.audio.stretches import SPEECH_RATE, within_full_scale
from src.audio.unusable import UnusableAudio
from src.audio.usable import check_usable


@dataclass(frozen=True)
class Window:
    """A window of a stream; its places are counted in samples at 16 kHz from the start of the stream."""

    start: int
    end: int
    waveform: np.ndarray
    """Shape (end - start,), float32, mono, within [-1, 1]; empty where it cannot be used."""
    reason: str = ""
    """Why it cannot be used."""


class Ring:
    """The latest samples of a stream, found by their places in it.

    Parameters
    ----------
    n_kept : int
        How many samples are kept for certain.
    channels : int

    >>> ring = Ring(2, channels=1)
    >>> for number in range(10):
    ...     ring.append(np.array([[number]]))
    >>> ring.end, ring.stretch(8, 10).ravel()
    (10, array([8., 9.]))
    """

    def __init__(self, n_kept: int, channels: int) -> None:
        self._kept, self._filled = n_kept, 0
        self._samples = np.zeros((2 * n_kept, channels))
        self.end = 0
        """Samples that were appended so far."""

    def append(self, samples: np.ndarray) -> None:
        """Append samples of shape (n, channels), at most as many as are kept."""
        if self._filled + len(samples) > len(self._samples):
            start = max(0, self._filled - self._kept)
            self._samples[: self._filled - start] = self._samples[start : self._filled].copy()
            self._filled -= start
        self._samples[self._filled : self._filled + len(samples)] = samples
        self._filled += len(samples)
        self.end += len(samples)

    def stretch(self, start: int, stop: int) -> np.ndarray:
        """Return a copy of the samples `start` to `stop`, of shape (stop - start, channels)."""
        first = self.end - self._filled
        if start < max(first, self.end - self._kept) or stop > self.end:
            raise IndexError(f"samples {start} to {stop} of a stream of {self.end} are not kept")
        return self._samples[start - first : stop - first].copy()


class SlidingWindows:
    """Cuts the chunks of one stream into windows.

    Parameters
    ----------
    rate, channels : int
        Of the chunks.
    length, hop : int
        Of the windows, in samples at 16 kHz; 1 <= hop <= length.
    n_before : int
        Samples before a window that `stretch` can still return.
    """

    def __init__(self, rate: int, channels: int, length: int, hop: int, n_before: int = 0) -> None:
        self._rate, self._channels, self._length, self._hop = rate, channels, length, hop
        self._ring = Ring(length + n_before, channels)
        self._bad: deque[tuple[int, int]] = deque()
        """Where samples of the source were not finite, in its own frames; no two touch."""
        self._n_frames = 0
        self._begin(0)

    @property
    def end(self) -> int:
        """Samples at 16 kHz so far."""
        return self._ring.end

    def add(self, chunk: np.ndarray) -> Iterator[Window]:
        """Yield the windows that a chunk of shape (n, channels) completes."""
        is_bad = ~np.isfinite(chunk).all(axis=1)
        if is_bad.any():
            edges = np.flatnonzero(np.diff(np.concatenate([[False], is_bad, [False]]))) + self._n_frames
            for start, stop in edges.reshape(-1, 2).tolist():
                start = self._bad.pop()[0] if self._bad and self._bad[-1][1] == start else start
                self._bad.append((start, stop))
            chunk = np.where(is_bad[:, None], 0.0, chunk)
        self._n_frames += len(chunk)
        yield from self._append(self._resampled(chunk))

    def finish(self) -> Iterator[Window]:
        """Yield the windows that end with the stream, or before a gap in it; what is added later begins anew."""
        yield from self._append(self._resampled(np.empty((0, self._channels)), last=True))
        if self._last_end < self.end:
            yield self._window(max(self._first, self.end - self._length), self.end)
        self._begin(self.end)

    def stretch(self, start: int, stop: int) -> np.ndarray:
        """Return samples at 16 kHz, shape (stop - start, channels), by their places; not long after they came."""
        return self._ring.stretch(start, stop)

    def _begin(self, place: int) -> None:
        """Begin with window 0 at a place of the stream."""
        self._first = self._next = self._last_end = place
        self._first_frame = self._n_frames
        self._resampler = (
            None
            if self._rate == SPEECH_RATE
            else soxr.ResampleStream(self._rate, SPEECH_RATE, self._channels, dtype="float64")
        )

    def _resampled(self, chunk: np.ndarray, *, last: bool = False) -> np.ndarray:
        if self._resampler is None:
            return chunk
        return self._resampler.resample_chunk(np.ascontiguousarray(chunk, dtype=np.float64), last=last)

    def _append(self, samples: np.ndarray) -> Iterator[Window]:
        """Append samples piece by piece, so that each piece completes one window at most."""
        while len(samples):
            n_missing = self._next + self._length - self.end
            self._ring.append(samples[:n_missing])
            if len(samples) >= n_missing:
                yield self._window(self._next, self.end)
                self._next += self._hop
            samples = samples[n_missing:]

    def _window(self, start: int, end: int) -> Window:
        self._last_end = end
        try:
            self._check_finite(start, end)
            return Window(start, end, mono(self._ring.stretch(start, end)))
        except UnusableAudio as error:
            return Window(start, end, np.empty(0, np.float32), str(error))

    def _check_finite(self, start: int, end: int) -> None:
        """Refuse a window in which samples of the source were not finite; forget those that lie before it."""
        first, last = (self._first_frame + (at - self._first) * self._rate / SPEECH_RATE for at in (start, end))
        while self._bad and self._bad[0][1] <= first:
            self._bad.popleft()
        n_bad = sum(math.ceil(max(0, min(stop, last) - max(begin, first))) for begin, stop in self._bad)
        if n_bad:
            raise UnusableAudio(f"not finite ({n_bad} samples are NaN or infinite)")


def mono(samples: np.ndarray) -> np.ndarray:
    """Mix a stretch of a stream, shape (n, channels), to a waveform (n,), and bring it within full scale.

    Raises
    ------
    UnusableAudio
        When it is silent, or silent but for a few outliers.
    """
    waveform = to_mono(samples, cancelling_channel([samples]) if samples.shape[1] > 1 else None)
    check_usable(waveform)
    return within_full_scale(waveform)
