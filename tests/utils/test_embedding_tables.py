import csv
import json
import os
import re
import tracemalloc
from collections.abc import Sequence
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from src.utils.embedding_store import EmbeddingStore, Row
from src.utils.embeddings import (
    EmbeddingTable,
    describe_layers,
    layer_file,
    load_embeddings,
    read_journal,
    resolve_layer,
)

LAYERS, WIDTH = 4, 5
IDENTITY = {
    "model": "drawn",
    "digest": "of drawn",
    "precision": "fp32",
    "layers": list(range(LAYERS)),
    "dimension": WIDTH,
}
CLIPS = pd.DataFrame(
    [
        ["real_voices/Ana_F001/1.wav", "Ana", "F001", "F", "bona-fide", ""],
        ["fake_voices/Ana_F001_Fake/1.wav", "Ana", "F001", "F", "spoof", "xtts"],
        ["real_voices/João, o Moço_M002/2.wav", "João, o Moço", "M002", "M", "bona-fide", ""],
        ["fake_voices/João, o Moço_M002_Fake/2.wav", "João, o Moço", "M002", "M", "spoof", ""],
        ["real_voices/NA_M003/3.wav", "NA", "M003", "M", "bona-fide", ""],
    ],
    columns=["file", "speaker", "id", "gender", "label", "system"],
)
STATISTICS = np.random.default_rng(0).standard_normal((len(CLIPS), LAYERS, 2, WIDTH)).astype(np.float32)
"""In the order of CLIPS; the store holds them in another one."""
WRITTEN = [3, 0, 4, 1, 2]
KEPT = [0, 1, 2, 6]


def write(folder: Path, layers: Sequence[int] = range(LAYERS)) -> Path:
    """Write a finished store of CLIPS, of which `layers` name the layers."""
    files = CLIPS["file"].to_numpy()
    with EmbeddingStore(folder, {**IDENTITY, "layers": list(layers)}) as store:
        store.append([Row(file, "-", 7) for file in files[WRITTEN]], STATISTICS[WRITTEN])
        store.finish(CLIPS, dict.fromkeys(files, "-"))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a finished store of CLIPS."""
    return write(tmp_path / "embeddings" / "corpus" / "lfcc" / "downstream_val")


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Return a finished store that holds the layers 0, 1, 2 and 6 of a larger model."""
    return write(tmp_path / "kept", KEPT)


@pytest.mark.parametrize("layer", range(-LAYERS, LAYERS))
def test_a_layer_comes_back_in_the_order_of_the_split(folder: Path, layer: int) -> None:
    table = load_embeddings(folder, layer)
    np.testing.assert_array_equal(table.vectors, STATISTICS[:, layer, 0])
    assert table.vectors.dtype == np.float32
    assert table.files.tolist() == CLIPS["file"].tolist()


@pytest.mark.parametrize(("pooling", "taken"), [("mean", [0]), ("std", [1]), ("mean+std", [0, 1])])
def test_poolings_take_mean_deviation_or_both_side_by_side(folder: Path, pooling: str, taken: list[int]) -> None:
    """Fault 7: a clip is two vectors a layer, not its frames."""
    table = load_embeddings(folder, pooling=pooling)
    np.testing.assert_array_equal(table.vectors, STATISTICS[:, -1, taken].reshape(len(CLIPS), -1))


def test_what_is_known_of_the_clips_comes_along(folder: Path) -> None:
    """Fault 8: 1 is bona fide here as everywhere."""
    table = load_embeddings(folder)
    assert table.labels.tolist() == [1, 0, 1, 0, 1]
    assert table.genders.tolist() == list("FFMMM")
    assert table.speakers.tolist() == ["Ana_F001"] * 2 + ["João, o Moço_M002"] * 2 + ["NA_M003"]
    assert table.systems.tolist() == ["", "xtts", "", "", ""]
    assert len(table) == 5
    assert {len(getattr(table, name)) for name in ("vectors", "labels", "genders", "speakers", "systems", "files")} == {
        5
    }


def test_the_last_layer_and_the_mean_are_what_is_read_when_nothing_is_said(folder: Path) -> None:
    np.testing.assert_array_equal(load_embeddings(folder).vectors, load_embeddings(folder, -1, "mean").vectors)


@pytest.mark.parametrize(("gender", "rows"), [(None, [0, 1, 2, 3, 4]), ("F", [0, 1]), ("M", [2, 3, 4])])
def test_one_gender_alone(folder: Path, gender: str | None, rows: list[int]) -> None:
    whole = load_embeddings(folder)
    for table in (load_embeddings(folder, gender=gender), whole.only(gender=gender)):
        np.testing.assert_array_equal(table.vectors, whole.vectors[rows])
        for name in ("labels", "genders", "speakers", "systems", "files"):
            assert getattr(table, name).tolist() == getattr(whole, name)[rows].tolist()


def test_genders_that_nobody_has(folder: Path) -> None:
    with pytest.raises(ValueError, match="Unknown `gender` 'X'; allowed: F, M"):
        load_embeddings(folder, gender="X")
    with pytest.raises(ValueError, match="None of the 2 clips is by a person of gender M"):
        load_embeddings(folder, gender="F").only(gender="M")


def test_a_table_is_frozen(folder: Path) -> None:
    with pytest.raises(FrozenInstanceError):
        load_embeddings(folder).labels = np.zeros(5)  # type: ignore[misc]


def test_no_array_of_a_table_can_be_changed_and_the_store_stays_as_it_is(folder: Path) -> None:
    before = layer_file(folder, 3).read_bytes()
    for table in (load_embeddings(folder), load_embeddings(folder, gender="F")):
        for field in fields(table):
            with pytest.raises(ValueError, match="read-only"):
                getattr(table, field.name)[:] = 0
    assert layer_file(folder, 3).read_bytes() == before


@pytest.mark.parametrize("layer", range(LAYERS))
def test_reading_a_layer_needs_no_other_layers_file(folder: Path, layer: int) -> None:
    """Fault 7: one file of all frames a clip had to be read for any use."""
    for other in set(range(LAYERS)) - {layer}:
        layer_file(folder, other).unlink()
    np.testing.assert_array_equal(load_embeddings(folder, layer).vectors, STATISTICS[:, layer, 0])


def test_a_layers_file_is_plain_little_endian_float32(folder: Path) -> None:
    """Any language reads it: rows in the order of the journal, mean before deviation."""
    raw = np.frombuffer((folder / "layers" / "layer-02.f32").read_bytes(), "<f4").reshape(-1, 2, WIDTH)
    np.testing.assert_array_equal(raw, STATISTICS[WRITTEN, 2])
    with (folder / "journal.csv").open(encoding="utf-8", newline="") as file:
        assert [row[0] for row in csv.reader(file)] == CLIPS["file"][WRITTEN].tolist()


@pytest.mark.parametrize("pooling", ["mean", "mean+std"])
def test_memory_holds_one_pooling_of_one_layer(tmp_path: Path, pooling: str) -> None:
    n_clips, width = 2000, 128
    pooled_bytes = n_clips * len(pooling.split("+")) * width * 4
    clips = pd.concat([CLIPS.iloc[:1]] * n_clips, ignore_index=True)
    clips["file"] = files = [f"real_voices/Ana_F001/{number}.wav" for number in range(n_clips)]
    peaks = []
    for n_layers in (1, 8):
        folder = tmp_path / str(n_layers)
        with EmbeddingStore(folder, {**IDENTITY, "layers": list(range(n_layers)), "dimension": width}) as store:
            store.append([Row(file, "-", 1) for file in files], np.ones((n_clips, n_layers, 2, width), np.float32))
            store.finish(clips, dict.fromkeys(files, "-"))
        load_embeddings(folder, pooling=pooling)  # what is imported on first use does not count
        tracemalloc.start()
        table = load_embeddings(folder, pooling=pooling)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert table.vectors.nbytes == pooled_bytes
    assert peaks[0] < 2 * pooled_bytes + 2_000_000, "twice: to take the rows, and to lay them side by side"
    assert abs(peaks[1] - peaks[0]) < pooled_bytes / 4, "the other layers are not in memory"


@pytest.mark.parametrize("layer", [LAYERS, LAYERS + 1, -LAYERS - 1, 99])
def test_layers_that_the_store_has_not(folder: Path, layer: int) -> None:
    with pytest.raises(ValueError, match=rf"There is no layer {layer}; these embeddings have 0-3 \(-1 is the last"):
        load_embeddings(folder, layer)


def test_layers_count_from_either_end() -> None:
    assert [resolve_layer(layer, range(13)) for layer in (0, 12, -1, -13)] == [0, 12, 12, 0]
    assert [resolve_layer(layer, KEPT) for layer in (0, 6, -1, -2, -4)] == [0, 6, 6, 2, 0]


@pytest.mark.parametrize(("layer", "place"), [(0, 0), (2, 2), (6, 3), (-1, 3), (-2, 2), (-4, 0)])
def test_a_store_may_hold_some_layers_of_a_model(kept: Path, layer: int, place: int) -> None:
    """Layers have their numbers in the model; from the end, only stored layers count."""
    np.testing.assert_array_equal(load_embeddings(kept, layer).vectors, STATISTICS[:, place, 0])
    files = {path.name for path in (kept / "layers").iterdir()}
    assert files == {"layer-00.f32", "layer-01.f32", "layer-02.f32", "layer-06.f32"}


@pytest.mark.parametrize("layer", [3, 5, 7, -5])
def test_a_layer_that_was_not_kept_is_answered_with_those_kept(kept: Path, layer: int) -> None:
    line = rf"^There is no layer {layer}; these embeddings have 0-2,6 \(-1 is the last of them\)\.$"
    with pytest.raises(ValueError, match=line):
        load_embeddings(kept, layer)


@pytest.mark.parametrize(
    ("layers", "text"),
    [([0], "0"), ([4], "4"), ([0, 1], "0-1"), ([0, 2, 4], "0,2,4"), ([1, 2, 3, 7, 9, 10], "1-3,7,9-10")],
)
def test_layers_are_written_as_the_flag_reads_them(layers: list[int], text: str) -> None:
    from src.backbones.contract import parse_layers

    assert describe_layers(layers) == text
    assert list(parse_layers(text, 12)) == layers


def test_poolings_that_there_are_not(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"Unknown `pooling` 'max'; allowed: mean, std, mean\+std"):
        load_embeddings(folder, pooling="max")


def test_a_store_that_was_not_made_or_not_finished_names_the_task(folder: Path) -> None:
    task = "fab GenerateEmbeddings --backbone=lfcc --splits=downstream_val"
    (folder / "index.csv").unlink()
    with pytest.raises(FileNotFoundError, match=f"are not finished: .*{task}"):
        load_embeddings(folder)
    (folder / "meta.json").unlink()
    with pytest.raises(FileNotFoundError, match=f"There are no embeddings .*: make them with {task}"):
        load_embeddings(folder)
    with pytest.raises(FileNotFoundError, match=r"There are no embeddings .*gone"):
        load_embeddings(folder.parent / "gone")


@pytest.mark.parametrize("size", [None, 0, 1, 7, 2 * WIDTH * 4 * len(CLIPS) - 1])
def test_a_layers_file_that_is_missing_or_truncated_is_named(folder: Path, size: int | None) -> None:
    path = layer_file(folder, 1)
    content = path.read_bytes()
    path.unlink()
    if size is not None:
        path.write_bytes(content[:size])
    with pytest.raises(ValueError, match=f"{re.escape(str(path))} .*; delete .* and run fab Generate"):
        load_embeddings(folder, 1)
    assert len(load_embeddings(folder, 0)) == 5


def test_damaged_tables_are_named(folder: Path) -> None:
    (folder / "index.csv").write_text("file,label\n")
    with pytest.raises(ValueError, match=r"index.csv has no column .*fab GenerateEmbeddings"):
        load_embeddings(folder)
    (folder / "meta.json").write_text("{")
    with pytest.raises(ValueError, match=r"meta.json is not valid JSON"):
        load_embeddings(folder)


def test_rows_of_clips_that_left_the_split_are_left_out(folder: Path) -> None:
    stay = CLIPS.iloc[[4, 1]]
    with EmbeddingStore(folder, IDENTITY) as store:
        assert store.waiting(dict.fromkeys(stay["file"], "-")) == []
        assert store.finish(stay, dict.fromkeys(stay["file"], "-")) == 2
    np.testing.assert_array_equal(load_embeddings(folder).vectors, STATISTICS[[4, 1], -1, 0])
    assert len(read_journal(folder)) == 5, "their rows wait for them"


def test_vectors_are_on_the_disk_before_the_index_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of a finished store are not compared with their checksums when it is opened."""
    on_disk: set[int] = set()

    def fsync(handle: int) -> None:
        assert not (tmp_path / "index.csv").exists()
        on_disk.add(os.fstat(handle).st_ino)

    monkeypatch.setattr(os, "fsync", fsync)
    write(tmp_path, KEPT)
    assert on_disk >= {layer_file(tmp_path, layer).stat().st_ino for layer in KEPT}


@pytest.mark.parametrize("line", ["a.wav,-,0\n", "a.wav\n", "0\n", "\n"])
def test_lines_that_no_store_of_today_writes_do_not_count(folder: Path, line: str) -> None:
    with (folder / "journal.csv").open("a") as journal:
        journal.write(line)
    assert read_journal(folder)["file"].tolist() == CLIPS["file"][WRITTEN].tolist()


def test_meta_says_what_made_the_store(folder: Path) -> None:
    meta = json.loads((folder / "meta.json").read_text())
    assert (meta["model"], meta["layers"], meta["dimension"], meta["clips"]) == ("drawn", list(range(LAYERS)), WIDTH, 5)
    assert re.fullmatch("[0-9a-f]{64}", meta["corpus_digest"])
    assert re.fullmatch("[0-9a-f]{64}", meta["split_digest"])


def test_a_table_can_be_made_by_hand() -> None:
    texts, vectors = np.array(["F", "M"]), np.eye(2)
    table = EmbeddingTable(
        vectors=vectors, labels=np.array([1, 0]), genders=texts, speakers=texts, systems=texts, files=texts
    )
    assert table.inputs is table.vectors
    assert vectors.flags.writeable, "the array that was given stays what it was"
    assert table.only() is table
    assert table.only(gender="M").vectors.tolist() == [[0, 1]]


def test_a_store_of_an_earlier_version_is_named(folder: Path) -> None:
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps({**meta, "layers": LAYERS}))
    with pytest.raises(ValueError, match=r"downstream_val was made by an earlier version: delete it and run fab"):
        load_embeddings(folder)
