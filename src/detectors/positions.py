"""Sinusoidal positions: what tells an encoder where a frame is, or how far two frames are apart.

A. Vaswani et al., "Attention is all you need", NeurIPS 2017, Section 3.5.
"""

import math

import torch
from torch import Tensor, nn

LONGEST_WAVE = 10_000.0
"""In frames, over 2 pi."""


def sinusoids(positions: Tensor, dimension: int) -> Tensor:
    """Return sines and cosines in turn, of waves from short to long: (p,) -> (p, dimension), an even number.

    >>> sinusoids(torch.tensor([0.0, 1.0]), 4).round(decimals=2).tolist()
    [[0.0, 1.0, 0.0, 1.0], [0.8399999737739563, 0.5400000214576721, 0.009999999776482582, 1.0]]
    """
    exponents = torch.arange(0, dimension, 2, device=positions.device) / dimension
    angles = positions[:, None] * torch.exp(-math.log(LONGEST_WAVE) * exponents)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


class SinusoidalPositions(nn.Module):
    """Frames (b, t, d) -> frames to which the sinusoids of their positions are added."""

    def forward(self, frames: Tensor) -> Tensor:
        """Add them; any number of frames will do."""
        positions = torch.arange(frames.shape[1], device=frames.device, dtype=torch.float32)
        return frames + sinusoids(positions, frames.shape[2]).to(frames.dtype)
