"""Backbones that compute each clip by itself: what stands beside a clip in a call cannot touch its numbers.

That costs nothing where a clip is little work; the large models put clips into batches (`self_supervised.py`). The
clips of a call are spread over threads, one for each core: NumPy and SciPy let other threads run while they compute. A
clip lies with one thread from its samples to its statistics, so its numbers do not depend on how many there are.

A spectral backbone is such a one that has settings, but no model, device or precision to choose, and a single layer.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from src.backbones.contract import Statistics, parse_layers

RATE = 16_000


class ClipByClip(ABC):
    """A backbone that is given by the frames of one clip; see `Backbone`."""

    rate = RATE
    batch_seconds = 60.0
    threads: ClassVar[bool] = True
    """Whether clips are spread over threads; not where PyTorch computes, which spreads each operation by itself."""

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
        spread = self.threads and len(waveforms) > 1
        found = (_threads(os.getpid()).map if spread else map)(self._pooled, waveforms)
        pooled, n_frames = zip(*found, strict=True)
        return np.array(pooled, dtype=np.float32), list(n_frames)

    def _pooled(self, waveform: np.ndarray) -> tuple[list[list[np.ndarray]], int]:
        """Return mean and deviation of every layer of one waveform, and its number of frames."""
        features = self.features(waveform)
        return [[layer.mean(axis=0), layer.std(axis=0)] for layer in features], features.shape[1]


@lru_cache(maxsize=1)
def _threads(process: int) -> ThreadPoolExecutor:
    """Return the threads of this process, one for each core that it may use; those of a parent end at a fork."""
    import loky

    return ThreadPoolExecutor(loky.cpu_count(), thread_name_prefix="clips")


class SpectralBackbone(ClipByClip):
    """One layer of spectral features, computed in float64 on the CPU."""

    name: ClassVar[str]
    """Its row in BACKBONES."""
    model: ClassVar[str]
    settings: ClassVar[str]
    """All that decides its numbers, in words: a store of other settings is refused."""
    layers = (0,)
    batch_seconds = 120.0
    """Clips of like length share a batch: ten of 12 s, and sixteen of 7 s, so that few cores wait for its last clip."""
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
