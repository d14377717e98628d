"""What epochs are judged by: validation clips and, where a training is augmented, the same clips distorted."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from src.detectors.training.scoring import WholeClips, score_clips
from src.detectors.training.validation import ValidationClips
from src.metrics.eer import eer_of
from src.models.contract import cross_entropy
from src.utils.waveform_table import WaveformTable
from tests.detectors.tiny import TinyConfig, make, write_clips

pytestmark = pytest.mark.usefixtures("one_thread")


def recipe(effect: str, **parameters: object) -> str:
    return json.dumps([{"probability": 1, "one_of": [{"effect": effect, "parameters": parameters}]}])


LEVEL: Mapping[str, float] = {"dbfs": -40.0}
NOISY = recipe("white", snr={"from": 0, "to": 5})


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> WaveformTable:
    return write_clips(tmp_path_factory.mktemp("clips"), 10, seed=3)


def windows_of(clips: WholeClips, number: int) -> np.ndarray:
    windows = clips[number]
    assert not isinstance(windows, str)
    return windows[0]


def test_without_a_recipe_they_are_the_clips(table: WaveformTable) -> None:
    clips, plain = ValidationClips(table, TinyConfig(), 7), WholeClips(table.paths.tolist(), TinyConfig())
    assert len(clips) == len(table) == len(clips.table)
    for number in range(len(table)):
        np.testing.assert_array_equal(windows_of(clips, number), windows_of(plain, number))


def test_with_one_they_are_heard_twice_and_always_the_same(table: WaveformTable) -> None:
    config = TinyConfig(augment=NOISY)
    clips, again = ValidationClips(table, config, 7), ValidationClips(table, config, 7)
    plain, other_seed = WholeClips(table.paths.tolist(), config), ValidationClips(table, config, 8)
    assert len(clips) == 2 * len(table)
    assert clips.table.files.tolist() == 2 * table.files.tolist()
    for number in range(len(table)):
        np.testing.assert_array_equal(windows_of(clips, number), windows_of(plain, number))
        distorted = windows_of(clips, len(table) + number)
        assert distorted.shape == windows_of(plain, number).shape
        assert not np.array_equal(distorted, windows_of(plain, number))
        assert not np.array_equal(distorted, windows_of(other_seed, len(table) + number))
        np.testing.assert_array_equal(distorted, windows_of(again, len(table) + number))


def test_the_recipe_is_that_of_the_training(table: WaveformTable) -> None:
    clips = ValidationClips(table, TinyConfig(seconds=0.1, augment=recipe("level", **LEVEL)), 7)
    levels = [20 * np.log10(np.std(windows_of(clips, number))) for number in range(len(table), 2 * len(table))]
    assert np.allclose(levels, -40, atol=1.5)  # of a window, which is a part of its clip


def test_effects_that_change_the_length_are_left_out(table: WaveformTable) -> None:
    clips = ValidationClips(table, TinyConfig(augment=recipe("speed", factor=2.0)), 7)
    for number in range(len(table)):
        np.testing.assert_array_equal(windows_of(clips, number), windows_of(clips, len(table) + number))


def test_parts_hold_what_the_whole_does(table: WaveformTable) -> None:
    clips = ValidationClips(table, TinyConfig(augment=NOISY), 7)
    for first in range(3):
        part = clips.part(first, 3)
        assert len(part) == len(range(first, len(clips), 3))
        for place, number in enumerate(range(first, len(clips), 3)):
            np.testing.assert_array_equal(windows_of(part, place), windows_of(clips, number))


def test_what_cannot_be_mixed_in_is_one_line(table: WaveformTable, tmp_path: Path) -> None:
    (tmp_path / "noises").mkdir()
    write_clips(tmp_path / "noises", 1, seed=4)
    config = TinyConfig(augment=recipe("noise", snr=5), noise_folder=str(tmp_path / "noises"))
    clips = ValidationClips(table, config, 7)
    for path in (tmp_path / "noises").rglob("*.*"):
        path.write_bytes(b"no sound")
    assert "noises" in str(clips[len(table)])
    assert isinstance(clips[len(table)], str)


def test_the_epoch_kept_is_the_best_of_both(table: WaveformTable, tmp_path: Path) -> None:
    train = write_clips(tmp_path / "train", 18, seed=1, start=100)
    detector = make(tmp_path, epochs=6, augment=NOISY)
    history = detector.fit(train, table)
    clips = ValidationClips(table, detector.config, detector.seed)
    scores = score_clips(detector.trained.network, detector.trained.objective, clips).scores
    assert history.best_eer == eer_of(clips.table.labels, scores)
    assert history.val_losses[history.best] == pytest.approx(cross_entropy(clips.table.labels, scores))
