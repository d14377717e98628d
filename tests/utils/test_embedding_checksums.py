"""Damage to a store's files is found, and an unfinished store computes only the damaged clips again."""

from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd
import pytest

from src.utils import embedding_checks
from src.utils.embedding_checks import damaged_rows, row_checksums
from src.utils.embedding_store import EmbeddingStore, Row
from src.utils.embeddings import layer_file, load_embeddings, read_journal

LAYERS, WIDTH = [0, 1, 6], 4
IDENTITY = {"model": "drawn", "digest": "of drawn", "precision": "fp32", "layers": LAYERS, "dimension": WIDTH}
ROW_BYTES = 2 * WIDTH * 4
FILES = [f'fake_voices/"Zé", o Moço_M001_Fake/{clip}_fake.wav' for clip in range(9)]
CLIPS = pd.DataFrame(
    [[file, '"Zé", o Moço', "M001", "M", "spoof", "xtts"] for file in FILES],
    columns=["file", "speaker", "id", "gender", "label", "system"],
)
PRINTS = {file: f"{crc32(file.encode()):x}" for file in FILES}
STATISTICS = np.random.default_rng(0).standard_normal((len(FILES), len(LAYERS), 2, WIDTH)).astype(np.float32)


def append(store: EmbeddingStore, files: Sequence[str]) -> None:
    statistics = STATISTICS[[FILES.index(file) for file in files]]
    store.append([Row(file, PRINTS[file], len(file)) for file in files], statistics)


def write(folder: Path, *, batch: int = 3, finish: bool = True) -> list[str]:
    """Compute what is waiting, in batches; return what was computed."""
    with EmbeddingStore(folder, IDENTITY) as store:
        waiting = store.waiting(PRINTS)
        for start in range(0, len(waiting), batch):
            append(store, waiting[start : start + batch])
        if finish:
            assert store.finish(CLIPS, PRINTS) == len(FILES)
    return waiting


def assert_whole(folder: Path) -> None:
    for place, layer in enumerate(LAYERS):
        table = load_embeddings(folder, layer, "mean+std")
        np.testing.assert_array_equal(table.vectors, STATISTICS[:, place].reshape(len(FILES), -1))


def damaged(folder: Path) -> list[int]:
    return damaged_rows(folder, LAYERS, read_journal(folder), ROW_BYTES)


def flip(folder: Path, layer: int, row: int, byte: int = 0, bit: int = 0) -> None:
    """Flip one bit of a row."""
    content = bytearray(layer_file(folder, layer).read_bytes())
    content[row * ROW_BYTES + byte] ^= 1 << bit
    layer_file(folder, layer).write_bytes(content)


def test_a_checksum_is_the_crc_32_of_a_rows_bytes_in_all_layers(tmp_path: Path) -> None:
    """Known answers: the check value of the CRC-32, and the bytes of the files themselves."""
    assert row_checksums(np.frombuffer(b"123456789", np.uint8)[None]) == ["cbf43926"]
    write(tmp_path)
    stored = [layer_file(tmp_path, layer).read_bytes() for layer in LAYERS]
    rows = [
        b"".join(each[start : start + ROW_BYTES] for each in stored) for start in range(0, 9 * ROW_BYTES, ROW_BYTES)
    ]
    assert read_journal(tmp_path)["checksum"].tolist() == [f"{crc32(row):08x}" for row in rows]


def test_checksums_have_eight_digits_whatever_their_size() -> None:
    values = np.arange(4000, dtype="<f4")[:, None]
    assert {len(checksum) for checksum in row_checksums(values)} == {8}
    assert any(checksum.startswith("0") for checksum in row_checksums(values))


@pytest.mark.parametrize("rows_at_once", [1, 2, 4, 9, 4096])
@pytest.mark.parametrize("layer", LAYERS)
def test_a_flipped_bit_is_found_in_any_layer_and_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layer: int, rows_at_once: int
) -> None:
    monkeypatch.setattr(embedding_checks, "ROWS_AT_ONCE", rows_at_once)
    write(tmp_path)
    assert damaged(tmp_path) == []
    for byte in range(ROW_BYTES):
        place = (byte % len(FILES), byte, byte % 8)
        flip(tmp_path, layer, *place)
        assert damaged(tmp_path) == [byte % len(FILES)]
        flip(tmp_path, layer, *place)


def test_all_that_is_damaged_is_found(tmp_path: Path) -> None:
    write(tmp_path)
    for layer, row in ((0, 1), (6, 1), (1, 4), (6, 8)):
        flip(tmp_path, layer, row)
    assert damaged(tmp_path) == [1, 4, 8]


def test_rows_that_changed_places_are_found(tmp_path: Path) -> None:
    write(tmp_path)
    path = layer_file(tmp_path, 6)
    rows = np.frombuffer(path.read_bytes(), "<f4").reshape(len(FILES), -1).copy()
    rows[[2, 5]] = rows[[5, 2]]
    path.write_bytes(rows.tobytes())
    assert damaged(tmp_path) == [2, 5]


def test_layers_that_changed_places_are_found(tmp_path: Path) -> None:
    write(tmp_path)
    first, last = (layer_file(tmp_path, layer).read_bytes() for layer in (0, 6))
    layer_file(tmp_path, 0).write_bytes(last)
    layer_file(tmp_path, 6).write_bytes(first)
    assert damaged(tmp_path) == list(range(len(FILES)))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("finish", [False, True], ids=["not finished", "index deleted"])
def test_an_unfinished_store_computes_exactly_the_damaged_clips_again(tmp_path: Path, layer: int, finish: bool) -> None:
    write(tmp_path, finish=finish)
    (tmp_path / "index.csv").unlink(missing_ok=True)
    for row in (7, 0, 3):
        flip(tmp_path, layer, row, byte=9, bit=4)
    assert write(tmp_path) == [FILES[0], FILES[3], FILES[7]]
    assert_whole(tmp_path)
    assert len(read_journal(tmp_path)) == len(FILES) + 3
    assert write(tmp_path) == []


def test_a_finished_store_is_not_read_through_at_every_start(tmp_path: Path) -> None:
    """`fab EmbeddingsInfo` does that; starting a finished store stays quick."""
    write(tmp_path)
    flip(tmp_path, 1, 4)
    assert write(tmp_path) == []
    assert damaged(tmp_path) == [4]


def test_a_machine_that_went_down_before_the_vectors_were_on_disk(tmp_path: Path) -> None:
    """The journal was written, the vectors are zeros: what a file system may leave."""
    write(tmp_path, finish=False)
    for layer in LAYERS:
        path = layer_file(tmp_path, layer)
        path.write_bytes(path.read_bytes()[: 6 * ROW_BYTES] + bytes(3 * ROW_BYTES))
    assert write(tmp_path) == FILES[6:]
    assert_whole(tmp_path)


def test_rows_that_were_replaced_are_not_reported(tmp_path: Path) -> None:
    write(tmp_path, finish=False)
    flip(tmp_path, 1, 4)
    assert write(tmp_path) == [FILES[4]]
    assert damaged(tmp_path) == [], "row 4 is damaged still, and nobody reads it"
    flip(tmp_path, 1, 9)
    assert damaged(tmp_path) == [9]


@pytest.mark.parametrize("first_is_sound", [True, False])
def test_a_clip_whose_last_row_is_damaged_is_computed_again(tmp_path: Path, first_is_sound: bool) -> None:
    """Its first row does not stand in for it: the index would name the last one."""
    write(tmp_path, finish=False)
    with EmbeddingStore(tmp_path, IDENTITY) as store:
        append(store, [FILES[4]])
    if not first_is_sound:
        flip(tmp_path, 0, 4)
    flip(tmp_path, 6, 9)
    assert write(tmp_path) == [FILES[4]]
    assert_whole(tmp_path)
    assert damaged(tmp_path) == []


def test_a_damaged_row_of_a_clip_that_can_no_longer_be_used_is_not_indexed(tmp_path: Path) -> None:
    write(tmp_path, finish=False)
    flip(tmp_path, 0, 4)
    with EmbeddingStore(tmp_path, IDENTITY) as store:
        assert store.waiting(PRINTS) == [FILES[4]]
        store.leave_out({FILES[4]: "cannot be read"}, PRINTS)
        assert store.finish(CLIPS, PRINTS) == 8
    assert load_embeddings(tmp_path).files.tolist() == FILES[:4] + FILES[5:]
    with EmbeddingStore(tmp_path, IDENTITY) as store:
        assert store.waiting(PRINTS) == []
        assert store.finish(CLIPS, PRINTS) == 8, "nor by the next start"


@pytest.mark.parametrize("damaged_share", ["0-of-2", "1-of-2"])
def test_a_damaged_clip_is_waited_for_by_every_share(tmp_path: Path, damaged_share: str) -> None:
    parts = {"0-of-2": FILES[:4], "1-of-2": FILES[4:]}
    for share, files in parts.items():
        with EmbeddingStore(tmp_path, IDENTITY, share) as store:
            append(store, files)
    row = FILES.index(parts[damaged_share][2])
    flip(tmp_path, 1, row)
    with EmbeddingStore(tmp_path, IDENTITY, "0-of-2") as one, EmbeddingStore(tmp_path, IDENTITY, "1-of-2") as other:
        for store in (one, other):
            assert store.waiting(PRINTS) == [FILES[row]]
            assert store.finish(CLIPS, PRINTS) is None
        append(one if damaged_share == "0-of-2" else other, [FILES[row]])
        for store in (one, other):
            assert store.finish(CLIPS, PRINTS) == 9
    assert_whole(tmp_path)


def test_a_batch_whose_journal_is_cut_inside_is_dropped_whole(tmp_path: Path) -> None:
    """Wherever the cut; so missing clips are computed again in the same batches."""
    write(tmp_path, finish=False)
    journal = tmp_path / "journal.csv"
    vectors = {layer: layer_file(tmp_path, layer).read_bytes() for layer in LAYERS}
    content = journal.read_bytes()
    lines = content.splitlines(keepends=True)
    assert read_journal(tmp_path)["following"].tolist() == list("210210210")
    edges = [sum(map(len, lines[:n])) for n in range(0, 10, 3)]
    for size in range(0, len(content) + 1, 7):
        journal.write_bytes(content[:size])
        for layer in LAYERS:
            layer_file(tmp_path, layer).write_bytes(vectors[layer])
        n_kept = 3 * sum(size >= edge for edge in edges[1:])
        with EmbeddingStore(tmp_path, IDENTITY) as store:
            assert store.waiting(PRINTS) == FILES[n_kept:]
        assert journal.read_bytes() == content[: edges[n_kept // 3]]
        assert {layer_file(tmp_path, layer).stat().st_size for layer in LAYERS} == {n_kept * ROW_BYTES}
    write(tmp_path)
    assert_whole(tmp_path)


@pytest.mark.parametrize("n_rows", range(10))
@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_cut_inside_a_batch_costs_the_whole_batch(tmp_path: Path, layer: int, n_rows: int) -> None:
    write(tmp_path)
    path = layer_file(tmp_path, layer)
    path.write_bytes(path.read_bytes()[: n_rows * ROW_BYTES])
    with EmbeddingStore(tmp_path, IDENTITY):
        assert (tmp_path / "index.csv").exists() == (n_rows == len(FILES))
    assert write(tmp_path) == FILES[n_rows // 3 * 3 :]
    assert_whole(tmp_path)
