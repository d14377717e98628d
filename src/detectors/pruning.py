"""Smaller transformers: the weakest attention heads and feed-forward units are cut out, and the matrices get smaller.

A head is the rows of queries, keys and values that make it and the columns of the output that read it; a unit of the
feed-forward part is a row of the first matrix and a column of the second. How strong one is: the norm of all these
weights together. Every layer loses the same share of both, rounded, and keeps at least one head and one unit: norms of
different layers do not compare, for what follows a layer may scale it. Nothing else changes: frames (b, t, d) are as
wide as before, and so is a head.

    queries, keys, values   (d, d) -> (heads x size, d)         output   (d, d) -> (d, heads x size)
    feed-forward            (u, d) -> (units, d)                         (d, u) -> (d, units)

What a head did is lost at once, so a short training follows, in which the others take it over.

P. Michel et al., "Are sixteen heads really better than one?", 2019; the norms: H. Li et al., "Pruning filters for
efficient ConvNets", 2017; both for speech: T. Peng et al., "Structured pruning of self-supervised pre-trained models
for speech recognition and understanding", 2023.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn

PRUNABLE = ("wav2vec2", "hubert", "unispeech-sat", "data2vec-audio", "whisper")
"""Backbones whose attention is computed head by head from four matrices. In WavLM's, and in that of the conformers,
heads also share what says how far apart frames are."""


class Block(NamedTuple):
    """What is pruned of a transformer layer: its attention, and the matrices of its feed-forward part."""

    attention: Any
    """With q_proj, k_proj, v_proj and out_proj, num_heads and head_dim, as transformers has it."""
    up: nn.Linear
    down: nn.Linear


@dataclass(frozen=True)
class Kept:
    """How much of a layer is left."""

    heads: int
    units: int


def kept_of(block: Block, share: float) -> Kept:
    """Return what is left of a layer when a share of its heads and units is cut out."""
    n_heads, n_units = block.attention.num_heads, block.up.out_features
    return Kept(max(1, n_heads - round(share * n_heads)), max(1, n_units - round(share * n_units)))


def check_pruning(blocks: Sequence[Block], share: float) -> None:
    """Raise ValueError when a share is so small that no layer loses a head or a unit by it."""
    block = blocks[0]
    if kept_of(block, share) == kept_of(block, 0.0):
        raise ValueError(
            f"`prune={share:g}` takes nothing away: a layer has {block.attention.num_heads} attention heads and "
            f"{block.up.out_features} feed-forward units; choose a larger share."
        )


def prune(blocks: Sequence[Block], share: float) -> list[Kept]:
    """Cut the weakest heads and units out of every layer; return what is left of each."""
    left = [kept_of(block, share) for block in blocks]
    for block, kept in zip(blocks, left, strict=True):
        _cut(block, _strongest(head_strengths(block), kept.heads), _strongest(unit_strengths(block), kept.units))
    return left


def reshape(blocks: Sequence[Block], left: Sequence[Kept]) -> None:
    """Bring layers to the shape of pruned ones, whose weights are yet to be read."""
    for block, kept in zip(blocks, left, strict=True):
        _cut(block, torch.arange(kept.heads), torch.arange(kept.units))


def head_strengths(block: Block) -> torch.Tensor:
    """Return the norm of every attention head, shape (h,)."""
    attention = block.attention
    rows = [getattr(attention, name).weight for name in ("q_proj", "k_proj", "v_proj")]
    return _norms(torch.cat([*rows, attention.out_proj.weight.T], dim=1), attention.head_dim)


def unit_strengths(block: Block) -> torch.Tensor:
    """Return the norm of every feed-forward unit, shape (u,)."""
    return _norms(torch.cat([block.up.weight, block.down.weight.T], dim=1), 1)


def _norms(rows: torch.Tensor, size: int) -> torch.Tensor:
    """Return the norm of every group of `size` rows."""
    return rows.detach().reshape(len(rows) // size, -1).norm(dim=1)


def _strongest(strengths: torch.Tensor, count: int) -> torch.Tensor:
    """Return the numbers of the strongest, in ascending order; of equals, the first."""
    return strengths.sort(descending=True, stable=True).indices[:count].sort().values


def _cut(block: Block, heads: torch.Tensor, units: torch.Tensor) -> None:
    attention = block.attention
    size = attention.head_dim
    inside = (heads[:, None] * size + torch.arange(size, device=heads.device)).flatten()
    for name in ("q_proj", "k_proj", "v_proj"):
        _keep_rows(getattr(attention, name), inside)
    _keep_columns(attention.out_proj, inside)
    attention.num_heads = len(heads)
    _keep_rows(block.up, units)
    _keep_columns(block.down, units)


def _keep_rows(layer: nn.Linear, rows: torch.Tensor) -> None:
    rows = rows.to(layer.weight.device)
    layer.weight = _taken(layer.weight, rows, 0)
    if layer.bias is not None:
        layer.bias = _taken(layer.bias, rows, 0)
    layer.out_features = len(rows)


def _keep_columns(layer: nn.Linear, columns: torch.Tensor) -> None:
    layer.weight = _taken(layer.weight, columns.to(layer.weight.device), 1)
    layer.in_features = len(columns)


def _taken(parameter: torch.Tensor, numbers: torch.Tensor, dim: int) -> nn.Parameter:
    return nn.Parameter(parameter.detach().index_select(dim, numbers), requires_grad=parameter.requires_grad)
