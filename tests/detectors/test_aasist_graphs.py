"""The graph layers of AASIST against loops over pairs of nodes, and pooling against sorting by hand."""

import torch
from torch.nn.functional import selu

from src.detectors.aasist_graphs import GraphAttention, GraphPool, Graphs, HeterogeneousAttention


def nodes_of(n: int, d: int, seed: int = 7) -> torch.Tensor:
    return torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed))


def test_attention_is_a_sum_over_pairs() -> None:
    layer = GraphAttention(4, 3, temperature=2.0).eval()
    nodes = nodes_of(5, 4)
    with torch.no_grad():
        expected = torch.zeros(2, 5, 3)
        for b in range(2):
            for i in range(5):
                x = nodes[b]
                logits = [(torch.tanh(layer.att_proj(x[i] * x[j])) @ layer.att_weight).item() / 2.0 for j in range(5)]
                weights = torch.tensor(logits).softmax(0)
                mixed = sum(weights[j] * x[j] for j in range(5))
                expected[b, i] = layer.proj_with_att(mixed) + layer.proj_without_att(x[i])
        expected = selu(expected / (1 + layer.bn.eps) ** 0.5)
        torch.testing.assert_close(layer(nodes), expected)


def test_a_pair_is_weighed_by_the_vector_of_its_kind() -> None:
    layer = HeterogeneousAttention(4, 3, temperature=1.5).eval()
    graphs = Graphs(nodes_of(3, 4), nodes_of(2, 4, seed=8), nodes_of(1, 4, seed=9))
    with torch.no_grad():
        x = torch.cat([layer.proj_type1(graphs.temporal), layer.proj_type2(graphs.spectral)], dim=1)
        expected = torch.zeros(2, 5, 5)
        for i in range(5):
            for j in range(5):
                kinds = {i < 3, j < 3}
                vector = layer.att_weight12 if len(kinds) == 2 else layer.att_weight11 if i < 3 else layer.att_weight22
                expected[:, i, j] = (torch.tanh(layer.att_proj(x[:, i] * x[:, j])) @ vector)[:, 0] / 1.5
        weights = expected.softmax(dim=2)
        torch.testing.assert_close(layer._weights(x, 3), weights)
        mixed = selu((layer.proj_with_att(weights @ x) + layer.proj_without_att(x)) / (1 + layer.bn.eps) ** 0.5)
        output = layer(graphs)
        torch.testing.assert_close(torch.cat([output.temporal, output.spectral], dim=1), mixed)
        master = graphs.master[:, 0]
        seen = torch.stack([torch.tanh(layer.att_projM(x[:, j] * master)) @ layer.att_weightM / 1.5 for j in range(5)])
        seen = (seen.softmax(0) * x.transpose(0, 1)).sum(0)
        expected_master = layer.proj_with_attM(seen) + layer.proj_without_attM(master)
        torch.testing.assert_close(output.master[:, 0], expected_master)


def test_order_of_nodes_within_a_graph_does_not_matter_to_attention() -> None:
    layer = GraphAttention(4, 3, temperature=2.0).eval()
    nodes, order = nodes_of(5, 4), torch.tensor([3, 0, 4, 1, 2])
    with torch.no_grad():
        torch.testing.assert_close(layer(nodes[:, order]), layer(nodes)[:, order])


def test_pooling_keeps_the_widest_gates_in_falling_order() -> None:
    pool = GraphPool(1, ratio=0.7).eval()
    with torch.no_grad():
        pool.proj.weight.fill_(1.0)
        pool.proj.bias.fill_(0.0)
        kept = pool(torch.tensor([[[1.0], [3.0], [-2.0], [2.0]]]))  # 4 * 0.7 = 2.8: two nodes
    values = torch.tensor([[[3.0], [2.0]]])
    torch.testing.assert_close(kept, values * torch.sigmoid(values))
    assert GraphPool(1, ratio=0.01)(nodes_of(4, 1)).shape == (2, 1, 1)


def test_dropout_closes_gates_but_spares_what_is_kept() -> None:
    pool = GraphPool(6, ratio=1.0).train()
    nodes = torch.ones(1, 50, 6)
    gates, _ = pool.keep(nodes)
    assert gates.unique().numel() > 1
    torch.testing.assert_close(pool(nodes).std(dim=2), torch.zeros(1, 50))  # all six features times one gate
