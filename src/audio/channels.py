"""Mixing several channels to one.

Channels are averaged. Where they hold the same sound with opposite signs (a microphone with reversed polarity, a
"karaoke" effect), the average cancels it and leaves silence or a comb-filtered rest; then the loudest channel is taken
alone. That is the case when the sum of the channels keeps less than a fifth of the energy that unrelated sounds would
keep: for two channels, a correlation below -0.8.
"""

from collections.abc import Iterable

import numpy as np

KEPT_AT_LEAST = 0.2
"""Energy of the sum of the channels over the sum of their energies, below which they cancel each other."""


def cancelling_channel(blocks: Iterable[np.ndarray]) -> int | None:
    """Return the channel to take alone because the average cancels the sound, or None where the average is right.

    A constant offset does not count as sound.

    Parameters
    ----------
    blocks : iterable of np.ndarray, shape (n, channels)
        A recording from its beginning to its end.

    >>> tone = np.sin(np.arange(1600.0))
    >>> cancelling_channel([np.stack([tone, -1.1 * tone], axis=1)])
    1
    >>> cancelling_channel([np.stack([tone, 0 * tone], axis=1)]) is None
    True
    """
    count, sums, squares = 0, np.zeros(1), np.zeros(1)
    with np.errstate(invalid="ignore", over="ignore"):  # checked later; NaN is never below the limit
        for block in blocks:
            each = block.astype(np.float64)
            channels = np.concatenate([each, each.sum(axis=1, keepdims=True)], axis=1)
            count += len(channels)
            sums = sums + channels.sum(axis=0)
            squares = squares + np.square(channels).sum(axis=0)
        *energies, together = squares - sums**2 / max(1, count)
    return int(np.argmax(energies)) if together < KEPT_AT_LEAST * sum(energies) else None


def to_mono(samples: np.ndarray, channel: int | None = None) -> np.ndarray:
    """Average the channels, or take one: float64 of shape (n,) of samples of shape (n, channels)."""
    with np.errstate(invalid="ignore"):  # infinities of both signs give NaN, which is checked later
        return samples.mean(axis=1, dtype=np.float64) if channel is None else samples[:, channel].astype(np.float64)
