"""Clips of any lengths in one batch give what each of them gives alone, computed by transformers without our code."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from src.backbones import load_backbone
from src.backbones.contract import Backbone
from tests.backbones.conftest import FAMILIES

HALF_A_MINUTE = 480_000
ANY_LENGTH = st.one_of(st.integers(400, 1_500), st.integers(400, 64_000), st.integers(400, 128_000))
EXACT = 1e-5
WRONG = 0.01
Published = tuple[str, Path]


def sound(n: int) -> np.ndarray:
    """Return noise of its own for each length; it swells, around an offset, which normalisation has to take away."""
    swell = np.linspace(0.02, 0.2, n)
    return (0.05 + swell * np.random.default_rng(n).standard_normal(n)).astype(np.float32)


@cache
def transformers_model(family: str, folder: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    import transformers

    model = getattr(transformers, FAMILIES[family][1]).from_pretrained(folder, dtype=dtype).eval()
    return model, transformers.Wav2Vec2FeatureExtractor.from_pretrained(folder)


def frames_by_hand(
    published: Published,
    waveform: np.ndarray,
    *,
    padding: int = 0,
    mask: bool = False,
    dtype: torch.dtype = torch.float32,
) -> np.ndarray:
    """Return what enters the first transformer layer, what leaves the others, and the last hidden state, float64."""
    model, extractor = transformers_model(*published, dtype)
    inputs = extractor(waveform, sampling_rate=16_000, return_tensors="pt").input_values.to(dtype)
    inputs = torch.nn.functional.pad(inputs, (0, padding))
    attention = (torch.arange(inputs.shape[1]) < len(waveform))[None] if mask else None
    seen: list[torch.Tensor] = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0])) for layer in model.encoder.layers
    ]
    with torch.no_grad():
        last = model(inputs, attention_mask=attention).last_hidden_state
    for hook in hooks:
        hook.remove()
    return torch.stack([*seen, last])[:, 0].numpy().astype(np.float64)


def mean_and_deviation(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = frames.sum(axis=1) / frames.shape[1]
    return mean, np.sqrt(((frames - mean[:, None]) ** 2).sum(axis=1) / frames.shape[1])


def errors_of(pooled: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Return the largest error of each layer's means and deviations (layers, 2, d), as a part of their own size."""
    of_layers = []
    for found, of_layer, mean, deviation in zip(pooled, frames, *mean_and_deviation(frames), strict=True):
        # frames that hardly differ leave little of the digits of float32 to their deviation
        scale = max(np.abs(deviation).max(), 0.1 * np.abs(of_layer).max())
        of_layers.append(max(relative(found[0], mean), float(np.abs(found[1] - deviation).max() / scale)))
    return np.array(of_layers)


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.fixture(scope="module")
def backbone(published: Published) -> Backbone:
    return load_backbone(published[0], str(published[1]), device="cpu", precision="fp32")


@settings(max_examples=5, deadline=None)
@given(lengths=st.lists(ANY_LENGTH, min_size=2, max_size=4))
@example([400, HALF_A_MINUTE, 16_000])
@example([16_000, 16_010, 16_300])  # as many frames, yet not as long
@example([720, 400, 719])
def test_a_batch_gives_what_every_clip_gives_alone(
    published: Published, backbone: Backbone, lengths: list[int]
) -> None:
    """Fault 7: fast, and exact: an embedding does not depend on the other clips of its batch.

    Of a clip of a few frames, deep models magnify what the sums of float32 lose: transformers' own numbers are up to
    1.6e-5 from those in float64. So ours may be near to either.
    """
    pooled, counts = backbone.statistics([sound(n) for n in lengths])
    assert pooled.dtype == np.float32
    for n, found, n_frames in zip(lengths, pooled, counts, strict=True):
        frames = frames_by_hand(published, sound(n))
        assert frames.shape == (len(backbone.layers), n_frames, 16)
        errors = errors_of(found, frames)
        if errors.max() > EXACT:
            errors = errors_of(found, frames_by_hand(published, sound(n), dtype=torch.float64))
        assert errors.max() < EXACT, (n, errors)


def test_seconds_of_sound_are_exact_to_the_last_measure(published: Published, backbone: Backbone) -> None:
    """Without the allowance for few frames that the test above makes."""
    lengths = (16_000, 48_123, 7_000, 160_000, 33_333)
    for n, found in zip(lengths, backbone.statistics([sound(n) for n in lengths])[0], strict=True):
        mean, deviation = mean_and_deviation(frames_by_hand(published, sound(n)))
        for layer in backbone.layers:
            assert relative(found[layer, 0], mean[layer]) < EXACT, (n, layer)
            assert relative(found[layer, 1], deviation[layer]) < EXACT, (n, layer)


def test_padding_without_masks_would_be_wrong(published: Published) -> None:
    """Proves that the tests above can fail: the narrow models have the traps of the real ones, in every layer."""
    alone = frames_by_hand(published, sound(16_000))
    n_frames = alone.shape[1]
    padded = frames_by_hand(published, sound(16_000), padding=32_000)
    assert padded.shape[1] > n_frames
    for layer, expected in enumerate(mean_and_deviation(alone)[0]):
        assert relative(mean_and_deviation(padded)[0][layer], expected) > WRONG, f"averaged over padding, {layer}"
        if layer == 0 and published[1].name == "wav2vec2-conformer-rel-pos-large":
            continue  # nothing below its first layer looks at other frames
        assert relative(mean_and_deviation(padded[:, :n_frames])[0][layer], expected) > WRONG, f"no mask, {layer}"


@pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask")  # WavLM's, of no effect
def test_a_mask_alone_would_be_wrong_for_some(published: Published) -> None:
    """For those that normalise over time, and for those with convolutions over frames that see no zeros."""
    n_frames = frames_by_hand(published, sound(16_000)).shape[1]
    masked = frames_by_hand(published, sound(16_000), padding=32_000, mask=True)[:, :n_frames]
    error = relative(masked, frames_by_hand(published, sound(16_000)))
    is_group = getattr(transformers_model(*published, torch.float32)[0].config, "feat_extract_norm", "") == "group"
    has_trap = is_group or published[0] in ("data2vec-audio", "wav2vec2-conformer")
    assert (error > WRONG) == has_trap
    assert has_trap or error < EXACT


@settings(max_examples=6, deadline=None)
@given(order=st.permutations((400, 719, 3_000, 16_000, 16_050, 40_000)))
def test_the_order_of_a_batch_does_not_matter(backbone: Backbone, order: list[int]) -> None:
    ascending = backbone.statistics([sound(n) for n in sorted(order)])[0]
    drawn, counts = backbone.statistics([sound(n) for n in order])
    assert counts == [backbone.statistics([sound(n)])[1][0] for n in order]
    for n, found in zip(order, drawn, strict=True):
        expected = ascending[sorted(order).index(n)]
        for layer in backbone.layers:
            assert relative(found[layer, 0], expected[layer, 0]) < EXACT, (n, layer)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_single_frame_does_not_deviate(published: Published, precision: str) -> None:
    backbone = load_backbone(published[0], str(published[1]), device="cpu", precision=precision)
    for lengths in ((400,), (400, 719), (719, 16_000, 400)):
        pooled, counts = backbone.statistics([sound(n) for n in lengths])
        for found, n_frames in zip(pooled, counts, strict=True):
            assert (found[:, 1] == 0).all() == (n_frames == 1)


@settings(max_examples=4, deadline=None)
@given(lengths=st.lists(st.integers(16_000, 160_000), min_size=2, max_size=3))
@example([400, 16_000, 48_000])
def test_half_the_bits_keep_the_direction_of_every_vector(
    published: Published, in_half: Backbone, lengths: list[int]
) -> None:
    pooled, counts = in_half.statistics([sound(n) for n in lengths])
    for n, found, n_frames in zip(lengths, pooled, counts, strict=True):
        mean, deviation = mean_and_deviation(frames_by_hand(published, sound(n)))
        for layer in in_half.layers:
            assert cosine(found[layer, 0], mean[layer]) >= 0.999, (n, layer)
            assert n_frames == 1 or cosine(found[layer, 1], deviation[layer]) >= 0.999, (n, layer)


@pytest.mark.parametrize(("offset", "deviation"), [(0.02, 0.0005), (0.2, 0.005), (0.05, 0.002)])
def test_half_the_bits_are_enough_for_a_quiet_clip_with_an_offset(
    offset: float, deviation: float, save_model: Callable[..., Path], tmp_path: Path
) -> None:
    """The first convolution is normalised over time; the waveform is not, as some models want it raw."""
    published = ("wavlm", save_model(tmp_path / "raw", "wavlm", do_normalize=False, conv_dim=(512,) * 7, bias=0.1))
    backbone = load_backbone(*map(str, published), device="cpu", precision="bf16")
    clip = (offset + deviation * np.random.default_rng(0).standard_normal(16_001)).astype(np.float32)
    (found,), _ = backbone.statistics([clip])
    mean, _ = mean_and_deviation(frames_by_hand(published, clip))
    for layer in backbone.layers:
        assert cosine(found[layer, 0], mean[layer]) >= 0.999, layer


@pytest.fixture(scope="module")
def in_half(published: Published) -> Backbone:
    return load_backbone(published[0], str(published[1]), device="cpu", precision="bf16")


def count_layers_run(action: Callable[[], object]) -> int:
    """Return how many transformer layers, of whatever model, are run by an action."""
    ran: list[str] = []
    hook = torch.nn.modules.module.register_module_forward_hook(lambda module, *_: ran.append(type(module).__name__))
    try:
        action()
    finally:
        hook.remove()
    return sum("EncoderLayer" in name for name in ran)


@pytest.mark.parametrize("wanted", ["0-6", "0,3,6", "0", "the last", "the last and 2"])
def test_an_early_exit_gives_the_layers_of_a_full_run(published: Published, backbone: Backbone, wanted: str) -> None:
    last = backbone.layers[-1]
    wanted = wanted.replace(" and ", ",").replace("the last", str(last))
    clips = [sound(n) for n in (16_000, 400, 30_000)]
    expected, n_frames = backbone.statistics(clips)
    early = load_backbone(published[0], str(published[1]), device="cpu", precision="fp32", layers=wanted)
    kept = list(range(7)) if wanted == "0-6" else sorted(int(layer) for layer in wanted.split(","))
    assert list(early.layers) == early.identity()["layers"] == kept
    found, counts = early.statistics(clips)
    assert counts == n_frames
    assert found.shape == (3, len(kept), 2, 16)
    for place, layer in enumerate(kept):
        for clip in range(3):
            assert relative(found[clip, place, 0], expected[clip, layer, 0]) < 1e-6, layer
            assert np.abs(found[clip, place, 1] - expected[clip, layer, 1]).max() < 1e-6, layer
    np.testing.assert_allclose(early.frames(clips[0]), backbone.frames(clips[0])[kept], rtol=1e-6, atol=1e-6)
    n_run = max(1, kept[-1])  # layer 0 is what enters the first
    assert (
        count_layers_run(lambda: early.statistics(clips)) == count_layers_run(lambda: early.frames(clips[0])) == n_run
    )
    assert count_layers_run(lambda: backbone.statistics(clips)) == last, "the count above means something"
