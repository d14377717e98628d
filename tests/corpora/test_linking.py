"""Recordings in storage over a network: links stand for them, and each is fetched when it is first read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import joblib
import numpy as np
import pandas as pd
import pytest

from src.audio.arriving import open_file
from src.audio.io import load_waveform
from src.audio.storage import source as source_module
from src.audio.storage.places import exists, in_reading_order, locate, stretches_of
from src.audio.storage.source import Source
from src.corpora.linking import link_corpus
from src.deploy.found_files import find_files
from src.experiments.corpus.catalogue import add_duration, generate_tables
from src.experiments.corpus.checking import check_corpus
from src.experiments.corpus.fingerprints import take_fingerprints
from src.experiments.corpus.splits import SplitShares, read_split, split_dataset
from src.experiments.corpus.spoofing import create_spoofs
from src.utils.dataset import read_files
from src.utils.embeddings import load_embeddings
from src.utils.files import fingerprint
from tests.audio.storage.made_tars import in_shards
from tests.conftest import write_corpus
from tests.experiments.extraction.one_split import extract_one

SPLIT = "downstream_train"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small corpus with tables."""
    corpus = write_corpus(tmp_path_factory.mktemp("plain") / "corpus", people=6, clips=2)
    generate_tables(corpus)
    return corpus


@pytest.fixture
def bucket(plain: Path) -> Iterator[Any]:
    """Return a storage in memory that holds the corpus in `bucket/corpus`, and counts what is fetched."""
    storage: Any = fsspec.filesystem("memory")
    storage.put(f"{plain}/", "/bucket/corpus/", recursive=True)
    storage.rm("/bucket/corpus/files-metadata.csv")
    storage.pipe("/bucket/corpus/.hidden/1.flac", b"hidden")
    storage.pipe("/bucket/corpus/notes/README.txt", b"what it is")
    yield storage
    storage.rm("/bucket", recursive=True)


@pytest.fixture
def gets(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    got: list[str] = []
    real = type(bucket).get_file

    def get_file(self: Any, name: str, target: str) -> None:
        got.append(name.removeprefix("/bucket/corpus/"))
        real(self, name, target)

    monkeypatch.setattr(type(bucket), "get_file", get_file)
    return got


URL = "memory://bucket/corpus"


def linked(dataset: Path, url: str = URL, cache_gb: float = 1.0) -> Path:
    source_module._opened.cache_clear()
    link_corpus(dataset, Source(url, cache_gb))
    return dataset


def recordings(dataset: Path) -> list[str]:
    return sorted(read_files(dataset)["file"])


def test_tables_and_fingerprints_need_no_recording(bucket: Any, plain: Path, tmp_path: Path, gets: list[str]) -> None:
    found = link_corpus(tmp_path / "c", Source(URL))
    assert (found.n_recordings, found.notes) == (len(read_files(plain)), ())
    assert f"{found.n_recordings} recordings or tars (" in str(found)
    assert sorted(gets) == ["notes/README.txt", "people-metadata.csv"], "small files are copied"
    assert (tmp_path / "c" / "notes" / "README.txt").read_text() == "what it is"
    assert not (tmp_path / "c" / ".hidden").exists()
    generate_tables(tmp_path / "c")
    pd.testing.assert_frame_equal(read_files(tmp_path / "c"), read_files(plain))
    assert check_corpus(tmp_path / "c", listen=False).is_clean
    prints = take_fingerprints(tmp_path / "c", recordings(plain))
    assert len(set(prints.values())) == len(prints)
    assert len(gets) == 2, "and still nothing else was fetched"
    assert not (tmp_path / "c" / ".fetched").exists()


def test_each_recording_is_fetched_once_when_it_is_read(
    bucket: Any, plain: Path, tmp_path: Path, gets: list[str]
) -> None:
    dataset = linked(tmp_path / "c")
    gets.clear()
    for _ in range(2):
        for file in recordings(plain):
            np.testing.assert_array_equal(load_waveform(dataset / file), load_waveform(plain / file))
    assert sorted(gets) == recordings(plain)
    assert all((dataset / file).is_file() for file in recordings(plain)), "links lead to what was fetched"


def test_the_limit_is_kept(bucket: Any, plain: Path, tmp_path: Path, gets: list[str]) -> None:
    files = recordings(plain)
    size = max((plain / file).stat().st_size for file in files)
    dataset = linked(tmp_path / "c", cache_gb=8 * size / 1e9)
    for file in files:
        np.testing.assert_array_equal(load_waveform(dataset / file), load_waveform(plain / file))
        assert sum(path.stat().st_size for path in dataset.glob(".fetched/*/*")) <= 8 * size
    assert len(gets) == len(files) + 2


def test_what_changed_is_linked_anew_and_never_taken_for_the_old(bucket: Any, plain: Path, tmp_path: Path) -> None:
    dataset, files = linked(tmp_path / "c"), recordings(plain)
    before = take_fingerprints(dataset, files)
    load_waveform(dataset / files[0])
    bucket.pipe(f"/bucket/corpus/{files[0]}", (plain / files[1]).read_bytes())
    bucket.pipe(f"/bucket/corpus/{files[1]}", (plain / files[0]).read_bytes())
    bucket.rm(f"/bucket/corpus/{files[2]}")
    np.testing.assert_array_equal(load_waveform(dataset / files[0]), load_waveform(plain / files[0]))  # still kept
    with pytest.raises(OSError, match="changed since it was listed: run GenerateDatasetCSV with `source=memory://"):
        load_waveform(dataset / files[1])
    with pytest.raises(FileNotFoundError, match=rf"There is no {URL}/{files[2]}: was it removed"):
        load_waveform(dataset / files[2])
    (dataset / files[3]).unlink()
    (dataset / files[3]).write_bytes((plain / files[3]).read_bytes())  # a copy of one's own
    linked(dataset)
    after = take_fingerprints(dataset, [file for file in files if file != files[2]])
    assert {file for file in after if after[file] != before[file]} == {files[0], files[1], files[3]}
    np.testing.assert_array_equal(load_waveform(dataset / files[0]), load_waveform(plain / files[1]))
    assert not (dataset / files[2]).is_symlink()
    assert not (dataset / files[3]).is_symlink()
    assert fingerprint(dataset / files[3]) == fingerprint(plain / files[3])


def test_other_processes_fetch_as_well_and_the_store_is_that_of_files(plain: Path, tmp_path: Path) -> None:
    from src.backbones.lfcc import Lfcc

    stores = []
    for dataset in (plain, linked(tmp_path / "c", f"file://{plain}")):
        generate_tables(dataset)
        add_duration(dataset, jobs=2 if dataset != plain else 1)
        split_dataset(dataset, SplitShares(pretext=0, train=0.5, val=0.25), seed=7)
        stores.append(load_embeddings(extract_one(dataset, SPLIT, Lfcc(), root=tmp_path / dataset.name).folder))
    assert stores[0].files.tolist() == stores[1].files.tolist() == read_split(plain, SPLIT)["file"].tolist()
    np.testing.assert_array_equal(stores[0].vectors, stores[1].vectors)


def test_tars_are_fetched_as_a_whole(bucket: Any, plain: Path, tmp_path: Path, gets: list[str]) -> None:
    moved = in_shards(plain, tmp_path / "tars", 2)
    bucket.put(f"{tmp_path / 'tars'}/", "/bucket/tars/", recursive=True)
    dataset = linked(tmp_path / "c", "memory://bucket/tars")
    generate_tables(dataset, "webdataset")
    assert sorted(gets) == ["/bucket/tars/shard-000000.tar", "/bucket/tars/shard-000001.tar"]
    for file, inside in moved.items():
        np.testing.assert_array_equal(load_waveform(dataset / inside), load_waveform(plain / file))
        assert locate(dataset / inside).is_member
    files = list(moved.values())
    assert stretches_of(dataset, files) == {file: (file.partition("/")[0], 0) for file in files}
    assert in_reading_order(dataset, files) == sorted(files, key=lambda file: file.partition("/")[0])
    assert len(set(take_fingerprints(dataset, files).values())) == len(files)
    assert len(gets) == 2
    assert exists(dataset / "shard-000000.tar" / "none.flac"), "not known before it is fetched"
    with pytest.raises(FileNotFoundError, match="did the tar change"):
        load_waveform(dataset / "shard-000000.tar" / "none.flac")


def test_a_link_is_read_from_within_its_folder(
    bucket: Any, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, path = linked(tmp_path / "c"), Path(recordings(plain)[0])
    monkeypatch.chdir(dataset / path.parent)
    np.testing.assert_array_equal(load_waveform(Path(path.name)), load_waveform(plain / path))


def test_who_looks_for_a_recording_finds_one_that_is_not_here_yet(bucket: Any, plain: Path, tmp_path: Path) -> None:
    dataset, file = linked(tmp_path / "c"), recordings(plain)[0]
    folder = (dataset / file).parent
    assert find_files(f"{folder}/*.flac") == sorted(folder.iterdir())
    load_waveform(dataset / file)
    assert len(find_files(str(dataset))) == len(recordings(plain)), "what was fetched is not counted twice"
    linked(tmp_path / "e")
    source = open_file(tmp_path / "e" / file)
    assert sum(map(len, source.chunks)) == len(load_waveform(plain / file))
    with joblib.parallel_config(backend="sequential"):
        assert create_spoofs(linked(tmp_path / "d"), vocoder="lpc").n_clips > 0


def test_what_storages_put_in_place_of_folders_is_no_object(
    bucket: Any, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = Source(URL).objects() | {"real_voices/": (0, "etag"), "a//b.flac": (9, "etag"), "source.json": (2, "etag")}
    monkeypatch.setattr(Source, "objects", lambda source: listed)
    found = link_corpus(tmp_path / "c", Source(URL))
    assert found.n_recordings == len(read_files(plain))
    assert found.notes == ("Objects whose names cannot be those of files, passed over: 1 (a//b.flac).",)


def test_links_of_other_kinds_are_followed(plain: Path, tmp_path: Path) -> None:
    file = plain / recordings(plain)[0]
    (tmp_path / "link.flac").symlink_to(file)
    assert locate(tmp_path / "link.flac").size == file.stat().st_size
    (tmp_path / "broken.flac").symlink_to("nowhere")
    (tmp_path / "loop.flac").symlink_to("loop.flac")
    assert not exists(tmp_path / "broken.flac")
    assert not exists(tmp_path / "loop.flac")
