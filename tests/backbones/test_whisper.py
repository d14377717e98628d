"""Whisper: the published numbers of the real weights, the window of a clip's own length, and folders of all kinds."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.audio.io import load_waveform
from src.backbones import identify_backbone, load_backbone
from src.backbones.contract import Backbone
from tests.backbones.conftest import SaveModel

MODELS = Path(__file__).resolve().parents[3] / "shared" / "models"
REAL = MODELS / "whisper-base"
needs_weights = pytest.mark.skipif(not REAL.is_dir(), reason="needs the data: shared/models/whisper-base")


@pytest.fixture(scope="module")
def real() -> Backbone:
    return load_backbone("whisper", str(REAL), device="cpu", precision="fp32")


@needs_weights
@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1])
def test_hidden_states_of_the_real_weights_are_the_golden_ones(real: Backbone, number: int) -> None:
    golden = json.loads((REAL / "golden.json").read_text())
    about, tolerance = golden["inputs"][number], golden["tolerance"]
    frames = real.frames(golden_input(about))
    assert frames.shape == (7, about["frames"], 512)
    statistics, n_frames = real.statistics([golden_input(about)])
    assert n_frames == [about["frames"]]
    for layer, expected in enumerate(about["hidden_states"]):
        found = frames[layer].astype(np.float64)
        np.testing.assert_allclose(np.linalg.norm(found), expected["norm"], **tolerance["norms"])
        np.testing.assert_allclose(found.mean(), expected["mean"], rtol=0, **tolerance["mean"])
        np.testing.assert_allclose(found[0, :4], expected["first_frame"], **tolerance["values"])
        np.testing.assert_allclose(found[-1, :4], expected["last_frame"], **tolerance["values"])
        for row, name in enumerate(("time_mean", "time_std")):
            pooled = statistics[0, layer, row]
            np.testing.assert_allclose(pooled[:4], expected[name], **tolerance["values"])
            np.testing.assert_allclose(np.linalg.norm(pooled), expected[f"{name}_norm"], **tolerance["norms"])


def golden_input(about: dict[str, Any]) -> np.ndarray:
    if "path" in about:
        return load_waveform(MODELS / about["path"])
    return (np.random.default_rng(0).standard_normal(64_600) * 0.1).astype(np.float32)


def sound(n: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(n).standard_normal(n)).astype(np.float32)


@pytest.fixture(scope="module")
def small(save_spectral: SaveModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small encoder alone, as `WhisperEncoder.save_pretrained` leaves it."""
    import transformers
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    folder = save_spectral(tmp_path_factory.mktemp("whisper") / "small", "whisper")
    model = transformers.WhisperModel.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    assert isinstance(model.encoder, WhisperEncoder)
    model.encoder.save_pretrained(folder)
    return folder


def test_a_window_of_its_own_gives_a_clip_as_many_frames_and_other_numbers(small: Path) -> None:
    own = load_backbone("whisper", str(small), device="cpu", precision="fp32", window="own")
    usual = load_backbone("whisper", str(small), device="cpu", precision="fp32")
    for n, n_frames in ((400, 2), (16_000, 50), (16_001, 51)):
        assert own.frames(sound(n)).shape == usual.frames(sound(n)).shape == (4, n_frames, 16)
    assert np.abs(own.frames(sound(16_000)) - usual.frames(sound(16_000))).max() > 0.01
    whole = sound(32_000)
    np.testing.assert_allclose(own.frames(whole), usual.frames(whole), atol=1e-5)


def test_a_batch_in_own_windows_gives_what_every_clip_gives_alone(small: Path) -> None:
    """Clips share a call where they have as many frames; the order of the batch is kept."""
    own = load_backbone("whisper", str(small), device="cpu", precision="fp32", window="own")
    clips = [sound(n) for n in (16_000, 5_000, 16_100, 4_990, 400, 15_900)]
    statistics, n_frames = own.statistics(clips)
    for clip, found, count in zip(clips, statistics, n_frames, strict=True):
        expected, (expected_count,) = own.statistics([clip])
        assert count == expected_count
        np.testing.assert_allclose(found, expected[0], atol=1e-5)
    np.testing.assert_array_equal(own.frames(clips[0]), own.frames(clips[0]))


def test_the_two_windows_have_identities_of_their_own(small: Path) -> None:
    for window, named in ((None, "30 s"), ("30 s", "30 s"), ("own", "own")):
        assert load_backbone("whisper", str(small), window=window).identity()["window"] == named
        known = identify_backbone("whisper", str(small), window=window)
        assert known is not None
        assert known["window"] == named


@pytest.mark.parametrize("check", [load_backbone, identify_backbone])
def test_windows_that_are_not_there_are_refused(check: Any, small: Path, base: Path) -> None:
    with pytest.raises(ValueError, match=r"^Unknown `window` '10' of whisper; allowed: 30 s, own\.$"):
        check("whisper", str(small), window="10")
    line = "takes no `window`, as whisper does; leave out `window=own`.$"
    with pytest.raises(ValueError, match=f"^wav2vec2 {line}"):
        check("wav2vec2", str(base), window="own")
    with pytest.raises(ValueError, match=f"^lfcc {line}"):
        check("lfcc", window="own")


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ("WhisperForConditionalGeneration", "decoder"),
        ("WhisperForAudioClassification", "classifier, projector"),
        ("WhisperModel", "decoder"),
    ],
)
def test_the_encoder_is_found_in_checkpoints_of_all_kinds(
    head: str, names: str, small: Path, save_spectral: SaveModel, tmp_path: Path
) -> None:
    folder = save_spectral(tmp_path / "m", "whisper", head=head)
    with pytest.warns(UserWarning, match=rf"holds a {head}: its head \({names}.*\) is not used") as told:
        backbone = load_backbone("whisper", str(folder), precision="fp32")
    assert len(told) == 1
    clip = sound(16_000)
    if head == "WhisperModel":
        np.testing.assert_array_equal(
            backbone.frames(clip), load_backbone("whisper", str(small), precision="fp32").frames(clip)
        )
    assert backbone.frames(clip).shape == (4, 50, 16)


def test_weights_under_unknown_names_are_refused(small: Path, tmp_path: Path) -> None:
    """Transformers itself would go on with random weights, and say nothing."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(small, tmp_path / "m")
    state = load_file(small / "model.safetensors")
    renamed = {f"audio.{key}": value for key, value in state.items()}
    save_file(renamed, tmp_path / "m" / "model.safetensors", metadata={"format": "pt"})
    line = rf"The weights of .*m do not fit its config.json \({len(state)} are missing"
    with pytest.raises(ValueError, match=line):
        load_backbone("whisper", str(tmp_path / "m"))
