"""A journal is read on from where it was read to, in whole batches, whatever the names in it."""

from pathlib import Path

import numpy as np
import pytest

from src.utils.embedding_store import EmbeddingStore, Row
from src.utils.embeddings import JOURNAL, read_journal
from src.utils.store_rows import JournalTail, as_lines

FILES = ["João, o Moço/1.wav", 'a "b"/2.wav', "caf\udce9/3.wav", "d/4.wav", "e/5.wav"]


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    return EmbeddingStore(tmp_path, {"layers": [0, 1], "dimension": 3})


def append(store: EmbeddingStore, files: list[str]) -> None:
    store.append([Row(file, f"print of {file}", 9, 2) for file in files], np.ones((len(files), 2, 2, 3), np.float32))


def test_what_is_new_is_read_once(store: EmbeddingStore) -> None:
    tail = JournalTail(store.folder)
    assert tail.new_rows() == [], "there is no journal yet"
    with store:
        append(store, FILES[:2])
        first = tail.new_rows()
        assert tail.new_rows() == []
        append(store, FILES[2:3])
        append(store, FILES[3:])
        rest = tail.new_rows()
    assert [row[0] for row in first] == FILES[:2]
    assert [row[0] for row in rest] == FILES[2:]
    assert first + rest == read_journal(store.folder).to_numpy().tolist()
    assert tail.n_bytes == (store.folder / JOURNAL).stat().st_size
    assert as_lines(first + rest) == (store.folder / JOURNAL).read_bytes()


def test_half_a_batch_waits_for_its_other_half(store: EmbeddingStore) -> None:
    with store:
        append(store, FILES)
    whole = (store.folder / JOURNAL).read_bytes()
    for cut in range(1, len(whole)):
        (store.folder / JOURNAL).write_bytes(whole[:cut])
        tail = JournalTail(store.folder)
        assert tail.new_rows() == [] and tail.n_bytes == 0
    (store.folder / JOURNAL).write_bytes(whole)
    assert [row[0] for row in tail.new_rows()] == FILES


def test_two_writers_see_each_others_rows(store: EmbeddingStore) -> None:
    other = EmbeddingStore(store.folder, store.identity, share="other")
    with store, other:
        append(store, FILES[:2])
        append(other, FILES[2:])
        prints = {file: f"print of {file}" for file in FILES}
        assert other.waiting(prints) == []
        append(store, [])
        assert store.waiting(prints) == []
