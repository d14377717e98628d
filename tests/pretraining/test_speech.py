"""Batches of crops: nothing made up, the same whenever they are drawn, unreadable recordings named."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from src.pretraining.contract import PretrainingConfig
from src.pretraining.speech import GRID, Crops, Speech
from src.utils.waveform_table import WaveformTable
from tests.pretraining.smaller import table_of
from tests.pretraining.tiny import tiny_objective

SECONDS = (0.4, 1.0, 1.3, 1.6, 2.0, 2.2, 2.6, 3.1, 4.0, 5.0)
NOISY = '[{"probability": 1.0, "one_of": [{"effect": "white", "parameters": {"snr": 10}}]}]'
CONFIG = PretrainingConfig(objective="mel", front_end="mel", crop_seconds=2.0, batch_seconds=4.0)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> WaveformTable:
    """Return clips of noise, of which no two stretches are the same."""
    return table_of(tmp_path_factory.mktemp("clips"), SECONDS)


@pytest.fixture(scope="module")
def speech(table: WaveformTable) -> Speech:
    return Speech.of(table, CONFIG.crop_seconds)


def crops_of(speech: Speech, config: PretrainingConfig = CONFIG, seed: int = 7) -> Crops:
    return Crops(speech, config, tiny_objective("mel", objective="mel"), seed)


def test_short_clips_are_left_out_and_crops_lie_on_a_grid(speech: Speech) -> None:
    assert len(speech.table) == len(SECONDS) - 1
    assert set(speech.lengths % GRID) == {0} and speech.lengths.max() == 32_000


def test_a_batch_is_as_long_as_its_shortest_clip_and_no_longer_than_asked_for(speech: Speech) -> None:
    crops = crops_of(speech)
    for number in range(3 * crops.a_round):
        batch = crops[number]
        assert batch["clean"].numel() <= 64_000 and set(batch) == {"clean", "masks", "drawn"}
        assert batch["masks"].shape == (len(batch["clean"]), batch["clean"].shape[1] // 320)
    assert crops.seconds_until(crops.a_round) == pytest.approx(crops.mean_seconds * crops.a_round)


def test_a_round_sees_every_clip_once(speech: Speech) -> None:
    first, second = (speech.batches(64_000, np.random.default_rng(seed)) for seed in (1, 2))
    assert sorted(np.concatenate(first)) == list(range(len(speech.table)))
    lengths = [sorted(speech.lengths[batch].min() * len(batch) for batch in found) for found in (first, second)]
    assert lengths[0] == lengths[1]  # so that hours seen are known beforehand


def test_every_crop_is_a_stretch_of_its_recording(speech: Speech) -> None:
    crops = crops_of(speech)
    whole = [soundfile.read(path, dtype="float32")[0] for path in speech.table.paths]
    for crop in crops[0]["clean"].numpy():
        starts = [(clip, np.flatnonzero(clip[: len(clip) - len(crop) + 1] == crop[0])) for clip in whole]
        assert any(np.array_equal(clip[at : at + len(crop)], crop) for clip, found in starts for at in found)


def test_a_batch_follows_from_seed_and_number(speech: Speech) -> None:
    one, again, other = crops_of(speech), crops_of(speech), crops_of(speech, seed=8)
    for number in (5, 0):
        assert torch.equal(one[number]["clean"], again[number]["clean"])
        assert torch.equal(one[number]["masks"], again[number]["masks"])
    assert not torch.equal(one[0]["masks"], one[one.a_round]["masks"])
    assert one[0]["clean"].shape != other[0]["clean"].shape or not torch.equal(one[0]["clean"], other[0]["clean"])


def test_processes_that_are_not_forked_read_the_same(speech: Speech) -> None:
    crops = crops_of(speech)
    sent = pickle.loads(pickle.dumps(crops))
    for number in (2 * crops.a_round, crops.a_round, 0):
        assert torch.equal(sent[number]["clean"], crops[number]["clean"])


def test_what_is_heard_is_augmented_and_what_is_to_be_found_is_not(speech: Speech) -> None:
    noisy = PretrainingConfig(objective="mel", crop_seconds=2.0, batch_seconds=4.0, augment=NOISY)
    augmented, plain = crops_of(speech, noisy)[0], crops_of(speech)[0]
    assert torch.equal(augmented["clean"], plain["clean"])
    assert augmented["heard"].shape == plain["clean"].shape and not torch.equal(augmented["heard"], plain["clean"])


def test_held_out_batches_are_always_the_same(speech: Speech) -> None:
    assert torch.equal(crops_of(speech).held_out(1)["clean"], crops_of(speech).held_out(1)["clean"])


def test_a_recording_that_cannot_be_read_is_named(table: WaveformTable, tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    paths = table.paths.astype(object)
    paths[3] = str(broken)
    with pytest.raises(ValueError, match=r"broken\.wav cannot be used.*fab AddDatasetDuration"):
        Speech.of(WaveformTable(**{**vars(table), "paths": paths}), 2.0)
