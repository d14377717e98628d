"""The frame head: a decision every 20 ms, for speech of which a part is spoofed.

Frames are standardised, dimension by dimension, and narrowed, d -> a with a ReLU; two convolutions over nine frames,
the second with gaps of one, are added to what they see; a dense layer decides. (b, t, d) -> (b, t, a) -> frame logits
(b, t, 2). So a decision looks 0.24 s to each side with 20 ms a frame. A trained encoder brings context enough; a frozen
one keeps in a frame what it was trained to keep, and neighbours that are looked at together err less: with a frozen
whisper-base the segment EER at 160 ms fell from 29 to 21 % by the convolutions, and the standardisation is worth as
much, for a few dimensions of some transformers are tens of times larger than the rest.

A clip is spoofed if any stretch of it is, so its log-odds z of bona fide are a soft minimum over those of its frames,
z = -log(mean over t of exp(-z_t)). It lies between the minimum and the mean, is the frames' own value where they agree,
and is at most log(t / k) above the minimum when k of t frames share it (2.3 when a tenth is spoofed). A plain minimum
would hang on one frame, and train that one alone; a mean would forgive short spoofs. The embedding is the mean of the
frames, weighted by their shares in the decision, (b, a). a d + 18 a a + 5 a + 2 parameters: 393,858 for d = 768 and
a = 128.
"""

import math
from typing import ClassVar

import torch
from torch import nn

from src.detectors.contract import Output
from src.detectors.heads import HeadShape
from src.detectors.heads.pooling import logits_of

REACH = 9
"""Frames that a convolution sees."""


class Frame(nn.Module):
    """A decision for each frame from its surroundings, and a soft minimum over them for the clip."""

    takes_layers: ClassVar[bool] = False

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        self.standardise = Standardise(shape.dimension)
        self.hidden = nn.Sequential(nn.Linear(shape.dimension, shape.size), nn.ReLU(), nn.Dropout(shape.dropout))
        self.context = nn.ModuleList(
            nn.Conv1d(shape.size, shape.size, REACH, padding="same", dilation=dilation) for dilation in (1, 2)
        )
        self.dropout = nn.Dropout(shape.dropout)
        self.decide = nn.Linear(shape.size, 2)

    def forward(self, frames: torch.Tensor, valid: torch.Tensor | None = None) -> Output:
        """Return logits (b, 2), embedding (b, a) and frame logits (b, t, 2) of frames (b, t, d)."""
        hidden = self._look_around(self.hidden(self.standardise(frames, valid)), valid)
        frame_logits = self.decide(hidden)
        doubts = (frame_logits[..., 0] - frame_logits[..., 1]).float()  # of each frame: its log-odds of spoof
        counts: torch.Tensor | float = math.log(doubts.shape[1])
        if valid is not None:
            doubts = doubts.masked_fill(~valid, float("-inf"))
            counts = valid.sum(dim=1).log()
        log_odds = counts - doubts.logsumexp(dim=1)
        embedding = torch.einsum("bt,bta->ba", doubts.softmax(dim=1).to(hidden.dtype), hidden)
        return Output(logits_of(log_odds), embedding, frame_logits)

    def _look_around(self, hidden: torch.Tensor, valid: torch.Tensor | None) -> torch.Tensor:
        """Add to each frame (b, t, a) what its neighbours say; those that are not valid say nothing."""
        for convolution in self.context:
            seen = hidden if valid is None else torch.where(valid[..., None], hidden, 0.0)
            hidden = hidden + self.dropout(convolution(seen.transpose(1, 2)).relu().transpose(1, 2))
        return hidden


class Standardise(nn.Module):
    """Zero mean and unit variance of every dimension over the valid frames; in tests, those of the training."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(dimension, affine=False)

    def forward(self, frames: torch.Tensor, valid: torch.Tensor | None) -> torch.Tensor:
        """Return frames (b, t, d), those that are not valid as zeros."""
        count = frames[..., 0].numel() if valid is None else int(valid.sum())
        if self.training and count < 2:  # a single frame has no variance
            return frames
        if valid is None:
            normed: torch.Tensor = self.norm(frames.transpose(1, 2))
            return normed.transpose(1, 2)
        return torch.zeros_like(frames).masked_scatter(valid[..., None], self.norm(frames[valid]))
