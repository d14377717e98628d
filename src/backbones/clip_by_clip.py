"""Backbones that compute one clip after another: what stands beside a clip in a call cannot touch its numbers.

That costs nothing where a clip is little work; the large models put clips into batches (`self_supervised.py`). A
spectral backbone is such a one that has settings, but no model, device or precision to choose, and a single layer.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from src.backbones.contract import Statistics, parse_layers

RATE = 16_000


class ClipByClip(ABC):
    """A backbone that is given by the frames of one clip; see `Backbone`."""

    rate = RATE
    batch_seconds = 60.0

    @abstractmethod
    def features(self, waveform: np.ndarray) -> np.ndarray:
        """Return the frames of one waveform of shape (n,): shape (layers, t, d), in the type they are computed in."""

    def frames(self, waveform: np.ndarray) -> np.ndarray:
        """Return the frames of one waveform: shape (layers, t, d), float32."""
        return self.features(waveform).astype(np.float32)

    def begin(self, waveforms: Sequence[np.ndarray]) -> Callable[[], Statistics]:
        """Compute the statistics of b waveforms; there is nothing to wait for."""
        computed = self.statistics(waveforms)
        return lambda: computed

    def statistics(self, waveforms: Sequence[np.ndarray]) -> Statistics:
        """Return mean and deviation over time, shape (b, layers, 2, d), and the numbers of frames."""
        features = [self.features(waveform) for waveform in waveforms]
        pooled = [[[layer.mean(axis=0), layer.std(axis=0)] for layer in layers] for layers in features]
        return np.array(pooled, dtype=np.float32), [layers.shape[1] for layers in features]


class SpectralBackbone(ClipByClip):
    """One layer of spectral features, computed in float64 on the CPU."""

    name: ClassVar[str]
    """Its row in BACKBONES."""
    model: ClassVar[str]
    settings: ClassVar[str]
    """All that decides its numbers, in words: a store of other settings is refused."""
    layers = (0,)
    dimension: int
    min_samples: int

    def identity(self) -> dict[str, Any]:
        """Return what decides the numbers: the settings."""
        return {
            "backbone": self.name,
            "model": self.model,
            "digest": self.settings,
            "precision": "fp64",
            "normalisation": "none",
            "rate": self.rate,
            "layers": list(self.layers),
            "dimension": self.dimension,
        }

    @classmethod
    def load(cls, model: str | None, device: str, precision: str, layers: str | None) -> "SpectralBackbone":
        """Return the backbone; it has no models to choose from and runs on the CPU."""
        if model:
            raise ValueError(f"{cls.name} has no models to choose from; leave out `model={model}`.")
        if precision not in ("auto", "fp32"):
            raise ValueError(f"{cls.name} knows no precision '{precision}'; leave out `precision`.")
        if device not in ("auto", "cpu"):
            raise ValueError(f"{cls.name} runs on the CPU; leave out `device={device}`.")
        parse_layers(layers, n_layers=1)
        return cls()
