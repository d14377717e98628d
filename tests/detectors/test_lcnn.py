"""LCNN: shapes at every stage, the max-feature-map against a loop, what level and channel leave unchanged."""

import pytest
import torch

from src.detectors import detector_class
from src.detectors.field_of_view import as_images
from src.detectors.lcnn import Lcnn, LcnnConfig, LcnnNetwork, MaxFeatureMap, Scaling
from tests.detectors.networks import assert_batches_change_nothing, loss_after, noise, parameters_without_gradient

SMALL = LcnnConfig(channels=4, embedding_size=6, dropout=0.0)
N_SHORT = 8000


def test_shapes_at_the_default_size() -> None:
    network = LcnnNetwork(LcnnConfig()).eval()
    assert sum(p.numel() for p in network.parameters()) == 230_370
    shapes = []
    for module in network.convolutions:
        module.register_forward_hook(lambda module, _, output: shapes.append((type(module).__name__, output.shape[1:])))
    with torch.no_grad():
        output = network(noise(2, 64_600))
    pooled = [tuple(shape) for kind, shape in shapes if kind == "MaxPool2d"]
    assert pooled == [(32, 60, 201), (48, 30, 100), (64, 15, 50), (32, 7, 25)]
    assert (output.logits.shape, output.embedding.shape) == ((2, 2), (2, 80))
    assert network.dense[0].in_features == 2 * 32 * 7


def test_the_max_feature_map_by_a_loop() -> None:
    maps = torch.randn(2, 6, 3, 4, generator=torch.Generator().manual_seed(7))
    chosen = MaxFeatureMap()(maps)
    assert chosen.shape == (2, 3, 3, 4)
    for k in range(3):
        halves = maps[:, k].flatten().tolist(), maps[:, k + 3].flatten().tolist()
        larger = [max(pair) for pair in zip(*halves, strict=True)]
        assert chosen[:, k].flatten().tolist() == pytest.approx(larger)


@pytest.mark.parametrize("front_end", ["lfcc", "logmel", "cqcc"])
def test_every_front_end_and_gradients_everywhere(front_end: str) -> None:
    network = LcnnNetwork(LcnnConfig(front_end=front_end, channels=4, embedding_size=6))
    left_out = parameters_without_gradient(network, 12_000)
    assert left_out == set()
    assert not any(name.startswith("front_end") for name in network.state_dict())  # fixed: not in the weights


def test_a_batch_gives_what_single_windows_give() -> None:
    assert_batches_change_nothing(LcnnNetwork(SMALL), N_SHORT)


def test_features_have_mean_0_and_deviation_1_over_time() -> None:
    features = 3 + 5 * torch.randn(2, 4, 50, generator=torch.Generator().manual_seed(7))
    features[1, 2] = 8.0  # digital silence
    normalised = Scaling(features.shape[1], "window")(features)
    torch.testing.assert_close(normalised.mean(dim=2), torch.zeros(2, 4), atol=1e-5, rtol=0)
    expected = torch.ones(2, 4)
    expected[1, 2] = 0.0
    torch.testing.assert_close(normalised.std(dim=2, correction=0), expected)


def test_level_does_not_matter() -> None:
    network = LcnnNetwork(SMALL).eval()
    windows = noise(2, N_SHORT)
    with torch.no_grad():
        torch.testing.assert_close(network(windows / 10).logits, network(windows).logits, atol=1e-3, rtol=1e-3)


def test_masking_hides_features_in_training_alone() -> None:
    network = LcnnNetwork(LcnnConfig(channels=4, embedding_size=6, dropout=0.0, mask_bands=60, mask_frames=20))
    windows = noise(4, N_SHORT)
    with torch.no_grad():
        assert not torch.equal(network.train()(windows).logits, network(windows).logits)
        assert torch.equal(network.eval()(windows).logits, network(windows).logits)


def test_images_are_channels_last_and_hold_the_same_numbers() -> None:
    bands = noise(2, 15).view(2, 3, 5)
    assert torch.equal(as_images(bands), bands[:, None])
    network = LcnnNetwork(SMALL)
    first = network.convolutions[0](as_images(noise(2, 120 * 20).view(2, 120, 20)))
    assert first.is_contiguous(memory_format=torch.channels_last)


def test_learns_eight_windows_by_heart() -> None:
    torch.manual_seed(7)
    assert loss_after(LcnnNetwork(SMALL), N_SHORT, steps=80, learning_rate=5e-3) < 0.05


@pytest.mark.parametrize("front_end", ["lfcc", "logmel", "cqcc"])
def test_any_length_from_the_field_of_view_on(front_end: str) -> None:
    network = LcnnNetwork(LcnnConfig(front_end=front_end, channels=4)).eval()
    least = network.min_samples
    with torch.no_grad():
        assert network.front_end(noise(1, least)).shape[2] == 16
        assert network(noise(1, least)).logits.isfinite().all()
        with pytest.raises(ValueError, match=f"{least - 1:,} samples is too short: the network needs {least:,}"):
            network(noise(1, least - 1))
    assert Lcnn.min_samples == LcnnNetwork(LcnnConfig()).min_samples == 2720


def test_is_a_row_of_the_table() -> None:
    assert detector_class("lcnn") is Lcnn
    assert Lcnn(SMALL).build().decide.in_features == 6


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"front_end": "mfccs"}, "`front_end` must be lfcc, logmel or cqcc, not 'mfccs'"),
        ({"channels": 1}, r"channels must lie in \[2, 1024\], not 1"),
        ({"dropout": 0.99}, r"dropout must lie in \[0, 0.95\], not 0.99"),
        ({"mask_bands": -1}, r"mask_bands must lie in \[0, 1000\], not -1"),
        ({"patience": 0}, "patience must lie in"),
    ],
)
def test_a_bad_config_is_told(values: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LcnnConfig.from_mapping(values)
