"""The frame head: a decision every 20 ms, for speech of which a part is spoofed.

Each frame is decided by a small network of its own, dense d -> a, ReLU, dropout, dense a -> 2: (b, t, d) -> (b, t, a)
-> frame logits (b, t, 2). Context is the encoder's business: its frames have seen the whole window.

A clip is spoofed if any stretch of it is, so its log-odds z of bona fide are a soft minimum over those of its frames,
z = -log(mean over t of exp(-z_t)). It lies between the minimum and the mean, is the frames' own value where they agree,
and is at most log(t / k) above the minimum when k of t frames share it (2.3 when a tenth is spoofed). A plain minimum
would hang on one frame, and train that one alone; a mean would forgive short spoofs. The embedding is the mean of the
frames, weighted by their shares in the decision, (b, a). a d + 3 a + 2 parameters: 98,690 for d = 768 and a = 128.
"""

import math
from typing import ClassVar

import torch
from torch import nn

from src.detectors.contract import Output
from src.detectors.heads import HeadShape
from src.detectors.heads.pooling import logits_of


class Frame(nn.Module):
    """A decision for each frame, and a soft minimum over them for the clip."""

    takes_layers: ClassVar[bool] = False

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(shape.dimension, shape.size), nn.ReLU(), nn.Dropout(shape.dropout))
        self.decide = nn.Linear(shape.size, 2)

    def forward(self, frames: torch.Tensor, valid: torch.Tensor | None = None) -> Output:
        """Return logits (b, 2), embedding (b, a) and frame logits (b, t, 2) of frames (b, t, d)."""
        hidden = self.hidden(frames)
        frame_logits = self.decide(hidden)
        doubts = (frame_logits[..., 0] - frame_logits[..., 1]).float()  # of each frame: its log-odds of spoof
        counts: torch.Tensor | float = math.log(doubts.shape[1])
        if valid is not None:
            doubts = doubts.masked_fill(~valid, float("-inf"))
            counts = valid.sum(dim=1).log()
        log_odds = counts - doubts.logsumexp(dim=1)
        embedding = torch.einsum("bt,bta->ba", doubts.softmax(dim=1).to(hidden.dtype), hidden)
        return Output(logits_of(log_odds), embedding, frame_logits)
