"""The linear head: mean over time, dropout, one dense layer; (b, t, d) -> (b, d) -> (b, 2).

The head of the Wav2Vec2 report, whose softmax is part of the loss. 2 d + 2 parameters: 1,538 on wav2vec2-base. The
embedding is the mean over time, so contrastive losses train the encoder itself.
"""

from typing import ClassVar

import torch
from torch import nn

from src.detectors.contract import Output
from src.detectors.heads import HeadShape
from src.detectors.heads.pooling import mean_over_frames


class Linear(nn.Module):
    """Mean over time, dropout, dense."""

    takes_layers: ClassVar[bool] = False

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        self.dropout = nn.Dropout(shape.dropout)
        self.dense = nn.Linear(shape.dimension, 2)

    def forward(self, frames: torch.Tensor, valid: torch.Tensor | None = None) -> Output:
        """Return logits (b, 2) and embedding (b, d) of frames (b, t, d)."""
        pooled = mean_over_frames(frames, valid)
        return Output(self.dense(self.dropout(pooled)), pooled)
