"""The conformer equals transformers' conformer layer, but for the normalisation that it puts in."""

import pytest
import torch
from torch import nn
from transformers import Wav2Vec2ConformerConfig
from transformers.models.wav2vec2_conformer.modeling_wav2vec2_conformer import (
    Wav2Vec2ConformerEncoderLayer,
    Wav2Vec2ConformerRelPositionalEmbedding,
)

from src.detectors.conformer import ConformerConfig, ConformerLayer, ConformerNetwork, by_frame
from src.detectors.log_mel_encoder import MIN_SAMPLES, LogMelFrames
from src.detectors.positions import SinusoidalPositions, sinusoids

CONFIG = ConformerConfig(dimension=24, heads=2, layers=2, kernel=7, dropout=0.0)

NAMES = {
    "first.norm": "ffn1_layer_norm",
    "first.up": "ffn1.intermediate_dense",
    "first.down": "ffn1.output_dense",
    "attention_norm": "self_attn_layer_norm",
    "attention.distances": "self_attn.linear_pos",
    "attention.out": "self_attn.linear_out",
    "convolution.norm": "conv_module.layer_norm",
    "second.norm": "ffn2_layer_norm",
    "second.up": "ffn2.intermediate_dense",
    "second.down": "ffn2.output_dense",
    "norm": "final_layer_norm",
}


class LayerNormOfChannels(nn.LayerNorm):
    """Stands where transformers has batch normalisation, (b, d, t)."""

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return super().forward(frames.transpose(1, 2)).transpose(1, 2)


def reference_of(ours: ConformerLayer) -> tuple[nn.Module, nn.Module]:
    """Return transformers' layer with our weights, and what gives it its relative positions."""
    config = Wav2Vec2ConformerConfig(
        hidden_size=24,
        num_attention_heads=2,
        intermediate_size=96,
        hidden_act="swish",
        conv_depthwise_kernel_size=7,
        position_embeddings_type="relative",
        attn_implementation="eager",
    )
    theirs = Wav2Vec2ConformerEncoderLayer(config).eval()
    theirs.conv_module.batch_norm = LayerNormOfChannels(24)
    ours.convolution.depthwise.bias.data.zero_()  # the three that theirs has not
    ours.convolution.gated.bias.data.zero_()
    ours.convolution.out.bias.data.zero_()
    state = dict(theirs.state_dict())
    for name, other in NAMES.items():
        for key, value in ours.get_submodule(name).state_dict().items():
            state[f"{other}.{key}"] = value
    for part, name in enumerate(("linear_q", "linear_k", "linear_v")):
        state[f"self_attn.{name}.weight"] = ours.attention.into.weight.chunk(3)[part]
        state[f"self_attn.{name}.bias"] = ours.attention.into.bias.chunk(3)[part]
    state["self_attn.pos_bias_u"] = ours.attention.content_bias[:, 0]
    state["self_attn.pos_bias_v"] = ours.attention.distance_bias[:, 0]
    state["conv_module.pointwise_conv1.weight"] = ours.convolution.gated.weight[:, :, None]
    state["conv_module.depthwise_conv.weight"] = ours.convolution.depthwise.weight
    state["conv_module.pointwise_conv2.weight"] = ours.convolution.out.weight[:, :, None]
    state["conv_module.batch_norm.weight"] = ours.convolution.depthwise_norm.weight
    state["conv_module.batch_norm.bias"] = ours.convolution.depthwise_norm.bias
    theirs.load_state_dict(state)
    return theirs, Wav2Vec2ConformerRelPositionalEmbedding(config)


@pytest.mark.parametrize("t", [1, 2, 13, 98])
def test_a_layer_equals_that_of_transformers(t: int) -> None:
    ours = ConformerLayer(CONFIG).eval()
    for parameter in ours.parameters():
        nn.init.normal_(parameter, std=0.3)
    theirs, positions = reference_of(ours)
    frames = torch.randn(2, t, 24)
    with torch.inference_mode():
        expected = theirs(frames, relative_position_embeddings=positions(frames))
    expected = expected[0] if isinstance(expected, tuple) else expected
    torch.testing.assert_close(ours(frames), expected, atol=2e-5, rtol=1e-4)


def test_columns_of_distances_become_columns_of_frames() -> None:
    t = 5
    by_distance = torch.arange(t - 1, -t, -1).expand(2, 3, t, 2 * t - 1)
    i, j = torch.meshgrid(torch.arange(t), torch.arange(t), indexing="ij")
    assert torch.equal(by_frame(by_distance), (i - j).expand(2, 3, t, t))


def test_shapes_at_every_stage() -> None:
    """Of the default shape and a window of 4 s, as docs/models.md gives them."""
    network = ConformerNetwork(ConformerConfig()).eval()
    waveforms = torch.randn(2, 64_000)
    front = network.frames
    assert front.front_end(waveforms).shape == (2, 80, 398)
    assert front.subsampling.convolutions(torch.randn(2, 1, 80, 398)).shape == (2, 144, 19, 98)
    frames = front(waveforms)
    assert frames.shape == (2, 98, 144)
    assert network.layers[0](frames).shape == (2, 98, 144)
    assert network(waveforms).embedding.shape == (2, 288)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("d", "layers", "heads", "kernel"), [(144, 4, 4, 31), (256, 16, 4, 31)])
def test_the_number_of_weights_follows_the_formula(d: int, layers: int, heads: int, kernel: int) -> None:
    feed_forward = 2 * d + (d * 4 * d + 4 * d) + (4 * d * d + d)
    attention = 2 * d + 3 * (d * d + d) + d * d + 2 * d + (d * d + d)  # norm, q k v, distances, u and v, out
    convolution = 2 * d + (2 * d * d + 2 * d) + (kernel * d + d) + 2 * d + (d * d + d)
    layer = 2 * feed_forward + attention + convolution + 2 * d
    subsampling = (9 * d + d) + (9 * d * d + d) + (19 * d * d + d)
    head = 2 * d + 2 * (2 * d) + 2
    config = ConformerConfig(dimension=d, layers=layers, heads=heads, kernel=kernel)
    assert count(ConformerNetwork(config)) == subsampling + layers * layer + head


def test_the_paper_s_small_model_has_about_ten_million_weights() -> None:
    """Conformer (S), 16 layers of 144: 10.3 million with a decoder of 320, which is about 1.2 million of them."""
    assert count(ConformerNetwork(ConformerConfig(layers=16))) == pytest.approx(9.1e6, rel=0.1)


def test_the_level_of_a_window_says_nothing() -> None:
    front = LogMelFrames(CONFIG).eval()
    waveforms = torch.randn(2, 8_000)
    torch.testing.assert_close(front(waveforms), front(0.05 * waveforms), atol=1e-3, rtol=1e-3)


def test_the_shortest_window_gives_one_frame() -> None:
    front = LogMelFrames(CONFIG).eval()
    assert front(torch.randn(1, MIN_SAMPLES)).shape == (1, 1, 24)


def test_even_kernels_are_refused() -> None:
    with pytest.raises(ValueError, match="kernel must be odd, not 32"):
        ConformerConfig(kernel=32)


def test_sinusoids_of_equal_distances_have_equal_products() -> None:
    waves = sinusoids(torch.arange(40.0), 16)
    products = waves @ waves.T
    torch.testing.assert_close(products[:-7, :-7], products[7:, 7:], atol=1e-4, rtol=0)
    frames = torch.zeros(1, 40, 16)
    torch.testing.assert_close(SinusoidalPositions()(frames)[0], waves)
