"""Models that take spectrograms give what transformers gives for each clip alone, whatever shares its batch."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from src.audio.io import UnusableAudio
from src.backbones import identify_backbone, load_backbone
from src.backbones.clips import clip_statistics
from src.backbones.contract import Backbone
from tests.backbones.conftest import SPECTRAL, SaveModel

LENGTHS = (16_000, 3_000, 24_000, 9_999, 5_680, 16_000)
ROWS = 4
"""Rows of patches of the small AST: (48 - 16) // 10 + 1."""
Spectral = tuple[str, Path]


def sound(n: int) -> np.ndarray:
    swell = np.linspace(0.02, 0.2, n)
    return (swell * np.random.default_rng(n).standard_normal(n)).astype(np.float32)


def load(spectral: Spectral, **options: Any) -> Backbone:
    family, folder = spectral
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* is not used, the model below it is")
        return load_backbone(family, str(folder), device="cpu", precision=options.pop("precision", "fp32"), **options)


def frames_by_hand(spectral: Spectral, waveform: np.ndarray) -> np.ndarray:
    """Return all hidden states of a clip by transformers' own classes, cut to the frames of the clip, float32."""
    import transformers

    family, folder = spectral
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    inputs = extractor(waveform, sampling_rate=16_000, return_tensors="pt")
    if family == "whisper":
        whole = transformers.WhisperForAudioClassification.from_pretrained(folder, dtype=torch.float32)
        model, inputs = whole.encoder, {"input_features": inputs.input_features}
    else:
        model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        output = model.eval()(**inputs, output_hidden_states=True)
    hidden = torch.stack([*output.hidden_states[:-1], output.last_hidden_state])[:, 0]
    if family == "ast":
        columns = hidden[:, 2:].unflatten(1, (ROWS, -1))
        hidden = sum(columns[:, row] for row in range(ROWS)) / ROWS
    return hidden[:, : frames_of(family, len(waveform))].numpy()


def frames_of(family: str, n: int) -> int:
    n_spectra = 1 + (n - 400) // 160
    counts = {
        "whisper": int(np.ceil(np.ceil(n / 160) / 2)),
        "wav2vec2-bert": n_spectra // 2,
        "ast": (n_spectra - 16) // 10 + 1,
    }
    return counts[family]


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def test_every_layer_of_a_clip_is_what_transformers_gives_for_it_alone(spectral: Spectral) -> None:
    backbone = load(spectral)
    for n in LENGTHS:
        frames, expected = backbone.frames(sound(n)), frames_by_hand(spectral, sound(n))
        assert frames.shape == expected.shape == (4, frames_of(spectral[0], n), 16)
        assert frames.dtype == np.float32
        for layer in backbone.layers:
            assert relative(frames[layer], expected[layer]) < 1e-5, (n, layer)


def test_a_batch_gives_what_every_clip_gives_alone(spectral: Spectral) -> None:
    backbone = load(spectral)
    pooled, counts = backbone.statistics([sound(n) for n in LENGTHS])
    assert pooled.shape == (len(LENGTHS), 4, 2, 16)
    assert pooled.dtype == np.float32
    for n, found, n_frames in zip(LENGTHS, pooled, counts, strict=True):
        frames = frames_by_hand(spectral, sound(n)).astype(np.float64)
        assert n_frames == frames.shape[1] == frames_of(spectral[0], n)
        assert relative(found[:, 0], frames.mean(axis=1)) < 1e-5, n
        assert np.abs(found[:, 1] - frames.std(axis=1)).max() < 1e-5 * np.abs(frames).max(), n
    backwards, _ = backbone.statistics([sound(n) for n in LENGTHS[::-1]])
    assert relative(backwards[::-1], pooled) < 1e-5


def test_an_early_exit_gives_the_layers_of_a_full_run(spectral: Spectral) -> None:
    clips = [sound(n) for n in LENGTHS[:3]]
    expected, _ = load(spectral).statistics(clips)
    early = load(spectral, layers="0,2")
    assert early.layers == (0, 2)
    np.testing.assert_allclose(early.statistics(clips)[0], expected[:, [0, 2]], rtol=1e-5, atol=1e-5)


def test_half_the_bits_keep_the_direction_of_every_embedding(spectral: Spectral) -> None:
    clips = [sound(n) for n in LENGTHS[:3]]
    (full, _), (half, _) = (load(spectral, precision=name).statistics(clips) for name in ("fp32", "bf16"))
    assert (full != half).any(), "that was not bf16"
    for a, b in zip(full[:, :, 0].reshape(-1, 16), half[:, :, 0].reshape(-1, 16), strict=True):
        assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.999


def test_what_is_known_without_loading_is_what_the_model_says(spectral: Spectral) -> None:
    family, folder = spectral
    known = identify_backbone(family, str(folder), precision="fp32", layers="1-2")
    assert known is not None
    identity = load(spectral, layers="1-2").identity()
    assert known == {key: identity[key] for key in known}
    assert ("window" in known) == (family == "whisper")


def test_clips_too_short_for_a_frame_are_refused_and_the_shortest_give_one_frame_or_more(spectral: Spectral) -> None:
    backbone = load(spectral)
    shortest = {"whisper": 400, "wav2vec2-bert": 560, "ast": 2_800}[spectral[0]]
    assert backbone.min_samples == shortest
    statistics, n_frames = clip_statistics(backbone, sound(shortest))
    assert np.isfinite(statistics).all()
    assert n_frames == frames_of(spectral[0], shortest) >= 1
    with pytest.raises(UnusableAudio, match=f"too short .* a frame needs {shortest}"):
        clip_statistics(backbone, sound(shortest - 1))


@pytest.mark.parametrize(("family", "seconds"), [("whisper", 2.0), ("ast", 1.56)])
@pytest.mark.parametrize("asked", [1.0, 30.0, 60.0])
def test_clips_beyond_the_models_window_are_computed_in_windows(
    family: str, seconds: float, asked: float, save_spectral: SaveModel, tmp_path: Path
) -> None:
    """Whatever `max_seconds` says: what is longer would be cut off silently."""
    backbone = load((family, save_spectral(tmp_path / family, family)))
    clip = sound(80_000)
    n_windows = int(np.ceil(5 / min(asked, seconds)))
    windows = np.array_split(clip, n_windows)
    frames = np.concatenate([backbone.frames(window) for window in windows], axis=1)
    statistics, n_frames = clip_statistics(backbone, clip, window_seconds=asked)
    assert n_frames == frames.shape[1]
    assert relative(statistics[:, 0], frames.mean(axis=1)) < 1e-5
    assert relative(statistics[:, 1], frames.std(axis=1)) < 1e-4
    with pytest.raises(ValueError, match=rf"at most {seconds:g} s at once, not 5 s: `clip_statistics` cuts longer"):
        backbone.frames(clip)


def test_every_clip_of_a_model_with_a_window_costs_as_much(save_spectral: SaveModel, tmp_path: Path) -> None:
    """Batches of Whisper hold as many windows as fit, not as many clips."""
    from src.experiments.extraction.batches import gather_batches

    folder = save_spectral(tmp_path / "whisper", "whisper")
    assert load(("whisper", folder)).padded_seconds == 2.0
    assert load(("whisper", folder), window="own").padded_seconds == 0.0
    lengths = {f"{number}.wav": 8_000 for number in range(6)}
    units = gather_batches(lengths, batch_samples=64_000, window_samples=32_000, padded_samples=32_000)
    assert [len(batch) for unit in units for batch in unit] == [2, 2, 2]


def test_the_extractor_of_another_family_is_refused(spectral: Spectral, tmp_path: Path) -> None:
    import shutil

    import transformers

    family, folder = spectral
    shutil.copytree(folder, tmp_path / "m")
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path / "m")
    wanted = {"whisper": "Whisper", "wav2vec2-bert": "SeamlessM4T", "ast": "AST"}[family]
    line = f"its feature extractor is a Wav2Vec2FeatureExtractor, not a {wanted}FeatureExtractor"
    with pytest.raises(ValueError, match=f"cannot be loaded .{line}.*fetch it again"):
        load((family, tmp_path / "m"))


def test_other_families_are_refused(spectral: Spectral) -> None:
    family, folder = spectral
    for other in SPECTRAL.keys() - {family}:
        with pytest.raises(
            ValueError, match=f"is of the family .*, not .*{'spectrogram' if other == 'ast' else other}"
        ):
            load((other, folder))
