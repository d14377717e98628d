"""What every backbone offers: the frames of every hidden layer, and their statistics over time.

The mean and the standard deviation over a clip's frames are what the store keeps: 2 x d numbers a layer in place of
t x d. The deviation is the population's (divided by t), zero for a single frame.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np


class Backbone(Protocol):
    """Waveforms in, frames or their statistics out; the same numbers whatever clips stand in the same call."""

    rate: int
    """Sample rate that it wants, in hertz."""
    n_layers: int
    dimension: int
    min_samples: int
    """Shorter waveforms give no frame."""

    def identity(self) -> dict[str, Any]:
        """Return what decides the numbers: model, digest, precision, normalisation, rate, layers, dimension."""

    def frames(self, waveform: np.ndarray) -> np.ndarray:
        """Return the frames of one waveform of shape (n,): shape (layers, t, d), float32."""

    def statistics(self, waveforms: Sequence[np.ndarray]) -> tuple[np.ndarray, list[int]]:
        """Return mean and deviation over time of every layer, shape (b, layers, 2, d), and the b numbers of frames."""
