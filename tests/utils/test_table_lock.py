"""Steps on one corpus take turns: no column is lost, no dead process blocks, and a missing permission is an error."""

import errno
import multiprocessing
import os
import stat
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock

from src.utils import dataset as tables_room
from src.utils.dataset import (
    FILE_COLUMNS,
    LOCK,
    check_editable,
    edit_tables,
    read_files,
    read_rejected,
    reject,
    write_tables,
)

FORK = multiprocessing.get_context("fork")
ROWS = [[f"real_voices/Ana_F001/{n}.wav", "Ana_F001", "F001", "F", "bona-fide", ""] for n in range(3)]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    write_tables(tmp_path, pd.DataFrame(ROWS, columns=FILE_COLUMNS))
    return tmp_path


def started(function: Callable[..., object], *arguments: object) -> BaseProcess:
    """Run a function in another process, which is this one's child and shares no lock with it."""
    process = FORK.Process(target=function, args=arguments)
    process.start()
    return process


def add_column(dataset: Path, name: str) -> None:
    with edit_tables(dataset) as tables:
        files = read_files(dataset)
        time.sleep(0.01)
        tables.write(files.assign(**{name: name}))


def hold(dataset: Path) -> None:
    with edit_tables(dataset):
        time.sleep(60)


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "waited for too long"
        time.sleep(0.005)


def test_many_steps_at_once_lose_no_column(corpus: Path) -> None:
    names = [f"note{n}" for n in range(12)]
    steps = [started(add_column, corpus, name) for name in names]
    for step in steps:
        step.join(30)
        assert step.exitcode == 0
    assert set(read_files(corpus).columns) == {*FILE_COLUMNS, *names}
    assert not list(corpus.glob(".*"))


def test_rejections_of_many_steps_gather(corpus: Path) -> None:
    steps = [started(reject, corpus, {f"{n}.wav": "silent"}) for n in range(12)]
    for step in steps:
        step.join(30)
    assert set(read_rejected(corpus)) == {f"{n}.wav" for n in range(12)}


def test_nothing_is_left_behind_not_even_by_an_error(corpus: Path) -> None:
    before = {path.name: path.read_bytes() for path in corpus.iterdir()}
    with pytest.raises(ZeroDivisionError), edit_tables(corpus):
        assert (corpus / LOCK).exists()
        raise ZeroDivisionError
    assert {path.name: path.read_bytes() for path in corpus.iterdir()} == before


def test_a_step_killed_at_its_work_blocks_nobody(corpus: Path) -> None:
    holder = started(hold, corpus)
    wait_for((corpus / LOCK).exists)
    time.sleep(0.05)
    holder.kill()
    holder.join()
    assert (corpus / LOCK).exists(), "a killed process removes nothing"
    start = time.monotonic()
    add_column(corpus, "note")
    assert time.monotonic() - start < 5
    assert "note" in read_files(corpus)
    assert not (corpus / LOCK).exists()


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_the_lock_is_open_to_every_user_of_the_corpus(mask: int, corpus: Path) -> None:
    """Fault 13, docs/faults.md: the lock file belonged to the first user."""
    before = os.umask(mask)
    try:
        with edit_tables(corpus):
            assert stat.S_IMODE((corpus / LOCK).stat().st_mode) == 0o666
    finally:
        os.umask(before)


def test_a_step_that_hangs_is_waited_for_and_then_reported(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = started(hold, corpus)
    wait_for((corpus / LOCK).exists)
    time.sleep(0.05)
    monkeypatch.setattr(tables_room, "LOCK_SECONDS", 0.2)
    with pytest.raises(ValueError, match=f"changing the tables of {corpus} for") as error:
        add_column(corpus, "note")
    assert len(str(error.value).splitlines()) == 1
    holder.kill()
    holder.join()


def test_a_corpus_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"There is no folder {tmp_path / 'absent'}"):
        check_editable(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


def refuse(number: int) -> Callable[..., None]:
    def acquire(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return acquire


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_missing_permission_is_one_line(number: int, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FileLock, "acquire", refuse(number))
    with pytest.raises(
        PermissionError, match=f"The tables of {corpus} cannot be changed: .*cannot be written"
    ) as error:
        check_editable(corpus)
    assert len(str(error.value).splitlines()) == 1


def test_a_full_disk_is_no_matter_of_rights(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FileLock, "acquire", refuse(errno.ENOSPC))
    with pytest.raises(OSError, match="No space left"):
        check_editable(corpus)
