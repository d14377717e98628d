"""What every backbone offers: the frames of every hidden layer, and their statistics over time.

The mean and the standard deviation over a clip's frames are what the store keeps: 2 x d numbers per layer in place
of t x d. The deviation is the population's (divided by t), zero for a single frame.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

Statistics = tuple[np.ndarray, list[int]]
"""Mean and deviation over time of every kept layer, shape (b, layers, 2, d), float32, and the b numbers of frames."""


class Backbone(Protocol):
    """Waveforms in, frames or their statistics out; the numbers of a clip do not depend on the others in a call.

    A backbone whose model has a window of fixed length also has `longest_seconds` (longer clips are cut into windows)
    and `padded_seconds` (every clip costs as much as so many seconds); see `clips.py`. One that threads may use side by
    side has `twins(most, seconds)`, which returns up to so many backbones of the same weights, one for each thread.
    """

    rate: int
    """Sample rate of its waveforms, in hertz."""
    layers: tuple[int, ...]
    """The hidden layers that it keeps, ascending; 0 enters the first transformer layer."""
    dimension: int
    min_samples: int
    """Shorter waveforms give no frame."""
    batch_seconds: float
    """Seconds of audio, padding included, that go through it at once and fit into memory."""

    def identity(self) -> dict[str, Any]:
        """Return what decides the numbers: model, digest, precision, normalisation, rate, layers, dimension."""

    def frames(self, waveform: np.ndarray) -> np.ndarray:
        """Return the frames of one waveform of shape (n,): shape (layers, t, d), float32."""

    def begin(self, waveforms: Sequence[np.ndarray]) -> Callable[[], Statistics]:
        """Start computing the statistics of b waveforms of any lengths; the function returned waits for them."""

    def statistics(self, waveforms: Sequence[np.ndarray]) -> Statistics:
        """Return the statistics of b waveforms of any lengths."""


def parse_layers(text: str | None, n_layers: int) -> tuple[int, ...]:
    """Parse a list of layers to keep; return them ascending, all of them for None.

    >>> parse_layers("0-2,6", 13)
    (0, 1, 2, 6)

    Raises
    ------
    ValueError
        When it is no list of layers, or the model lacks one of them.
    """
    chosen: set[int] = set()
    for part in text.split(",") if text and text.strip() else [f"0-{n_layers - 1}"]:
        found = re.fullmatch(r"\s*([0-9]+)\s*(?:-\s*([0-9]+)\s*)?", part)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if first > last:
            raise ValueError(f"`layers` must be a range or a list such as 0-6 or 0,3,6, not '{text}'.")
        if last >= n_layers:
            raise ValueError(f"There is no layer {last}: this model has the layers 0 to {n_layers - 1}.")
        chosen.update(range(first, last + 1))
    return tuple(sorted(chosen))
