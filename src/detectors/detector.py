"""The base of all detectors: the contract of classifiers, for a network on waveforms."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from src.detectors.contract import DetectorConfig

if TYPE_CHECKING:
    from torch import nn

WEIGHTS = "best_model.safetensors"


class Detector(ABC):
    """A network, its training and its weights; a subclass names its Config and builds its network."""

    Config: ClassVar[type[DetectorConfig]]
    takes: ClassVar[str] = "waveforms"
    files: ClassVar[tuple[str, ...]] = (WEIGHTS,)
    seconds: ClassVar[float] = 4.0
    """Length of a window, where the user names none."""

    def __init__(self, config: DetectorConfig, *, seed: int = 7) -> None:
        self.config, self.seed = config, seed

    @abstractmethod
    def build(self) -> "nn.Module":
        """Return the network at the start of a training; its weights are random, or published ones."""
