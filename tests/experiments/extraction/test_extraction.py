import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from src.audio.io import load_waveform
from src.backbones.lfcc import Lfcc, lfcc
from src.experiments.corpus.catalogue import add_duration, generate_tables
from src.experiments.corpus.splits import SplitShares, read_split, split_dataset
from src.experiments.extraction import local, readers
from src.experiments.extraction.batches import Batch, Piece
from src.experiments.extraction.engines import extract_splits
from src.experiments.extraction.readers import Sound
from src.experiments.extraction.requests import Extraction, Limits, Request
from src.utils.dataset import person_of, read_rejected
from src.utils.embeddings import load_embeddings
from src.utils.paths import embeddings_folder
from tests.experiments.extraction.one_split import extract_one

SPLIT = "downstream_train"
SHARES = SplitShares(pretext=0, train=0.5, val=0.25)
LENGTHS = (0.5, 0.02, 1.3, 0.5, 0.31)
"""Seconds of the clips, over and over; 0.02 s is a single frame."""


class Spy(Lfcc):
    """The features, and a record of what they were asked for."""

    def __init__(self, **identity: Any) -> None:
        self.batches: list[list[int]] = []
        self.changes = identity

    def identity(self) -> dict[str, Any]:
        return {**super().identity(), **self.changes}

    def statistics(self, waveforms: Sequence[np.ndarray]) -> tuple[np.ndarray, list[int]]:
        self.batches.append([len(waveform) for waveform in waveforms])
        return super().statistics(waveforms)

    @property
    def n_clips(self) -> int:
        return sum(map(len, self.batches))


@pytest.fixture
def dataset(make_corpus: Callable[..., Path]) -> Path:
    """Return a corpus of eight people and clips of several lengths, with tables and splits."""
    dataset = make_corpus("corpus", people=8, clips=2)
    for number, path in enumerate(sorted(dataset.rglob("*.flac"))):
        waveform, rate = soundfile.read(path)
        soundfile.write(path, np.resize(waveform, int(LENGTHS[number % len(LENGTHS)] * rate)), rate)
    generate_tables(dataset)
    add_duration(dataset, jobs=1)
    split_dataset(dataset, SHARES, seed=7)
    return dataset


def run(dataset: Path, backbone: Lfcc, *, root: Path, batch_seconds: float | None = None) -> Extraction:
    return extract_one(dataset, SPLIT, backbone, root=root, limits=Limits(batch_seconds))


def store(root: Path) -> Path:
    return embeddings_folder(root, root / "datasets" / "corpus", "lfcc", SPLIT)


def assert_each_clip_computed_alone(dataset: Path, folder: Path, left_out: Sequence[str] = ()) -> None:
    """Compare a store with its split: the clips in order, every value as that clip alone gives it."""
    clips = read_split(dataset, SPLIT)
    clips = clips[~clips["file"].isin(left_out)]
    table = load_embeddings(folder, pooling="mean+std")
    assert table.files.tolist() == clips["file"].tolist()
    assert table.labels.tolist() == (clips["label"] == "bona-fide").astype(int).tolist()
    assert table.speakers.tolist() == person_of(clips).tolist()
    for file, vector in zip(table.files, table.vectors, strict=True):
        frames = lfcc(load_waveform(dataset / file))
        expected = np.concatenate([frames.mean(axis=0), frames.std(axis=0)]).astype(np.float32)
        np.testing.assert_array_equal(vector, expected, err_msg=file)


@pytest.mark.parametrize("batch_seconds", [None, 0.001, 1.4])
def test_a_batch_gives_what_each_clip_gives_alone(dataset: Path, tmp_path: Path, batch_seconds: float | None) -> None:
    """Fault 7: one clip at a time."""
    spy = Spy()
    made = run(dataset, spy, root=tmp_path, batch_seconds=batch_seconds)
    n_clips = len(read_split(dataset, SPLIT))
    assert (made.n_clips, made.n_computed, made.n_rejected) == (n_clips, n_clips, 0)
    assert str(made) == f"{n_clips} clips in {store(tmp_path)}, {n_clips} of them computed now"
    assert_each_clip_computed_alone(dataset, made.folder)
    for batch in spy.batches:
        assert len(batch) == 1 or len(batch) * max(batch) <= (batch_seconds or 60) * 16_000
    if batch_seconds is None:
        assert [len(set(batch)) for batch in spy.batches] == [1] * 4, "a batch for each of the four lengths"


def test_clips_of_like_length_meet_in_a_batch(dataset: Path, tmp_path: Path) -> None:
    spy = Spy()
    run(dataset, spy, root=tmp_path, batch_seconds=3)
    assert len(spy.batches) > 1
    lengths = [length for batch in spy.batches for length in batch]
    assert lengths == sorted(lengths)


def test_an_embedding_is_small_whatever_the_clip_lasts(dataset: Path, tmp_path: Path) -> None:
    """Fault 7: all frames were kept, one file per clip."""
    made = run(dataset, Spy(), root=tmp_path)
    assert {path.name for path in made.folder.rglob("*") if path.is_file()} == {
        ".lock", ".lock-all", "index.csv", "journal.csv", "layer-00.f32", "meta.json",
    }  # fmt: skip
    assert (made.folder / "layers" / "layer-00.f32").stat().st_size == made.n_clips * 2 * 120 * 4


def test_finished_clips_are_skipped(dataset: Path, tmp_path: Path) -> None:
    """Fault 7: no resume."""
    run(dataset, Spy(), root=tmp_path)
    again = Spy()
    made = run(dataset, again, root=tmp_path)
    assert (made.n_computed, again.n_clips, made.n_clips) == (0, 0, len(read_split(dataset, SPLIT)))


@pytest.mark.parametrize("n_batches", [0, 1, 4])
def test_an_interrupted_run_resumes_where_it_stopped(dataset: Path, tmp_path: Path, n_batches: int) -> None:
    """Fault 7: no resume."""

    class Interrupted(Spy):
        def statistics(self, waveforms: Sequence[np.ndarray]) -> tuple[np.ndarray, list[int]]:
            if len(self.batches) == n_batches:
                raise KeyboardInterrupt
            return super().statistics(waveforms)

    first, second = Interrupted(), Spy()
    with pytest.raises(KeyboardInterrupt):
        run(dataset, first, root=tmp_path, batch_seconds=0.001)
    with pytest.raises(FileNotFoundError, match=r"are not finished: .*fab GenerateEmbeddings --backbone=lfcc"):
        load_embeddings(store(tmp_path))
    made = run(dataset, second, root=tmp_path)
    assert first.n_clips == n_batches
    assert second.n_clips == made.n_computed == made.n_clips - n_batches
    assert_each_clip_computed_alone(dataset, made.folder)
    undisturbed = run(dataset, Spy(), root=tmp_path / "undisturbed")
    for pooling in ("mean", "std"):
        np.testing.assert_array_equal(
            load_embeddings(made.folder, pooling=pooling).vectors,
            load_embeddings(undisturbed.folder, pooling=pooling).vectors,
        )
    assert (made.folder / "meta.json").read_text() == (undisturbed.folder / "meta.json").read_text()


def test_another_split_computes_only_the_clips_that_are_new_to_it(dataset: Path, tmp_path: Path) -> None:
    run(dataset, Spy(), root=tmp_path)
    before = set(read_split(dataset, SPLIT)["file"])
    split_dataset(dataset, SHARES, seed=8)
    now = set(read_split(dataset, SPLIT)["file"])
    assert before & now, "somebody stays"
    assert now - before, "somebody comes"
    assert before - now, "somebody goes"
    spy = Spy()
    made = run(dataset, spy, root=tmp_path)
    assert spy.n_clips == made.n_computed == len(now - before)
    assert made.n_clips == len(now)
    assert_each_clip_computed_alone(dataset, made.folder)
    split_dataset(dataset, SHARES, seed=7)
    assert run(dataset, Spy(), root=tmp_path).n_computed == 0, "the rows of those who left were kept"
    assert_each_clip_computed_alone(dataset, made.folder)


def test_a_recording_that_changed_is_refused(dataset: Path, tmp_path: Path) -> None:
    run(dataset, Spy(), root=tmp_path)
    first = sorted(read_split(dataset, SPLIT)["file"])[0]
    waveform, rate = soundfile.read(dataset / first)
    soundfile.write(dataset / first, waveform[::-1], rate)
    spy = Spy()
    with pytest.raises(ValueError, match=f"1 recordings changed since .* was made \\(first: {first}\\)") as caught:
        run(dataset, spy, root=tmp_path)
    assert "\n" not in str(caught.value)
    assert spy.n_clips == 0


@pytest.mark.parametrize(
    ("change", "window_seconds", "difference"),
    [
        ({"digest": "another model"}, 30, "digest is 'frame 320.*' there, 'another model' now"),
        ({"precision": "bf16"}, 30, "precision is 'fp64' there, 'bf16' now"),
        ({"model": "other"}, 30, "model is 'lfcc-40' there, 'other' now"),
        ({"layers": [0, 1, 2]}, 30, "layers is 0 there, 0-2 now"),
        ({}, 20, r"max_seconds is 30\.0 there, 20 now"),
    ],
)
def test_embeddings_of_another_kind_are_refused(
    dataset: Path, tmp_path: Path, change: dict[str, Any], window_seconds: float, difference: str
) -> None:
    run(dataset, Spy(), root=tmp_path)
    spy = Spy(**change)
    line = f"holds embeddings of another kind: {difference}. Delete that folder"
    with pytest.raises(ValueError, match=line) as caught:
        extract_one(dataset, SPLIT, spy, root=tmp_path, limits=Limits(None, window_seconds))
    assert "\n" not in str(caught.value)
    assert spy.n_clips == 0
    assert run(dataset, Spy(), root=tmp_path).n_computed == 0


def test_clips_that_cannot_be_used_are_listed_and_left_out_until_they_can(dataset: Path, tmp_path: Path) -> None:
    files = sorted(read_split(dataset, SPLIT)["file"])[:4]
    whole = (dataset / files[1]).read_bytes()
    soundfile.write(dataset / files[0], np.zeros(8000), 16_000)
    (dataset / files[1]).write_bytes(b"this is no sound")
    soundfile.write(dataset / files[2], 0.1 * np.ones(300) * np.arange(300) % 1, 16_000)

    class NotFinite(Spy):
        def statistics(self, waveforms: Sequence[np.ndarray]) -> tuple[np.ndarray, list[int]]:
            pooled, frames = super().statistics(waveforms)
            spoilt = np.array([len(waveform) == len(load_waveform(dataset / files[3])) for waveform in waveforms])
            pooled[spoilt, 0, 1, 7] = np.nan
            return pooled, frames

    soundfile.write(dataset / files[3], np.sin(np.arange(7777)), 16_000)
    made = run(dataset, NotFinite(), root=tmp_path)
    n_clips = len(read_split(dataset, SPLIT))
    assert (made.n_clips, made.n_computed, made.n_rejected) == (n_clips - 4, n_clips - 4, 4)
    assert str(made).endswith("; 4 clips left out, see rejected-files.csv")
    rejected = read_rejected(dataset)
    assert sorted(rejected) == files
    assert rejected[files[0]] == "silent (no sample above -80 dBFS)"
    assert rejected[files[1]].startswith("unreadable")
    assert rejected[files[2]] == "too short (300 samples at 16000 Hz; a frame needs 320)"
    assert rejected[files[3]] == "its embedding is not finite"
    assert_each_clip_computed_alone(dataset, made.folder, left_out=files)

    (dataset / files[1]).write_bytes(whole)
    made = run(dataset, Spy(), root=tmp_path)
    assert (made.n_clips, made.n_computed, made.n_rejected) == (n_clips - 3, 1, 3), "others are not tried again"
    soundfile.write(dataset / files[3], np.sin(np.arange(7777) / 2), 16_000)
    made = run(dataset, Spy(), root=tmp_path)
    assert (made.n_clips, made.n_computed, made.n_rejected) == (n_clips - 2, 1, 2)
    assert_each_clip_computed_alone(dataset, made.folder, left_out=[files[0], files[2]])


def test_a_split_of_which_no_clip_can_be_used_is_an_error(dataset: Path, tmp_path: Path) -> None:
    for file in read_split(dataset, SPLIT)["file"]:
        soundfile.write(dataset / file, np.zeros(8000), 16_000)
    n_clips = len(read_split(dataset, SPLIT))
    for _ in range(2):  # the first time and ever after
        with pytest.raises(ValueError, match=rf"None of the {n_clips} clips of {SPLIT} can be used \(.*: silent"):
            run(dataset, Spy(), root=tmp_path)
    assert len(read_rejected(dataset)) == n_clips


def test_recordings_that_are_missing_stop_the_step(dataset: Path, tmp_path: Path) -> None:
    first = read_split(dataset, SPLIT)["file"][0]
    (dataset / first).unlink()
    with pytest.raises(FileNotFoundError, match=f"1 recordings .* are missing .first: {first}.*GenerateDatasetCSV"):
        run(dataset, Spy(), root=tmp_path)


def test_bad_names_are_refused_before_the_model_is_loaded(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loaded(*_: Any, **__: Any) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(local, "load_backbone", loaded)
    with pytest.raises(ValueError, match="Unknown split 'exam'"):
        list(extract_splits(Request(dataset, [SPLIT, "exam"], "lfcc"), root=tmp_path))
    with pytest.raises(FileNotFoundError, match=r"was not made .*run fab SplitDataset"):
        list(extract_splits(Request(dataset, ["pretext_val"], "lfcc"), root=tmp_path))
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*nowhere"):
        list(extract_splits(Request(tmp_path / "nowhere", [SPLIT], "lfcc"), root=tmp_path))


@pytest.mark.parametrize(
    ("limits", "line"),
    [
        ((-1, 30), "`batch_seconds` must be above 0 (left out: automatic), not -1."),
        ((0, 30), "`batch_seconds` must be above 0 (left out: automatic), not 0."),
        ((np.inf, 30), "`batch_seconds` must be above 0 (left out: automatic), not inf."),
        ((np.nan, 30), "`batch_seconds` must be above 0 (left out: automatic), not nan."),
        ((None, 0.5), "`max_seconds` must be 1 or more, not 0.5."),
        ((None, np.inf), "`max_seconds` must be 1 or more, not inf."),
    ],
)
def test_limits_that_cannot_be_are_refused(limits: tuple[float | None, float], line: str) -> None:
    with pytest.raises(ValueError) as caught:
        Limits(*limits)
    assert str(caught.value) == line


def test_splits_are_extracted_one_after_another_into_folders_of_their_own(dataset: Path, tmp_path: Path) -> None:
    splits = ["downstream_val", "downstream_test"]
    made = list(extract_splits(Request(dataset, splits, "lfcc"), root=tmp_path))
    assert [each.folder for each in made] == [tmp_path / "embeddings" / "corpus" / "lfcc" / split for split in splits]
    for each, split in zip(made, splits, strict=True):
        assert load_embeddings(each.folder).files.tolist() == read_split(dataset, split)["file"].tolist()


def test_the_time_it_took_and_the_wait_for_recordings_are_reported(dataset: Path, tmp_path: Path) -> None:
    made = run(dataset, Spy(), root=tmp_path)
    assert 0 < made.waited < made.seconds


def test_a_recording_that_kills_its_reader_is_left_out_by_name(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    culprit = sorted(read_split(dataset, SPLIT)["file"])[3]
    real = readers._read_piece

    def deadly(dataset: Path, rate: int, min_samples: int, piece: Piece) -> Sound:
        if piece.file == culprit:
            os.kill(os.getpid(), signal.SIGSEGV)
        return real(dataset, rate, min_samples, piece)

    def read_batch(dataset: Path, rate: int, min_samples: int, batch: Batch) -> list[Sound]:
        return [deadly(dataset, rate, min_samples, piece) for piece in batch]

    monkeypatch.setattr(readers, "_read_batch", read_batch)
    made = run(dataset, Spy(), root=tmp_path, batch_seconds=1.4)
    assert made.n_rejected == 1
    assert read_rejected(dataset) == {culprit: "unreadable (the decoder crashed: SIGSEGV)"}
    assert_each_clip_computed_alone(dataset, made.folder, left_out=[culprit])
