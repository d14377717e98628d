"""Stores on a network disk: what a client remembers of files that other machines have changed must not matter."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from src.utils.embedding_store import EmbeddingStore
from src.utils.embeddings import INDEX, read_journal
from tests.utils.test_embedding_store import CLIPS, IDENTITY, assert_undisturbed, draw, prints, rows_of

REAL_STAT, REAL_OPEN, REAL_SCANDIR = Path.stat, Path.open, os.scandir


class Client:
    """A client of a file server: it remembers sizes and absences until a file, or its folder, is opened."""

    def __init__(self) -> None:
        self.active = False
        self.known: dict[Path, os.stat_result | None] = {}

    def stat(self, path: Path, **how: Any) -> os.stat_result:
        if not self.active:
            return REAL_STAT(path, **how)
        if path not in self.known:
            try:
                self.known[path] = REAL_STAT(path, **how)
            except FileNotFoundError:
                self.known[path] = None
        found = self.known[path]
        if found is None:
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return found

    def open(self, path: Path, *how: Any, **options: Any) -> Any:
        if self.active:
            self.known.pop(path, None)
        return REAL_OPEN(path, *how, **options)

    def scandir(self, folder: Any = ".") -> Any:
        if self.active:
            for path in [path for path, found in self.known.items() if path.parent == Path(folder) and found is None]:
                del self.known[path]
        return REAL_SCANDIR(folder)

    @contextmanager
    def here(self) -> Iterator[None]:
        """What runs in the block runs on the machine of this client."""
        self.active = True
        try:
            yield
        finally:
            self.active = False


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    client = Client()
    monkeypatch.setattr(Path, "stat", lambda path, **how: client.stat(path, **how))
    monkeypatch.setattr(Path, "open", lambda path, *how, **options: client.open(path, *how, **options))
    monkeypatch.setattr(os, "scandir", client.scandir)
    return client


def share(folder: Path, number: int) -> EmbeddingStore:
    return EmbeddingStore(folder, IDENTITY, f"{number}-of-3")


def test_rows_of_other_machines_are_seen_and_never_cut_off(client: Client, tmp_path: Path) -> None:
    files = CLIPS["file"].tolist()
    with client.here(), share(tmp_path, 0) as store:
        assert store.waiting(prints(CLIPS)) == files
        store.append(rows_of(files[:2]), draw(files[:2]))
    with share(tmp_path, 1) as other:  # on another machine
        other.append(rows_of(files[2:6]), draw(files[2:6]))
        with client.here(), share(tmp_path, 2) as store:
            assert len(read_journal(tmp_path)) == 6
            store.append(rows_of(files[6:7]), draw(files[6:7]))
        other.append(rows_of(files[7:]), draw(files[7:]))
    with client.here(), share(tmp_path, 0) as store:
        assert store.finish(CLIPS, prints(CLIPS)) == len(CLIPS)
    assert_undisturbed(tmp_path)


def test_the_kind_of_a_store_that_another_machine_began_is_noticed(client: Client, tmp_path: Path) -> None:
    with client.here():
        assert not (tmp_path / "meta.json").is_file()
        assert not (tmp_path / INDEX).is_file()
    with share(tmp_path, 1):  # on another machine
        pass
    other = {**IDENTITY, "model": "another"}
    with client.here(), pytest.raises(ValueError, match="holds embeddings of another kind: model is 'm' there"):
        EmbeddingStore(tmp_path, other, "0-of-3").__enter__()


def test_a_share_whose_writer_may_be_lost_is_waited_for(tmp_path: Path) -> None:
    holds, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with share(tmp_path, 0):
            holds.set()
            may_end.wait(60)

    with ThreadPoolExecutor(1) as threads:
        held = threads.submit(hold)
        assert holds.wait(60)
        with pytest.raises(ValueError, match="Another process is writing"):
            EmbeddingStore(tmp_path, IDENTITY, "0-of-3", patience=0.1).__enter__()
        threading.Timer(0.3, may_end.set).start()
        with EmbeddingStore(tmp_path, IDENTITY, "0-of-3", patience=60.0) as store:
            assert may_end.is_set()
            store.append(rows_of(CLIPS["file"][:1]), draw(CLIPS["file"][:1]))
        held.result()
