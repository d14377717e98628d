"""Multi-head factorised attentive pooling over layers and frames (MHFA; Peng et al. 2022, arXiv 2210.01273).

Two mixes of all layers, each with weights of its own, give keys and values: one says where to look, the other what is
taken from there. Both are compressed, K = mix_k(Z) S_k and V = mix_v(Z) S_v, shape (b, t, c). Each of h heads weighs
the frames by a learnt query, A = softmax over time of K Q (Q: c x h), and takes the weighted mean of the values:
(b, h, c). The h means side by side (b, h c) go through a dense layer: the embedding (b, c).

As in the paper, but for the end: the embedding is as wide as the compression here, and a dense layer makes the two
logits, where the paper's task (speakers) has a classifier of its own. With d = 768, c = 128, h = 32 and 13 hidden
states: 725,404 parameters.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import nn

from src.detectors.contract import Output
from src.detectors.heads import HeadShape
from src.detectors.heads.pooling import LayerMix


class Attentive(nn.Module):
    """Keys and values from learnt mixes of the layers, attention over time by learnt queries."""

    takes_layers: ClassVar[bool] = True

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        self.mix_keys, self.mix_values = LayerMix(shape.n_layers), LayerMix(shape.n_layers)
        self.keys = nn.Linear(shape.dimension, shape.size, bias=False)
        self.values = nn.Linear(shape.dimension, shape.size, bias=False)
        self.queries = nn.Linear(shape.size, shape.attention_heads, bias=False)
        self.embed = nn.Linear(shape.attention_heads * shape.size, shape.size)
        self.dropout = nn.Dropout(shape.dropout)
        self.decide = nn.Linear(shape.size, 2)

    def forward(self, hidden: Sequence[torch.Tensor], valid: torch.Tensor | None = None) -> Output:
        """Return logits (b, 2) and embedding (b, c) of the hidden states of all layers (b, t, d)."""
        values = self.values(self.mix_values(hidden))
        pooled = torch.einsum("bth,btc->bhc", self.attention(hidden, valid), values)
        embedding = self.embed(pooled.flatten(1))
        return Output(self.decide(self.dropout(embedding)), embedding)

    def attention(self, hidden: Sequence[torch.Tensor], valid: torch.Tensor | None = None) -> torch.Tensor:
        """Return the weight of every frame for every head, shape (b, t, h); those of a head sum to one over time."""
        heights = self.queries(self.keys(self.mix_keys(hidden)))
        if valid is not None:
            heights = heights.masked_fill(~valid[..., None], float("-inf"))
        return heights.softmax(dim=1)
