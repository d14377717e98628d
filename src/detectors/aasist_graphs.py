"""The layers of AASIST on graphs: attention within a graph, attention between two kinds of nodes, and pooling.

A graph is a table of nodes, (b, n, d), every node joined to every other. Attention weighs each pair by the elementwise
product of its two nodes, so a pair weighs the same either way round before the softmax. A high temperature keeps the
weights even. Names of layers are those of the published weights, which load under them.

J. Jung et al., "AASIST: Audio anti-spoofing using integrated spectro-temporal graph attention networks", ICASSP 2022.
"""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn.functional import selu

NODE_DROPOUT, GATE_DROPOUT = 0.2, 0.3
"""Parts of the numbers that are dropped in training: of nodes before attention, and of nodes before a gate."""


class Graphs(NamedTuple):
    """Both graphs of a branch and the master node that looks at all of their nodes."""

    temporal: torch.Tensor
    """Shape (b, n_temporal, d)."""
    spectral: torch.Tensor
    """Shape (b, n_spectral, d)."""
    master: torch.Tensor
    """Shape (b, 1, d)."""


def attention_vector(size: int) -> nn.Parameter:
    """Return the vector (size, 1) that turns what a pair has in common into its weight."""
    return nn.Parameter(nn.init.xavier_normal_(torch.empty(size, 1)))


def normalise_nodes(nodes: torch.Tensor, norm: nn.BatchNorm1d) -> torch.Tensor:
    """Batch-normalise each feature over the nodes (b, n, d) of all clips together."""
    normalised: torch.Tensor = norm(nodes.flatten(0, 1)).view_as(nodes)
    return normalised


class GraphAttention(nn.Module):
    """Attention within one graph: (b, n, d) -> (b, n, size)."""

    def __init__(self, d: int, size: int, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.att_proj = nn.Linear(d, size)
        self.att_weight = attention_vector(size)
        self.proj_with_att = nn.Linear(d, size)
        self.proj_without_att = nn.Linear(d, size)
        self.bn = nn.BatchNorm1d(size)
        self.dropout = nn.Dropout(NODE_DROPOUT)

    def forward(self, nodes: torch.Tensor) -> torch.Tensor:
        """Return every node, mixed with those that it attends to."""
        nodes = self.dropout(nodes)
        pairs = torch.tanh(self.att_proj(nodes[:, :, None] * nodes[:, None]))
        weights = ((pairs @ self.att_weight).squeeze(-1) / self.temperature).softmax(dim=-1)
        return selu(normalise_nodes(self.proj_with_att(weights @ nodes) + self.proj_without_att(nodes), self.bn))


class HeterogeneousAttention(nn.Module):
    """Attention between temporal and spectral nodes, and of the master to all of them: d -> size features.

    All nodes stand in one table, temporal ones first. Three vectors weigh the pairs: one for two temporal nodes, one
    for two spectral nodes, one for a mixed pair.
    """

    def __init__(self, d: int, size: int, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.proj_type1 = nn.Linear(d, d)
        self.proj_type2 = nn.Linear(d, d)
        self.att_proj = nn.Linear(d, size)
        self.att_projM = nn.Linear(d, size)
        self.att_weight11 = attention_vector(size)
        self.att_weight22 = attention_vector(size)
        self.att_weight12 = attention_vector(size)
        self.att_weightM = attention_vector(size)
        self.proj_with_att = nn.Linear(d, size)
        self.proj_without_att = nn.Linear(d, size)
        self.proj_with_attM = nn.Linear(d, size)
        self.proj_without_attM = nn.Linear(d, size)
        self.bn = nn.BatchNorm1d(size)
        self.dropout = nn.Dropout(NODE_DROPOUT)

    def forward(self, graphs: Graphs) -> Graphs:
        """Return both graphs and the master, each after attention to all nodes."""
        n_temporal = graphs.temporal.shape[1]
        nodes = torch.cat([self.proj_type1(graphs.temporal), self.proj_type2(graphs.spectral)], dim=1)
        nodes = self.dropout(nodes)
        master = self._master(nodes, graphs.master)
        mixed = self.proj_with_att(self._weights(nodes, n_temporal) @ nodes) + self.proj_without_att(nodes)
        mixed = selu(normalise_nodes(mixed, self.bn))
        return Graphs(mixed[:, :n_temporal], mixed[:, n_temporal:], master)

    def _weights(self, nodes: torch.Tensor, n_temporal: int) -> torch.Tensor:
        """Return how much each node (row) attends to each other, shape (b, n, n); rows add up to 1."""
        pairs = torch.tanh(self.att_proj(nodes[:, :, None] * nodes[:, None]))
        of_kinds = pairs @ torch.cat([self.att_weight11, self.att_weight12, self.att_weight22], dim=1)
        is_spectral = (torch.arange(nodes.shape[1], device=nodes.device) >= n_temporal).long()
        kinds = is_spectral[:, None] + is_spectral  # 0: both temporal, 1: mixed, 2: both spectral
        of_pairs = of_kinds.gather(-1, kinds.expand(nodes.shape[0], -1, -1)[..., None]).squeeze(-1)
        return (of_pairs / self.temperature).softmax(dim=-1)

    def _master(self, nodes: torch.Tensor, master: torch.Tensor) -> torch.Tensor:
        """Return the master after attention to all nodes, shape (b, 1, size)."""
        weights = torch.tanh(self.att_projM(nodes * master)) @ self.att_weightM / self.temperature
        seen = weights.softmax(dim=1).transpose(1, 2) @ nodes
        mixed: torch.Tensor = self.proj_with_attM(seen) + self.proj_without_attM(master)
        return mixed


class GraphPool(nn.Module):
    """Keeps the nodes with the widest open gates, each times its gate: (b, n, d) -> (b, k, d)."""

    def __init__(self, d: int, ratio: float) -> None:
        super().__init__()
        self.ratio = ratio
        self.proj = nn.Linear(d, 1)
        self.dropout = nn.Dropout(GATE_DROPOUT)

    def forward(self, nodes: torch.Tensor) -> torch.Tensor:
        """Return the k = max(n ratio, 1) nodes kept, in the order of falling gates: later layers count on it."""
        gates, kept = self.keep(nodes)
        return nodes.gather(1, kept.expand(-1, -1, nodes.shape[-1])) * gates

    def keep(self, nodes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the gates of the nodes kept and their places, both (b, k, 1)."""
        gates = torch.sigmoid(self.proj(self.dropout(nodes)))
        k = max(int(nodes.shape[1] * self.ratio), 1)
        best = gates.topk(k, dim=1)
        return best.values, best.indices
