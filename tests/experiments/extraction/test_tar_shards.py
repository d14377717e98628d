"""A corpus in tars gives the store of the same recordings as files, and each tar is read once, from front to back."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from src.audio.storage import places
from src.audio.storage.places import STRETCH, stretches_of
from src.audio.storage.tars import read_index
from src.backbones.lfcc import Lfcc
from src.experiments.corpus.catalogue import add_amplitude, add_duration, generate_tables
from src.experiments.corpus.splits import SplitShares, read_split, split_dataset
from src.experiments.extraction import readers
from src.experiments.extraction.batches import Batch, Piece, gather_batches, gather_by_stretch
from src.experiments.extraction.readers import read_ahead
from src.experiments.extraction.requests import Limits, Share
from src.utils.dataset import read_files
from src.utils.embeddings import load_embeddings, read_journal
from tests.audio.storage.made_tars import in_shards, moved_rows, write_tar
from tests.conftest import write_corpus
from tests.experiments.extraction.one_split import extract_one

SPLIT = "downstream_train"
SMALL = 30_000
"""Bytes of a stretch in these tests: two or three clips."""


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, str]]:
    """Return a corpus with tables and splits, the same in two tars, and file -> file there."""
    folder = tmp_path_factory.mktemp("shards")
    plain, tars = write_corpus(folder / "plain", people=8, clips=2), folder / "tars"
    generate_tables(plain)
    add_duration(plain, jobs=1)
    add_amplitude(plain, jobs=1)
    split_dataset(plain, SplitShares(pretext=0, train=0.5, val=0.25), seed=7)
    moved = in_shards(plain, tars, 2)
    generate_tables(tars, "webdataset")
    add_duration(tars, jobs=1)
    add_amplitude(tars, jobs=1)
    for table in (plain / "splits").rglob("files-*.csv"):  # the same people in the same splits
        place = tars / table.relative_to(plain)
        place.parent.mkdir(parents=True, exist_ok=True)
        moved_rows(pd.read_csv(table, dtype=str, keep_default_na=False), moved).to_csv(place, index=False)
    return plain, tars, moved


@pytest.fixture
def small_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "STRETCH", SMALL)


def vectors(dataset: Path, root: Path, **options: Any) -> dict[str, np.ndarray]:
    """Extract a split and return file -> its vector."""
    made = extract_one(dataset, SPLIT, Lfcc(), root=root, limits=Limits(batch_seconds=1.1), **options)
    table = load_embeddings(made.folder, pooling="mean+std")
    return dict(zip(table.files.tolist(), table.vectors, strict=True))


def test_tables_and_stores_are_those_of_the_files(
    corpora: tuple[Path, Path, dict[str, str]], tmp_path: Path, small_stretches: None
) -> None:
    plain, tars, moved = corpora
    columns = ["file", "label", "duration", "amplitude"]
    expected = moved_rows(read_files(plain), moved).sort_values("file")[columns].to_numpy().tolist()
    assert read_files(tars).sort_values("file")[columns].to_numpy().tolist() == expected
    one, other = vectors(plain, tmp_path / "plain"), vectors(tars, tmp_path / "tars")
    assert one.keys() and other.keys() == {moved[file] for file in one}
    for file, vector in one.items():
        np.testing.assert_array_equal(other[moved[file]], vector)


def test_shares_of_tars_make_the_store_of_one(
    corpora: tuple[Path, Path, dict[str, str]], tmp_path: Path, small_stretches: None
) -> None:
    _, tars, _ = corpora
    alone = vectors(tars, tmp_path / "one")
    first = extract_one(tars, SPLIT, Lfcc(), root=tmp_path / "two", share=Share(((0, 2),)), limits=Limits(1.1))
    stretches = stretches_of(tars, read_split(tars, SPLIT)["file"])
    mine = {stretches[file] for file in read_journal(first.folder)["file"]}
    assert mine == set(sorted(set(stretches.values()))[::2]), "whole stretches"
    second = extract_one(tars, SPLIT, Lfcc(), root=tmp_path / "two", share=Share(((1, 2),)), limits=Limits(1.1))
    table = load_embeddings(second.folder, pooling="mean+std")
    for file, vector in zip(table.files.tolist(), table.vectors, strict=True):
        np.testing.assert_array_equal(alone[file], vector)
    assert len(table.files) == len(alone)


LENGTHS = {f"{'ab'[n % 2]}.tar/{n}": 10 + n * 7 % 13 for n in range(40)} | {f"{n}.wav": n for n in range(1, 9)}
STRETCHES = {file: (file[:5], int(file[6:]) // 12) for file in LENGTHS if ".tar" in file}


def gather(lengths: dict[str, int]) -> list[tuple[Batch, ...]]:
    return gather_by_stretch(lengths, stretches=STRETCHES, batch_samples=30, window_samples=18)


def test_tars_come_in_order_and_files_as_ever() -> None:
    units = gather(LENGTHS)
    files = {file: n for file, n in LENGTHS.items() if ".tar" not in file}
    plain = gather_batches(files, batch_samples=30, window_samples=18)
    assert units[: len(plain)] == plain
    order = [{STRETCHES[piece.file] for batch in unit for piece in batch} for unit in units[len(plain) :]]
    assert [*map(len, order)] == [1] * len(order)
    assert [stretch for (stretch,) in order] == sorted(set(STRETCHES.values()))


def test_what_is_left_of_tars_falls_into_the_same_batches() -> None:
    """A run that resumes computes clips in the same batches as an uninterrupted run."""
    batches = [batch for unit in gather(LENGTHS) for batch in unit]
    whole = [batch for batch in batches if batch[0].n_windows == 1]
    done = {piece.file for batch in whole[::3] for piece in batch}
    left = [batch for batch in batches if batch[0].file not in done]
    waiting = {file: n for file, n in LENGTHS.items() if file not in done}
    assert [batch for unit in gather(waiting) for batch in unit] == left


class AtOnce:
    """An executor that carries out what is submitted at once, in this process."""

    def submit(self, function: Callable[..., Any], *given: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(function(*given))
        return done


def test_a_tar_is_read_once_and_from_front_to_back(
    corpora: tuple[Path, Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch, small_stretches: None
) -> None:
    """What is asked of the system covers each tar once, in order; every clip lies in what was asked for before."""
    _, tars, _ = corpora
    asked: list[tuple[str, int, int]] = []

    def advise(handle: int, start: int, size: int, _how: int) -> None:
        asked.append((Path(f"/proc/self/fd/{handle}").resolve().name, start, start + size))

    monkeypatch.setattr(places.os, "posix_fadvise", advise, raising=False)
    monkeypatch.setattr(readers, "_readers", AtOnce)
    files = read_files(tars)["file"].tolist()
    lengths = {file: 8000 - place for place, file in enumerate(files)}  # the last one is the shortest
    units = gather_by_stretch(lengths, stretches=stretches_of(tars, files), batch_samples=16_000, window_samples=1e9)
    batches = [batch for unit in units for batch in unit]
    assert [piece.file for batch in batches for piece in batch] != files, "batches are not in the order of the tars"
    seen = 0
    for sounds in read_ahead(tars, batches, rate=16_000, min_samples=1, ahead=1):
        for piece in (sound.piece for sound in sounds):
            tar, _, member = piece.file.partition("/")
            start, _ = read_index(tars / tar).find(member) or (0, 0)
            assert (tar, start // SMALL * SMALL, (start // SMALL + 1) * SMALL) == asked[-1]
            seen += 1
    assert seen == len(files)
    for tar in ("shard-000000.tar", "shard-000001.tar"):
        size = (tars / tar).stat().st_size
        mine = [(start, stop) for name, start, stop in asked if name == tar]
        assert mine == [(start, start + SMALL) for start in range(0, size, SMALL)][: len(mine)]
        assert size - mine[-1][1] < SMALL
    assert [name for name, *_ in asked] == sorted(name for name, *_ in asked)


def test_plain_files_are_not_announced(
    corpora: tuple[Path, Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, *_ = corpora
    submitted: list[Any] = []

    class Noting(AtOnce):
        def submit(self, function: Callable[..., Any], *given: Any) -> Future[Any]:
            submitted.append(function)
            return super().submit(function, *given)

    monkeypatch.setattr(readers, "_readers", Noting)
    batches: Iterator[Batch] = ((Piece(file),) for file in read_files(plain)["file"][:3])
    assert len([*read_ahead(plain, batches, rate=16_000, min_samples=1)]) == len(submitted) == 3


def test_a_damaged_tar_ends_the_extraction_in_one_line(
    corpora: tuple[Path, Path, dict[str, str]], tmp_path: Path
) -> None:
    _, tars, _ = corpora
    shard = tars / "shard-000001.tar"
    whole = shard.read_bytes()
    try:
        shard.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ValueError, match=r"shard-000001\.tar is damaged or truncated"):
            vectors(tars, tmp_path)
        write_tar(shard, {"other.flac": b"other"})
        with pytest.raises(FileNotFoundError, match=r"recordings that the splits of .* list are missing"):
            vectors(tars, tmp_path)
    finally:
        shard.write_bytes(whole)


def test_a_stretch_is_half_an_hour_of_speech_or_more() -> None:
    assert STRETCH / (2 * 16_000 * 60) > 30
