"""Frames and statistics against plain transformers: one clip at a time, with hooks instead of its own hidden states."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from src.backbones import load_backbone

SaveModel = Callable[..., Path]
LENGTHS = (400, 16_000, 5_123, 64_000, 16_000, 719, 16_000)
"""Samples of the clips of a batch: one frame, four seconds, and some of equal length among them."""


def noise(n: int, seed: int = 0) -> np.ndarray:
    """Return noise of a tenth of full scale around an offset, which normalisation has to take away."""
    return (0.05 + 0.1 * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


CLIPS = [noise(n, seed) for seed, n in enumerate(LENGTHS)]


def frames_by_hand(folder: Path, waveform: np.ndarray) -> np.ndarray:
    """Return the input of the first transformer layer, the outputs of the others, and the model's last hidden state."""
    from transformers import HubertModel, Wav2Vec2FeatureExtractor, Wav2Vec2Model, WavLMModel

    family = json.loads((folder / "config.json").read_text())["model_type"]
    models = {"wav2vec2": Wav2Vec2Model, "hubert": HubertModel, "wavlm": WavLMModel}
    model = models[family].from_pretrained(folder, dtype=torch.float32).eval()
    seen: list[torch.Tensor] = []
    for layer in model.encoder.layers:
        layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    prepared = Wav2Vec2FeatureExtractor.from_pretrained(folder)(waveform, sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        last = model(prepared.input_values).last_hidden_state
    return torch.stack([*seen, last])[:, 0].numpy()


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.fixture(params=["base", "large", "wavlm"])
def folder(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(request.param)


def family_of(folder: Path) -> str:
    return {"base": "wav2vec2", "large": "hubert", "wavlm": "wavlm"}[folder.name]


def test_every_layer_of_a_clip_is_what_transformers_gives_for_it_alone(folder: Path) -> None:
    backbone = load_backbone(family_of(folder), str(folder), precision="fp32")
    assert backbone.layers == tuple(range({"base": 13, "large": 25, "wavlm": 4}[folder.name]))
    for clip in CLIPS[:4]:
        frames, expected = backbone.frames(clip), frames_by_hand(folder, clip)
        assert frames.shape == expected.shape == (len(backbone.layers), expected.shape[1], 16)
        assert frames.dtype == np.float32
        for layer in backbone.layers:
            assert relative(frames[layer], expected[layer]) < 1e-5, layer


def test_batches_of_any_lengths_give_the_statistics_of_each_clip_alone(folder: Path) -> None:
    """Fault 7, without its trap: one forward pass for many clips, and no padding that changes their frames."""
    backbone = load_backbone(family_of(folder), str(folder), precision="fp32")
    pooled, counts = backbone.statistics(CLIPS)
    assert pooled.shape == (len(CLIPS), len(backbone.layers), 2, 16)
    assert pooled.dtype == np.float32
    assert counts == [1, 49, 15, 199, 49, 1, 49]
    for clip, statistics, n_frames in zip(CLIPS, pooled, counts, strict=True):
        frames = frames_by_hand(folder, clip).astype(np.float64)
        assert frames.shape[1] == n_frames
        mean = frames.sum(axis=1) / n_frames
        deviation = np.sqrt(((frames - mean[:, None]) ** 2).sum(axis=1) / n_frames)
        for layer in backbone.layers:
            assert relative(statistics[layer, 0], mean[layer]) < 1e-5, layer
            if n_frames > 1:
                assert relative(statistics[layer, 1], deviation[layer]) < 1e-5, layer
            else:
                assert (statistics[layer, 1] == 0).all()
    backwards, _ = backbone.statistics(CLIPS[::-1])
    assert relative(backwards[::-1], pooled) < 1e-5


def test_padding_would_have_changed_the_frames_of_a_group_model(base: Path) -> None:
    """Proves that the test above can fail: the tiny model has the trap of the real one."""
    short = CLIPS[1]
    padded = frames_by_hand(base, np.concatenate([short, np.zeros(16_000, np.float32)]))[:, :49]
    assert relative(padded[-1], frames_by_hand(base, short)[-1]) > 0.01


def test_clips_of_all_lengths_share_a_forward_pass(folder: Path) -> None:
    """Fault 7: embeddings were computed one clip at a time."""
    backbone = load_backbone(family_of(folder), str(folder))
    shapes = []
    backbone.model.register_forward_pre_hook(lambda _, inputs: shapes.append(tuple(inputs[0].shape)))
    backbone.statistics(CLIPS)
    assert shapes == [(len(CLIPS), 64_000)]


def test_a_batch_may_be_started_before_the_last_one_is_fetched(folder: Path) -> None:
    backbone = load_backbone(family_of(folder), str(folder), precision="fp32")
    halves = (CLIPS[:3], CLIPS[3:])
    for wait, clips in zip([backbone.begin(clips) for clips in halves], halves, strict=True):
        pooled, counts = wait()
        expected, expected_counts = backbone.statistics(clips)
        np.testing.assert_array_equal(pooled, expected)
        assert counts == expected_counts


@pytest.mark.parametrize(("samples", "frames"), [(400, 1), (719, 1), (720, 2), (16_000, 49), (64_000, 199)])
def test_frame_counts_of_the_true_convolutions(base: Path, samples: int, frames: int) -> None:
    backbone = load_backbone("wav2vec2", str(base))
    assert backbone.min_samples == 400
    assert backbone.frames(noise(samples)).shape[1] == frames
    assert backbone.statistics([noise(samples)])[1] == [frames]


@pytest.mark.parametrize("do_normalize", [True, False])
def test_waveforms_are_normalised_when_the_preprocessor_says_so(
    save_model: SaveModel, tmp_path: Path, do_normalize: bool
) -> None:
    # "large": the first normalisation of "base" takes level and offset away by itself
    folder = save_model(tmp_path / "m", "wav2vec2", "large", do_normalize=do_normalize, num_hidden_layers=2)
    backbone = load_backbone("wav2vec2", str(folder), precision="fp32")
    assert relative(backbone.frames(CLIPS[2]), frames_by_hand(folder, CLIPS[2])) < 1e-5
    assert backbone.identity()["normalisation"] == ("zero mean, unit variance" if do_normalize else "none")
    moved = relative(backbone.frames(3 * CLIPS[2] + 0.2), backbone.frames(CLIPS[2]))
    assert (moved < 1e-3) == do_normalize


def test_half_the_bits_keep_the_direction_of_every_embedding(folder: Path) -> None:
    full, half = (load_backbone(family_of(folder), str(folder), precision=name) for name in ("fp32", "bf16"))
    assert next(half.model.parameters()).dtype == torch.bfloat16
    assert half.identity()["precision"] == "bf16"
    expected, found = full.statistics(CLIPS)[0], half.statistics(CLIPS)[0]
    assert found.dtype == half.frames(CLIPS[0]).dtype == np.float32
    assert (found != expected).any(), "that was not bf16"
    for layer in full.layers:
        for a, b in zip(found[:, layer, 0], expected[:, layer, 0], strict=True):
            assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) >= 0.999, layer


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_weights_saved_in_few_bits_are_read_as_float32(save_model: SaveModel, tmp_path: Path, dtype: str) -> None:
    folder = save_model(tmp_path / "m", num_hidden_layers=2, dtype=dtype)
    backbone = load_backbone("wav2vec2", str(folder), precision="fp32")
    assert {parameter.dtype for parameter in backbone.model.parameters()} == {torch.float32}
    assert relative(backbone.frames(CLIPS[2]), frames_by_hand(folder, CLIPS[2])) < 1e-5


def test_nothing_random_is_left_over_from_training(save_model: SaveModel, tmp_path: Path) -> None:
    folder = save_model(
        tmp_path / "m", num_hidden_layers=3, layerdrop=1.0, hidden_dropout=0.5, attention_dropout=0.5,
        activation_dropout=0.5, feat_proj_dropout=0.5, mask_time_prob=0.9, mask_time_length=2,
    )  # fmt: skip
    backbone = load_backbone("wav2vec2", str(folder), precision="fp32")
    first = backbone.frames(CLIPS[1])
    assert first.shape[0] == len(backbone.layers) == 4
    np.testing.assert_array_equal(backbone.frames(CLIPS[1]), first)
    assert all(relative(first[layer + 1], first[layer]) > 1e-3 for layer in range(3)), "a layer was dropped"


def test_weights_under_the_names_of_published_checkpoints_are_found(base: Path, tmp_path: Path) -> None:
    """facebook/wav2vec2-base keeps a prefix, its head, and the old names of the positional convolution."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(base, tmp_path / "m")
    state = load_file(base / "model.safetensors")
    for number, old in enumerate(("weight_g", "weight_v")):
        new = f"encoder.pos_conv_embed.conv.parametrizations.weight.original{number}"
        state[new.replace(f"parametrizations.weight.original{number}", old)] = state.pop(new)
    published = {f"wav2vec2.{name}": tensor for name, tensor in state.items()}
    published["lm_head.weight"] = torch.zeros(32, 16)
    save_file(published, tmp_path / "m" / "model.safetensors", metadata={"format": "pt"})
    with pytest.warns(UserWarning, match=r"its head \(lm_head\) is not used"):
        frames = load_backbone("wav2vec2", str(tmp_path / "m")).frames(CLIPS[2])
    np.testing.assert_array_equal(frames, load_backbone("wav2vec2", str(base)).frames(CLIPS[2]))


def test_weights_in_the_older_file_format_give_the_same_numbers(base: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    shutil.copytree(base, tmp_path / "m")
    torch.save(load_file(base / "model.safetensors"), tmp_path / "m" / "pytorch_model.bin")
    (tmp_path / "m" / "model.safetensors").unlink()
    frames = load_backbone("wav2vec2", str(tmp_path / "m")).frames(CLIPS[2])
    np.testing.assert_array_equal(frames, load_backbone("wav2vec2", str(base)).frames(CLIPS[2]))


def test_identity_is_json_and_agrees_with_the_shapes(folder: Path) -> None:
    backbone = load_backbone(family_of(folder), str(folder), precision="fp32")
    identity = json.loads(json.dumps(backbone.identity()))
    assert identity == backbone.identity()
    assert identity["layers"] == list(backbone.layers)
    assert (len(identity["layers"]), identity["dimension"]) == backbone.frames(CLIPS[0]).shape[::2]
    assert identity["model"] == folder.name
    assert (identity["backbone"], identity["precision"], identity["rate"]) == (family_of(folder), "fp32", 16_000)


def test_the_digest_tells_models_apart_and_copies_not(base: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    def digest() -> str:
        return load_backbone("wav2vec2", str(tmp_path / "m")).identity()["digest"]

    shutil.copytree(base, tmp_path / "m")
    before = digest()
    assert before == load_backbone("wav2vec2", str(base)).identity()["digest"]
    weights = tmp_path / "m" / "model.safetensors"
    state = load_file(weights)
    state["encoder.layers.7.attention.k_proj.bias"][3] += 1e-3
    save_file(state, weights, metadata={"format": "pt"})
    changed = digest()
    settings = tmp_path / "m" / "preprocessor_config.json"
    settings.write_text(settings.read_text().replace('"do_normalize": true', '"do_normalize": false'))
    assert len({before, changed, digest()}) == 3


def test_a_model_in_the_hubs_cache_is_named_by_its_revision(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, revision = tmp_path / "models--lab--tiny", "0123456789abcdef" * 2 + "01234567"
    shutil.copytree(base, repository / "snapshots" / revision)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(revision)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    backbone = load_backbone("wav2vec2", "lab/tiny")
    assert (backbone.identity()["model"], backbone.identity()["digest"]) == ("lab/tiny", revision)
    np.testing.assert_array_equal(backbone.frames(CLIPS[2]), load_backbone("wav2vec2", str(base)).frames(CLIPS[2]))


def test_the_automatic_precision_is_named_in_the_identity(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store made with "auto" must not be resumed on a machine that computes at another precision."""
    for abilities, precision in (({"avx512_bf16": True}, "bf16"), ({}, "fp32")):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda abilities=abilities: abilities)
        assert load_backbone("wav2vec2", str(base), device="cpu").identity()["precision"] == precision


def test_a_batch_is_a_whole_power_of_two_of_seconds_whatever_is_free(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that resumes another has to plan the same batches."""
    for free, seconds in ((1e3, 1), (8e6, 4), (1.2e7, 4), (1.4e7, 8), (1e15, 16)):
        monkeypatch.setattr("src.backbones.self_supervised.free_memory", lambda _, free=free: free)
        backbone = load_backbone("wav2vec2", str(base), device="cpu", precision="fp32")
        assert backbone.batch_seconds == seconds, free


def test_weights_and_waveforms_go_to_the_device_chosen(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault 7: never on the GPU. The device "meta" computes shapes alone, so only fetching the result can fail."""
    monkeypatch.setattr("src.backbones.self_supervised.choose_device", lambda name: torch.device("meta"))
    backbone = load_backbone("wav2vec2", str(base), device="cuda:5")
    assert {parameter.device.type for parameter in backbone.model.parameters()} == {"meta"}
    wait = backbone.begin([CLIPS[1], CLIPS[4]])
    with pytest.raises(TypeError, match="meta device type tensor"):
        wait()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_a_gpu_gives_the_embeddings_of_the_cpu(folder: Path, precision: str) -> None:
    """Fault 7: never on the GPU."""
    expected, n_frames = load_backbone(family_of(folder), str(folder), device="cpu", precision="fp32").statistics(CLIPS)
    on_gpu = load_backbone(family_of(folder), str(folder), device="cuda", precision=precision)
    assert next(on_gpu.model.parameters()).device.type == "cuda"
    found, counts = on_gpu.statistics(CLIPS)
    assert counts == n_frames
    for layer in on_gpu.layers:
        for a, b in zip(found[:, layer, 0], expected[:, layer, 0], strict=True):
            assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) >= 0.999, layer
