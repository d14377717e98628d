"""The quantisation module of wav2vec 2.0: local features of frames become choices of learnt units.

    features            (batch, frames, c)
      linear map        (batch, frames, groups x units)     logits
      choice            (batch, frames, groups, units)      a 1 among zeros in each group
    output Q(z)         (batch, frames, e)                  the vectors of the chosen units, side by side

It is a product quantiser: with G = 2 groups of V = 320 units of e / G = 128 numbers, a frame is one of V^G = 102,400
combinations, for the price of 640 vectors. While it learns, choices are drawn (Gumbel noise on the logits, divided by a
temperature); forwards the choice is hard, backwards its gradient is that of the soft one. The temperature falls from
step to step, from near uniform choices to sure ones. In evaluation the largest logit is chosen.

A. Baevski et al., "wav2vec 2.0", NeurIPS 2020, section 2; E. Jang et al., "Categorical reparameterization with
Gumbel-softmax", ICLR 2017.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import gumbel_softmax, one_hot


class Quantised(NamedTuple):
    """What frames became."""

    vectors: Tensor
    """Shape (batch, frames, e)."""
    units: Tensor
    """Shape (batch, frames, groups, units): the choices, a 1 among zeros."""
    probabilities: Tensor
    """Shape (batch, frames, groups, units): softmax of the logits, differentiable; the choices in evaluation."""


class ProductQuantiser(nn.Module):
    """Features (batch, frames, c) -> vectors (batch, frames, e) out of a learnt table.

    Parameters
    ----------
    feature_width : int
        c.
    groups, units : int
        G and V.
    width : int
        e, a multiple of G.
    """

    def __init__(self, feature_width: int, groups: int, units: int, width: int) -> None:
        super().__init__()
        self.groups, self.units = groups, units
        self.temperature = 1.0
        """Of the choices while it learns; whoever trains sets it."""
        self.logits = nn.Linear(feature_width, groups * units)
        nn.init.normal_(self.logits.weight, mean=0.0, std=1.0)
        nn.init.zeros_(self.logits.bias)
        self.table = nn.Parameter(torch.empty(groups, units, width // groups).uniform_())

    def forward(self, features: Tensor) -> Quantised:
        """Choose units for every frame."""
        batch, frames, _ = features.shape
        logits = self.logits(features).view(batch, frames, self.groups, self.units).float()
        if self.training:
            units = gumbel_softmax(logits, tau=self.temperature, hard=True)
            probabilities = logits.softmax(dim=-1)
        else:
            units = probabilities = one_hot(logits.argmax(dim=-1), self.units).to(logits.dtype)
        with torch.autocast(features.device.type, enabled=False):
            vectors = torch.einsum("btgv,gve->btge", units, self.table.float())
        return Quantised(vectors.flatten(2), units, probabilities)

    def codes(self, units: Tensor) -> Tensor:
        """Return one number for each combination of units (batch, frames, groups, units): (batch, frames), int64."""
        powers = self.units ** torch.arange(self.groups, device=units.device)
        return (units.argmax(dim=-1) * powers).sum(dim=-1)


def perplexities(probabilities: Tensor) -> Tensor:
    """Return how many units are chosen in effect in each group, shape (groups,): between 1 and V.

    Parameters
    ----------
    probabilities : torch.Tensor, shape (m, groups, units)
        Of the frames that count.

    >>> [round(float(each), 3) for each in perplexities(torch.full((5, 2, 8), 1 / 8))]
    [8.0, 8.0]
    """
    mean = probabilities.mean(dim=0)
    return torch.special.entr(mean).sum(dim=-1).exp()


def perplexity(probabilities: Tensor) -> Tensor:
    """Return how many units are chosen in effect, summed over the groups: between G and G x V (see `perplexities`)."""
    return perplexities(probabilities).sum()
