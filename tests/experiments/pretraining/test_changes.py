"""How far layers have moved: known where only one layer was changed."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from src.experiments.pretraining.changes import PICTURE, TABLE, Changes, measure_changes
from tests.conftest import RATE, tone
from tests.detectors.small_models import save_small, save_small_whisper

pytestmark = pytest.mark.usefixtures("one_thread")
CHANGED = 1
"""The layer of three whose weights are others after."""


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("clips")
    sounds = [tone(number, noise=0.01) for number in range(6)] + [np.zeros(RATE), np.zeros(30)]
    for number, waveform in enumerate(sounds):
        soundfile.write(folder / f"{number}.wav", waveform, RATE)
    return [folder / f"{number}.wav" for number in range(len(sounds))]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_whisper(tmp_path_factory.mktemp("before"))


@pytest.fixture(scope="module")
def changed(before: Path, clips: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Changes:
    import torch
    from safetensors.torch import load_file, save_file

    after = save_small_whisper(tmp_path_factory.mktemp("after"))
    weights = load_file(after / "model.safetensors")
    rng = torch.Generator().manual_seed(1)
    for name, weight in weights.items():
        if f"layers.{CHANGED}." in name:
            weights[name] = weight + torch.randn(weight.shape, generator=rng)
    save_file(weights, after / "model.safetensors", metadata={"format": "pt"})
    return measure_changes(before, after, clips)


def test_nothing_moves_below_a_layer_that_was_changed(changed: Changes) -> None:
    """Layer 1 of the table is what enters the transformer layer of that number."""
    for column in ("cka_distance", "cosine_distance"):
        distances = changed.table[column].to_numpy()
        assert distances[: CHANGED + 1] == pytest.approx(np.zeros(CHANGED + 1), abs=1e-9)
        assert (distances[CHANGED + 1 :] > 0.001).all()
    assert changed.table["layer"].tolist() == [0, 1, 2, 3]


def test_silent_and_short_clips_are_passed_over(changed: Changes) -> None:
    assert changed.n_clips == 6


def test_it_is_written_and_told(changed: Changes, tmp_path: Path) -> None:
    changed.write(tmp_path)
    assert (tmp_path / TABLE).is_file()
    assert (tmp_path / PICTURE).is_file()
    assert str(changed).startswith("Moved from the start, on 6 held-out clips (1 - CKA and 1 - cosine): layer 0: 0.000")
    assert json.loads(json.dumps(changed.as_json(), allow_nan=False))["layers"][0]["layer"] == 0


def test_what_cannot_be_measured_is_refused(before: Path, clips: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="of different depths"):
        measure_changes(before, save_small(tmp_path / "deep", num_hidden_layers=2), clips)
    with pytest.raises(ValueError, match="None of the 2 held-out clips can be heard"):
        measure_changes(before, before, clips[-2:])
