"""The batches of a training: every clip in every epoch, pairs side by side, windows that depend on nothing else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from src.detectors.training.clips import EpochBatches, TrainingClips, collate, units_of
from src.utils.waveform_table import WaveformTable
from tests.detectors.tiny import TinyConfig, write_clips


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> WaveformTable:
    return write_clips(tmp_path_factory.mktemp("clips"), 10, seed=3)


def test_an_epoch_has_each_clip_at_most_once_and_another_order_than_the_next() -> None:
    batches = EpochBatches([[number] for number in range(10)], 3, seed=7)
    epochs = []
    for epoch in (0, 1):
        batches.set_epoch(epoch)
        epochs.append(list(batches))
        numbers = [number for batch in epochs[-1] for _, number in batch]
        assert len(numbers) == len(set(numbers)) == 9
        assert {key for batch in epochs[-1] for key, _ in batch} == {epoch}
    assert epochs[0] != epochs[1]
    batches.set_epoch(0)
    assert list(batches) == epochs[0]
    assert [len(batch) for batch in EpochBatches([[0], [1]], 3, seed=7)] == [2]


def test_pairs_stay_side_by_side(table: WaveformTable) -> None:
    originals = np.array(["", table.files[0], "", table.files[2], "", "absent", "", "", "", ""])
    paired = replace(table, originals=originals)
    assert units_of(paired, paired=True) == [[0, 1], [2, 3], [4], [5], [6], [7], [8], [9]]
    assert units_of(paired, paired=False) == [[number] for number in range(10)]


def test_only_a_spoof_and_a_bona_fide_clip_are_a_pair(table: WaveformTable) -> None:
    files = table.files  # bona fide are those of even numbers: a spoof of a spoof, a clip of itself, two bona fide ones
    originals = np.array(["", files[0], "", files[1], files[4], files[5], files[2], "", "", ""])
    units = units_of(replace(table, originals=originals), paired=True)
    assert units == [[0, 1], [2], [3], [4], [5], [6], [7], [8], [9]]


def test_a_window_depends_on_seed_epoch_and_clip_alone(table: WaveformTable) -> None:
    clips = TrainingClips(table, TinyConfig(seconds=0.1, mask_seconds=0.05), seed=7)
    again = TrainingClips(table, TinyConfig(seconds=0.1, mask_seconds=0.05), seed=7)
    list(map(again.__getitem__, [(0, 5), (3, 2)]))
    assert torch.equal(clips[2, 4]["waveforms"], again[2, 4]["waveforms"])
    assert not torch.equal(clips[2, 4]["waveforms"], clips[3, 4]["waveforms"])


@pytest.mark.parametrize("padding", ["repeat", "zeros"])
def test_short_clips_fill_the_window(table: WaveformTable, padding: str) -> None:
    item = TrainingClips(table, TinyConfig(seconds=1.0, padding=padding), seed=7)[0, 1]
    window, own = item["waveforms"], int(item["lengths"])
    assert window.shape == (16_000,)
    if padding == "zeros":
        assert 1_600 <= own < 9_700
        assert not window[own:].any()
        assert window[:own].any()
    else:
        assert own == 16_000
        assert window[-1_000:].any()


def test_an_error_stands_for_its_batch(table: WaveformTable, tmp_path: Path) -> None:
    (tmp_path / "bad.flac").write_bytes(b"no sound")
    broken = replace(table, paths=np.array([str(tmp_path / "bad.flac"), *table.paths[1:]]))
    clips = TrainingClips(broken, TinyConfig(), seed=7)
    assert "bad.flac" in collate([clips[0, 1], clips[0, 0]])["error"]


@pytest.mark.parametrize("padding", ["repeat", "zeros"])
def test_windows_can_be_brought_to_one_level_in_training_and_in_tests(table: WaveformTable, padding: str) -> None:
    from src.detectors.training.scoring import WholeClips

    config = TinyConfig(seconds=0.5, padding=padding, even_level=True)
    item = TrainingClips(table, config, seed=7)[0, 2]
    window, own = item["waveforms"][: item["lengths"]].numpy(), item["lengths"]
    assert np.sqrt(np.mean(window**2)) == pytest.approx(0.1, rel=1e-5)
    read = WholeClips(table.paths.tolist(), config)[2]
    assert not isinstance(read, str)
    windows, owns = read
    if len(windows) == 1:  # a clip shorter than a window is seen whole, in training as in tests
        assert own == owns[0]
        np.testing.assert_allclose(windows[0][:own], window, rtol=1e-5)
    quiet = TrainingClips(table, TinyConfig(seconds=0.5, padding=padding), seed=7)[0, 2]["waveforms"].numpy()
    assert np.sqrt(np.mean(quiet**2)) != pytest.approx(0.1, rel=1e-2)


def test_pre_emphasis_takes_off_the_sample_before(table: WaveformTable) -> None:
    plain = TrainingClips(table, TinyConfig(seconds=0.3), seed=7)[0, 1]["waveforms"]
    emphasised = TrainingClips(table, TinyConfig(seconds=0.3, pre_emphasis=0.97), seed=7)[0, 1]["waveforms"]
    torch.testing.assert_close(emphasised[1:], plain[1:] - 0.97 * plain[:-1])
    assert emphasised[0] == plain[0]
