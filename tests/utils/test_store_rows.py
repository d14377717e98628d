"""Reading a store changes nothing, whatever a kill left there."""

from pathlib import Path

import numpy as np
import pytest

from src.utils.embedding_store import EmbeddingStore, Row
from src.utils.embeddings import layer_file
from src.utils.store_rows import Rows, read_rows, require_same_kind, waiting_clips

LAYERS, WIDTH = [0, 1], 3
ROW_BYTES = 2 * WIDTH * 4
FILES = [f"{number}.flac" for number in range(5)]
PRINTS = {file: f"print of {file}" for file in FILES}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return an unfinished store: batches of two and two clips."""
    rng = np.random.default_rng(7)
    with EmbeddingStore(tmp_path / "store", {"layers": LAYERS, "dimension": WIDTH}) as store:
        for batch in (FILES[:2], FILES[2:4]):
            store.append([Row(file, PRINTS[file], 9) for file in batch], rng.standard_normal((2, 2, 2, WIDTH)))
        store.leave_out({FILES[4]: "silent"}, PRINTS)
    return store.folder


def look(folder: Path) -> Rows:
    """Read the rows, and check that no byte of the store changes."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    rows = read_rows(folder, LAYERS, ROW_BYTES)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    return rows


def test_whole_rows_are_known(store: Path) -> None:
    rows = look(store)
    assert (rows.n_rows, rows.torn) == (4, False)
    assert rows.n_bytes == (store / "journal.csv").stat().st_size
    assert rows.fingerprints == {file: PRINTS[file] for file in FILES[:4]}
    assert waiting_clips(store, rows.fingerprints, PRINTS) == []


@pytest.mark.parametrize("layer", LAYERS)
def test_a_batch_whose_vectors_are_cut_off_is_not_known(store: Path, layer: int) -> None:
    path = layer_file(store, layer)
    path.write_bytes(path.read_bytes()[:-1])
    rows = look(store)
    assert (rows.n_rows, rows.torn) == (2, True)
    assert rows.fingerprints.keys() == set(FILES[:2])
    assert waiting_clips(store, rows.fingerprints, PRINTS) == FILES[2:4]


def test_a_damaged_row_is_not_known_and_its_neighbours_are(store: Path) -> None:
    content = bytearray(layer_file(store, 1).read_bytes())
    content[ROW_BYTES + 1] ^= 1
    layer_file(store, 1).write_bytes(content)
    rows = look(store)
    assert (rows.n_rows, rows.torn) == (4, False)
    assert rows.fingerprints.keys() == {FILES[0], FILES[2], FILES[3]}


def test_a_missing_layer_leaves_nothing(store: Path) -> None:
    layer_file(store, 0).unlink()
    assert look(store) == Rows(0, 0, True, {})


def test_a_recording_that_changed_is_named(store: Path) -> None:
    changed = {**PRINTS, FILES[1]: "another", FILES[2]: "another"}
    with pytest.raises(ValueError, match=f"^2 recordings changed since .* was made .first: {FILES[1]}"):
        waiting_clips(store, look(store).fingerprints, changed)
    anew = {**PRINTS, FILES[4]: "another"}
    assert waiting_clips(store, look(store).fingerprints, anew) == [FILES[4]], "what was left out has another chance"


def test_kinds_are_compared_by_what_is_wanted(store: Path) -> None:
    found = {"model": "a", "layers": [0, 1, 2], "clips": 7}
    require_same_kind(store, found, {"model": "a"})
    with pytest.raises(ValueError, match="layers is 0-2 there, 0-1 now"):
        require_same_kind(store, found, {"model": "a", "layers": [0, 1]})
    with pytest.raises(ValueError, match="digest is None there, 'x' now"):
        require_same_kind(store, found, {"digest": "x"})
