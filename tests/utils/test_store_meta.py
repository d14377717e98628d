"""What a store says about itself: a record that cannot be changed, of the very content of its file."""

import dataclasses
from pathlib import Path

import pytest

from src.utils.embeddings import read_meta, read_store_meta
from src.utils.files import read_json, write_json

UNFINISHED = {"rate": 16000, "model": "m", "digest": "d", "precision": "fp32", "layers": [0, 2], "dimension": 3}
FINISHED = UNFINISHED | {"clips": 5, "corpus_digest": "of recordings", "split_digest": "of rows"}


def write_store(folder: Path, content: dict, *, finished: bool = True) -> Path:
    folder.mkdir(parents=True)
    write_json(folder / "meta.json", content)
    if finished:
        (folder / "index.csv").touch()
    return folder


def test_a_finished_store(tmp_path: Path) -> None:
    meta = read_meta(write_store(tmp_path / "lfcc" / "downstream_val", FINISHED))
    assert (meta.model, meta.digest, meta.precision) == ("m", "d", "fp32")
    assert (meta.layers, meta.dimension, meta.row_bytes) == ((0, 2), 3, 24)
    assert (meta.clips, meta.corpus_digest, meta.split_digest) == (5, "of recordings", "of rows")
    assert list(meta.as_json().items()) == list(FINISHED.items())  # in order, so that it is written as it was
    with pytest.raises(dataclasses.FrozenInstanceError):
        meta.dimension = 4  # type: ignore[misc]


def test_what_it_is_written_as_is_a_copy(tmp_path: Path) -> None:
    folder = write_store(tmp_path / "lfcc" / "downstream_val", FINISHED)
    meta = read_meta(folder)
    meta.as_json()["model"] = "another"
    assert meta.as_json()["model"] == "m"
    assert read_json(folder / "meta.json") == FINISHED


def test_an_unfinished_store_says_nothing_of_its_clips(tmp_path: Path) -> None:
    meta = read_store_meta(write_store(tmp_path / "store", UNFINISHED, finished=False))
    assert (meta.clips, meta.corpus_digest, meta.split_digest) == (None, None, None)
    assert meta.as_json() == UNFINISHED


@pytest.mark.parametrize("key", ["model", "digest", "precision", "layers", "dimension"])
def test_what_is_missing_is_told(tmp_path: Path, key: str) -> None:
    content = {name: value for name, value in FINISHED.items() if name != key}
    with pytest.raises(ValueError, match=rf"meta\.json.*{key}"):
        read_store_meta(write_store(tmp_path / "store", content))
