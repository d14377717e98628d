"""What every decoder offers: rate and channels at once, length and encoding on demand, and any stretch of sound.

A stretch is counted in frames: one sample of every channel. Decoders that cannot seek exactly yield blocks from the
beginning, and `stretch_of` keeps the stretch.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Format:
    """Length, rate, channels and encoding of a recording."""

    n_frames: int
    """Samples of each channel."""
    rate: int
    """In hertz."""
    channels: int
    encoding: str
    """Container and coding, such as `WAV PCM_16`."""


def resampled_length(n_frames: int, own_rate: int, rate: int) -> int:
    """Return how many samples soxr makes of `n_frames`: to the nearest, in floating point, as soxr computes it.

    >>> resampled_length(1_440_002, 48_000, 16_000)
    480001
    """
    return int(n_frames / (own_rate / rate) + 0.5)


class Recording(Protocol):
    """A recording that a decoder has opened; all methods raise `UnusableAudio` when it turns out to be corrupt."""

    @property
    def format(self) -> Format:
        """Length, rate, channels and encoding; may decode the recording to find its length."""

    @property
    def rate(self) -> int:
        """In hertz, known without decoding."""

    @property
    def channels(self) -> int:
        """How many there are, known without decoding."""

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield all of it in blocks of shape (n, channels), float32."""

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return frames `start` to `stop` (None = the end), float32 of shape (n, channels)."""


def stretch_of(
    blocks: Iterable[np.ndarray], channels: int, start: int = 0, stop: int | None = None
) -> tuple[np.ndarray, int]:
    """Keep frames `start` to `stop` of consecutive blocks; later blocks are not read.

    Parameters
    ----------
    blocks : iterable of np.ndarray, shape (n, channels)
    channels : int
    start : int
    stop : int or None
        None = to the end.

    Returns
    -------
    stretch : np.ndarray, shape (at most stop - start, channels)
        float32.
    position : int
        Frames that were read: at least `stop`, or all that there are.

    >>> stretch_of([np.zeros((3, 1)), np.ones((3, 1))], 1, start=2, stop=4)[0].ravel()
    array([0., 1.], dtype=float32)
    """
    kept, position = [np.empty((0, channels), np.float32)], 0
    for block in blocks:
        first, position = position, position + len(block)
        if position > start:
            kept.append(block[max(0, start - first) : None if stop is None else max(0, stop - first)])
        if stop is not None and position >= stop:
            break
    return np.concatenate(kept, axis=0, dtype=np.float32), position
