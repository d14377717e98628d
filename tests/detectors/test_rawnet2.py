"""RawNet2: shapes at every stage, feature-map scaling by two routes, windows learnt, bad values told."""

import pytest
import torch

from src.detectors import detector_class
from src.detectors.rawnet2 import FeatureMapScaling, RawNet2, RawNet2Config, RawNet2Network, ResidualBlock
from tests.detectors.networks import assert_batches_change_nothing, loss_after, noise, parameters_without_gradient

SMALL = RawNet2Config(
    filters=8, taps=129, narrow_channels=6, wide_channels=8, gru_size=10, gru_layers=2, embedding_size=12
)
N_SHORT = 4 * 2187 + 128
PAPER = RawNet2Config(filters=128, taps=129, narrow_channels=128, wide_channels=512)
"""The table of Tak et al., for whose 64,000 samples it gives the numbers of frames."""


def shapes_of(network: RawNet2Network, n_samples: int) -> dict[str, tuple[int, ...]]:
    shapes = {}
    for name, module in network.named_modules():
        module.register_forward_hook(
            lambda _, __, output, name=name: (
                shapes.update({name: tuple(output.shape)}) if isinstance(output, torch.Tensor) else None
            )
        )
    with torch.no_grad():
        output = network.eval()(noise(1, n_samples))
    return shapes | {"logits": tuple(output.logits.shape), "embedding": tuple(output.embedding.shape)}


def test_shapes_at_the_default_size() -> None:
    network = RawNet2Network(RawNet2Config())
    shapes = shapes_of(network, 64_600)
    assert shapes["sinc"] == (1, 20, 63_576)
    assert shapes["first_norm"] == (1, 20, 21_192)
    assert [shapes[f"blocks.{i}"] for i in range(2)] == [(1, 20, 7064), (1, 20, 2354)]
    assert [shapes[f"blocks.{i}"] for i in range(2, 6)] == [(1, 128, t) for t in (784, 261, 87, 29)]
    assert (shapes["dense"], shapes["embedding"], shapes["logits"]) == ((1, 1024), (1, 1024), (1, 2))
    assert sum(p.numel() for p in network.parameters()) == 17_621_410


def test_frames_of_the_papers_table() -> None:
    with torch.device("meta"):
        network = RawNet2Network(PAPER)
    network.sinc.taps = network.sinc.taps.to("meta")
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 2) == 25.43  # as published
    shapes = {}
    for name in ("first_norm", "blocks.1", "blocks.5", "dense"):
        module = network.get_submodule(name)
        module.register_forward_hook(lambda _, __, output, name=name: shapes.update({name: tuple(output.shape[1:])}))
    network.eval()(torch.zeros(1, 64_000, device="meta"))
    assert shapes == {"first_norm": (128, 21_290), "blocks.1": (128, 2365), "blocks.5": (512, 29), "dense": (1024,)}


def test_feature_map_scaling_by_another_route() -> None:
    layer = FeatureMapScaling(3)
    maps = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        scaled = layer(maps)
        for b in range(2):
            for c in range(3):
                means = torch.stack([maps[b, k].mean() for k in range(3)])
                scale = torch.sigmoid(layer.dense.weight[c] @ means + layer.dense.bias[c])
                torch.testing.assert_close(scaled[b, c], maps[b, c] * scale + scale)


def test_a_block_is_its_shortcut_when_its_convolutions_are_silent() -> None:
    block = ResidualBlock(2, 2)
    with torch.no_grad():
        block.conv2.weight.zero_()
        block.conv2.bias.zero_()
        block.scaling.dense.weight.zero_()
        block.scaling.dense.bias.fill_(100.0)  # scales of 1: x + 1
        maps = torch.tensor([[[1.0, 5.0, 2.0, -1.0, -3.0, -2.0, 9.0], [0.0] * 7]])
        assert block(maps)[0, 0].tolist() == [6.0, 0.0]
        assert maps[0, 0, 1] == 5.0  # the input is left as it was


def test_a_batch_gives_what_single_windows_give() -> None:
    assert_batches_change_nothing(RawNet2Network(SMALL), N_SHORT)


def test_every_parameter_learns() -> None:
    left_out = parameters_without_gradient(RawNet2Network(SMALL), N_SHORT)
    # A bias before batch normalisation cannot matter; its gradient is rounding noise, zero or not.
    assert {name for name in left_out if ".conv1.bias" not in name} == set()


def test_learns_eight_windows_by_heart() -> None:
    torch.manual_seed(7)
    assert loss_after(RawNet2Network(SMALL), N_SHORT, steps=80, learning_rate=3e-3) < 0.05


def test_any_length_from_the_field_of_view_on() -> None:
    network = RawNet2Network(SMALL).eval()
    with torch.no_grad():
        assert network(noise(1, 2315)).logits.isfinite().all()
        with pytest.raises(ValueError, match="2,314 samples is too short: the network needs 2,315"):
            network(noise(1, 2314))
    assert RawNet2.min_samples == 1024 + 2187


def test_is_a_row_of_the_table() -> None:
    assert detector_class("rawnet2") is RawNet2
    assert RawNet2(SMALL).build().gru.num_layers == 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"taps": 1024}, "taps must be an odd number, not 1024"),
        ({"filters": 0}, r"filters must lie in \[1, 1024\], not 0"),
        ({"gru_layers": 0}, r"gru_layers must lie in \[1, 10\], not 0"),
        ({"wide_channels": 0}, "wide_channels must lie in"),
        ({"dropout": -0.1}, r"dropout must lie in \[0, 0.95\], not -0.1"),
        ({"batch_size": 0}, "batch_size must lie in"),
        ({"channels": 3}, "Unknown hyperparameter 'channels'"),
    ],
)
def test_a_bad_config_is_told(values: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RawNet2Config.from_mapping(values)
