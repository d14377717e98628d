"""The performer: the conformer's surroundings, linear attention inside."""

import pytest
import torch
from torch import nn

from src.detectors.performer import PerformerConfig, PerformerNetwork


def test_shapes_at_every_stage() -> None:
    """Of the default shape and a window of 4 s, as docs/models.md gives them."""
    network = PerformerNetwork(PerformerConfig()).eval()
    frames = network.frames(torch.randn(2, 64_000))
    assert frames.shape == (2, 98, 144)
    assert network.layers[1].attention.directions.shape == (128, 36)
    for layer in network.layers:
        assert layer(frames).shape == (2, 98, 144)
    assert network(torch.randn(2, 64_000)).embedding.shape == (2, 288)


def test_the_number_of_weights_follows_the_formula() -> None:
    d, layers = 144, 4
    layer = 2 * d + 4 * (d * d + d) + 2 * d + (4 * d * d + 4 * d) + (4 * d * d + d)
    subsampling = (9 * d + d) + (9 * d * d + d) + (19 * d * d + d)
    head = 2 * d + 2 * (2 * d) + 2
    network = PerformerNetwork(PerformerConfig())
    assert sum(parameter.numel() for parameter in network.parameters()) == subsampling + layers * layer + head


def test_every_layer_has_directions_of_its_own() -> None:
    first, second = (layer.attention.directions for layer in list(PerformerNetwork(PerformerConfig()).layers)[1:3])
    assert not torch.equal(first, second)


def test_the_order_of_frames_matters() -> None:
    network = PerformerNetwork(PerformerConfig(dimension=24, heads=2, layers=1)).eval()
    frames = torch.randn(1, 20, 24)
    encoder = nn.Sequential(*network.layers)
    backwards = encoder(frames.flip(1)).flip(1)
    assert not torch.allclose(encoder(frames), backwards, atol=1e-2)


def test_it_needs_a_feature() -> None:
    with pytest.raises(ValueError, match=r"features must lie in \[1, 65536\], not 0"):
        PerformerConfig(features=0)
