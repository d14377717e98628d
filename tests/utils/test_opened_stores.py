"""Opening a store: what is compared with its checksums, what is trusted, and who may write meanwhile."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from src.utils import embedding_store, store_rows
from src.utils.embedding_store import EmbeddingStore, Row
from src.utils.embeddings import JOURNAL, layer_file
from src.utils.store_rows import Rows

IDENTITY = {"layers": [0, 1], "dimension": 3}
ROW_BYTES = 2 * 3 * 4
FILES = [f"{number}.wav" for number in range(6)]
PRINTS = {file: f"print of {file}" for file in FILES}


def append(store: EmbeddingStore, files: Sequence[str]) -> None:
    values = np.stack([np.full((2, 2, 3), float(file[0]), np.float32) for file in files])
    store.append([Row(file, PRINTS[file], 9) for file in files], values)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return an unfinished store of four clips, of which the second is damaged."""
    with EmbeddingStore(tmp_path, IDENTITY) as store:
        append(store, FILES[:2])
        append(store, FILES[2:4])
    content = bytearray(layer_file(tmp_path, 1).read_bytes())
    content[ROW_BYTES] ^= 1
    layer_file(tmp_path, 1).write_bytes(content)
    return tmp_path


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the list of how many rows were compared with their checksums, look by look."""
    looks: list[int] = []
    look = store_rows.damaged_rows

    def noted(folder: Path, layers: Sequence[int], journal: object, row_bytes: int) -> list[int]:
        looks.append(len(journal))  # type: ignore[arg-type]
        return look(folder, layers, journal, row_bytes)  # type: ignore[arg-type]

    monkeypatch.setattr(store_rows, "damaged_rows", noted)
    return looks


def test_a_store_that_is_opened_alone_is_compared(store: Path, compared: list[int]) -> None:
    with EmbeddingStore(store, IDENTITY) as opened:
        assert opened.waiting(PRINTS) == [FILES[1], *FILES[4:]]
    assert compared == [4]


@pytest.mark.parametrize(("damaged", "waiting"), [((1,), [FILES[1], *FILES[4:]]), ((), FILES[4:]), ((9,), FILES[4:])])
def test_what_a_survey_found_is_taken_from_it(
    store: Path, compared: list[int], damaged: tuple[int, ...], waiting: list[str]
) -> None:
    with EmbeddingStore(store, IDENTITY, damaged=damaged) as opened:
        assert opened.waiting(PRINTS) == waiting
    assert compared == []


def test_a_row_that_was_written_again_since_the_survey_counts(store: Path) -> None:
    with EmbeddingStore(store, IDENTITY, damaged=(1,)) as opened:
        append(opened, [FILES[1]])
    with EmbeddingStore(store, IDENTITY, damaged=(1,)) as opened:
        assert opened.waiting(PRINTS) == FILES[4:]


@pytest.mark.parametrize("is_torn", [False, True])
def test_others_may_write_while_a_store_is_read(store: Path, is_torn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if is_torn:  # the machine lost the vectors of the last batch
        layer_file(store, 0).write_bytes(layer_file(store, 0).read_bytes()[: 3 * ROW_BYTES])
    read, reads = store_rows.read_rows, []

    def interrupted(*arguments: object) -> Rows:
        rows = read(*arguments)  # type: ignore[arg-type]
        reads.append(rows.n_rows)
        if len(reads) == 1:
            with EmbeddingStore(store, IDENTITY, "other") as other:
                append(other, FILES[4:])
        return rows

    monkeypatch.setattr(embedding_store.store_rows, "read_rows", interrupted)
    with EmbeddingStore(store, IDENTITY) as opened:
        assert opened.waiting(PRINTS) == ([FILES[1], *FILES[2:4]] if is_torn else [FILES[1]])
        append(opened, opened.waiting(PRINTS))
    n_rows = 2 + 2 + 3 if is_torn else 4 + 2 + 1
    assert len((store / JOURNAL).read_text().splitlines()) == n_rows
    for layer in (0, 1):
        assert layer_file(store, layer).stat().st_size == n_rows * ROW_BYTES
    with EmbeddingStore(store, IDENTITY) as opened:
        assert opened.waiting(PRINTS) == [], "every row is what its checksum says"
