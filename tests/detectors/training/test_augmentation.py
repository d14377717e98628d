"""Augmented training windows: the same for seed, epoch and clip, and out of the training split alone."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from src.detectors.training.clips import TrainingClips
from src.detectors.training.scoring import WholeClips
from src.learning.augmentation import Augmentation
from src.utils.recipes import name_of, parse_recipe, written_recipe
from src.utils.waveform_table import WaveformTable
from tests.detectors.tiny import TinyConfig, write_clips

LOUD = json.dumps([{"probability": 1, "one_of": [{"effect": "level", "parameters": {"dbfs": -20}}]}])
NOISY = json.dumps([{"probability": 1, "one_of": [{"effect": "white", "parameters": {"snr": {"from": 5, "to": 30}}}]}])


def clips_of(table: WaveformTable, seed: int = 7, **config: object) -> TrainingClips:
    return TrainingClips(table, TinyConfig(seconds=0.1, **config), seed)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> WaveformTable:
    return write_clips(tmp_path_factory.mktemp("clips"), 12, seed=3)


def test_a_window_depends_on_seed_epoch_and_clip_alone(table: WaveformTable) -> None:
    clips, again = clips_of(table, augment=NOISY), clips_of(table, augment=NOISY)
    list(map(again.__getitem__, [(0, 5), (3, 2)]))
    assert torch.equal(clips[2, 4]["waveforms"], again[2, 4]["waveforms"])
    assert not torch.equal(clips[2, 4]["waveforms"], clips_of(table, augment=NOISY, seed=8)[2, 4]["waveforms"])
    same_stretch = [clips_of(table, augment=NOISY)[epoch, 0]["waveforms"] for epoch in (1, 2)]
    assert not torch.equal(*same_stretch)


def test_the_recipe_is_what_is_heard_and_nothing_changes_without_one(table: WaveformTable) -> None:
    level = float(np.std(clips_of(table, augment=LOUD)[0, 3]["waveforms"].numpy()))
    assert level == pytest.approx(0.1, rel=1e-3)  # -20 dB of full scale
    plain, empty = clips_of(table), clips_of(table, augment="[]")
    for key in ((0, 1), (2, 7)):
        assert torch.equal(plain[key]["waveforms"], empty[key]["waveforms"])


def test_validation_and_test_windows_are_left_as_they_are(table: WaveformTable) -> None:
    for plain, augmented in zip(
        *([WholeClips(table.paths.tolist(), TinyConfig(augment=recipe))[n] for n in range(3)] for recipe in ("", LOUD)),
        strict=True,
    ):
        np.testing.assert_array_equal(plain[0], augmented[0])


def test_babble_is_of_other_people_of_the_same_table_and_bona_fide(table: WaveformTable) -> None:
    augmentation = Augmentation(table, TinyConfig(augment=NOISY))
    for person in table.people():
        heard = set(augmentation.voices.into_clips_of(person).people)
        others = (table.speakers != person) & (table.labels == 1)
        assert heard == set(table.paths[others].tolist())
    alone = replace(table, speakers=np.full(len(table), "Ann_F001"))
    assert set(Augmentation(alone, TinyConfig(augment=NOISY)).voices.into_clips_of("Ann_F001").people) == set(
        table.paths[table.labels == 1].tolist()
    )


def test_recipes_are_written_so_that_files_may_change(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(LOUD)
    written = written_recipe(str(file))
    file.write_text("[]")
    assert parse_recipe(written).as_json() == json.loads(LOUD)
    assert name_of(written).startswith("own") and name_of("field") == "field"
    with pytest.raises(ValueError, match=r"must be a recipe, not the name of the file mine\.json"):
        TinyConfig(augment="mine.json")
    with pytest.raises(ValueError, match="Unknown recipe 'fields'; allowed: field"):
        TinyConfig(augment="fields")
    with pytest.raises(FileNotFoundError, match="no recipe"):
        written_recipe("absent.json")


def test_recordings_of_noise_are_mixed_in_where_a_folder_is_named(table: WaveformTable, tmp_path: Path) -> None:
    recipe = json.dumps([{"probability": 1, "one_of": [{"effect": "noise", "parameters": {"snr": 0}}]}])
    with pytest.raises(ValueError, match="needs a folder of recordings of noise"):
        Augmentation(table, TinyConfig(augment=recipe)).check()
    write_clips(tmp_path / "noises", 2, seed=9)
    config = {"augment": recipe, "noise_folder": str(tmp_path / "noises")}
    Augmentation(table, TinyConfig(**config)).check()
    heard, alone = (clips_of(table, **options)[0, 1]["waveforms"] for options in (config, {}))
    assert not torch.equal(heard, alone)
    with pytest.raises(ValueError, match="go with `augment`"):
        TinyConfig(noise_folder="noises")


def test_of_partly_spoofed_clips_no_window_changes_its_length(table: WaveformTable) -> None:
    recipe = json.dumps([{"probability": 1, "one_of": [{"effect": "speed", "parameters": {"factor": 1.25}}]}])
    stretch, rng = np.sin(np.arange(1600, dtype=np.float32)), np.random.default_rng(7)
    assert len(Augmentation(table, TinyConfig(augment=recipe))(stretch, 1, rng)) < 1600
    partly = replace(table, segments=np.array(["", "0.01-0.05", *[""] * (len(table) - 2)]))
    for number in (0, 1):
        assert len(Augmentation(partly, TinyConfig(augment=recipe))(stretch, number, rng)) == 1600
