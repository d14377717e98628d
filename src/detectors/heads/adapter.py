"""The adapter head of the HuBERT card: frames are adapted through a bottleneck, then classified with one output.

Adapter, on each frame: dense d -> a, ReLU, dropout, dense a -> d. Classifier, on the clip: dense d -> a, ReLU, dropout,
dense a -> 1. Shapes: (b, t, d) -> (b, t, a) -> (b, t, d) -> mean over time (b, d) -> (b, a) -> one log-odds (b,).

The card does not say where time is pooled; here it is between the two. There is no path around the adapter, as in the
card; adapters within transformer layers (Houlsby et al. 2019) have one. The single output z becomes the logits
(-z / 2, z / 2). 3 a d + 3 a + d + 1 parameters: 296,065 for d = 768 and a = 128.
"""

from typing import ClassVar

import torch
from torch import nn

from src.detectors.contract import Output
from src.detectors.heads import HeadShape
from src.detectors.heads.pooling import logits_of, mean_over_frames


class Adapter(nn.Module):
    """Bottleneck on each frame, mean over time, a classifier of two layers with one output."""

    takes_layers: ClassVar[bool] = False

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        self.adapter = nn.Sequential(
            nn.Linear(shape.dimension, shape.size),
            nn.ReLU(),
            nn.Dropout(shape.dropout),
            nn.Linear(shape.size, shape.dimension),
        )
        self.hidden = nn.Sequential(nn.Linear(shape.dimension, shape.size), nn.ReLU(), nn.Dropout(shape.dropout))
        self.decide = nn.Linear(shape.size, 1)

    def forward(self, frames: torch.Tensor, valid: torch.Tensor | None = None) -> Output:
        """Return logits (b, 2) and embedding (b, a) of frames (b, t, d)."""
        embedding = self.hidden(mean_over_frames(self.adapter(frames), valid))
        return Output(logits_of(self.decide(embedding)[:, 0]), embedding)
