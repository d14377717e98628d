"""What a family adds to the shared backbone: how waveforms become the input of its model, and how many frames come out.

A front end prepares a batch of clips of any lengths so that every clip gives the frames that it would give alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from src.backbones.pretrained import Pretrained


@dataclass(frozen=True)
class Prepared:
    """The input of a model for b waveforms."""

    inputs: torch.Tensor
    """On the device, float32; the first axis is b."""
    mask: torch.Tensor | None
    """What the model takes as its attention mask; None when it needs none."""
    n_frames: list[int]
    """Frames of each waveform, first among those that come out; the others are padding."""


class ModelInput:
    """The base of the front ends; built on the CPU, before the model is moved to its device."""

    min_samples: int
    """Shorter waveforms give no frame."""
    normalisation = "none"
    """What a store says of it."""
    numbers_a_second: float
    """Numbers of the largest array that the model computes for a second of sound."""
    longest_seconds = inf
    """Longer waveforms must be cut into windows."""
    padded_seconds = 0.0
    """Every waveform costs as much as so many seconds, however short it is."""

    def __init__(self, pretrained: "Pretrained", device: torch.device, window: str = "") -> None:
        self.config, self.extractor, self.model = pretrained.config, pretrained.extractor, pretrained.model
        self.rate, self.device, self.window = pretrained.rate, device, window

    def prepare(self, waveforms: Sequence[np.ndarray]) -> Prepared:
        """Prepare b waveforms for one call of the model; call it right before, as it may adjust the model to them."""
        raise NotImplementedError

    def accelerate(self) -> None:
        """Replace what is slow on a CPU by parts of the same numbers; nothing, unless a front end says else."""

    def frames_of(self, hidden: torch.Tensor) -> torch.Tensor:
        """Turn a hidden state into frames over time, shape (b, t, d)."""
        return hidden

    def grouped(self, samples: Sequence[int]) -> list[list[int]]:
        """Return the places of the waveforms that may share a call of the model; all of them, unless it says else."""
        return [list(range(len(samples)))]
