"""Where the trials of a study are written down: a journal in its own folder, or a storage that several machines share.

The journal in the study's folder belongs to one process at a time (and the workers it starts). After each trial the
journal's length is noted; at the next start it is truncated to that length, so that a killed trial is drawn again as
it was. Where several ran at once, those that had been drawn by then are trained again as they were drawn.

A shared storage is a database (`postgresql://user@host/base`) or a journal file on a shared disk. No trial is ever
removed there: other machines may be at work. Each trial names its process, and trials whose process is gone are marked
as failed (`places.py`). In both cases a failed trial does not count, and another takes its place.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from src.experiments.runs.artefacts import BEST
from src.experiments.runs.provenance import without_password
from src.utils.files import write_text
from src.utils.paths import absolute

if TYPE_CHECKING:
    import optuna

JOURNAL, FINISHED_BYTES = "journal.log", "journal.finished"
JOURNAL_BEGINS = b'{"op_code":'
WORKER = "worker"
"""User attribute of a trial: host, process id and start time, which tell whether the process still runs."""


def open_own_journal(folder: Path) -> "optuna.storages.BaseStorage":
    """Open the journal of a study's folder, truncated to its finished trials; the caller must hold the lock."""
    journal = folder / JOURNAL
    (folder / f"{JOURNAL}.lock").unlink(missing_ok=True)  # of a process that was killed; we are alone
    if journal.is_file():
        with journal.open("r+b") as file:
            whole = file.read(_finished_bytes(folder))
            file.truncate(whole.rfind(b"\n") + 1)  # a worker may have been writing when the length was noted
    return _journal(journal)


def note_finished(folder: Path) -> None:
    """Note that the journal, as long as it is now, belongs to finished trials."""
    write_text(folder / FINISHED_BYTES, str((folder / JOURNAL).stat().st_size))


def open_shared(storage: str) -> "optuna.storages.BaseStorage":
    """Open a database by its URL, or a journal file by its path.

    Raises
    ------
    ValueError
        When it cannot be opened, is a file that holds something else, or is SQLite, which loses trials when several
        processes write.
    """
    import optuna

    if "://" not in storage:
        return _open_shared_journal(absolute(storage))
    if storage.startswith("postgres://"):
        raise ValueError(
            f"`storage` must begin with postgresql://, not postgres://: {without_password(storage)} has a name that "
            "database drivers no longer know."
        )
    if storage.startswith("sqlite"):
        raise ValueError(
            "`storage` cannot be SQLite, which is not safe for several processes: "
            "give postgresql://user@host/base or a journal file."
        )
    from sqlalchemy.pool import NullPool

    try:
        # Connections are closed after use, so that a process that is forked or killed leaves none open.
        return optuna.storages.RDBStorage(storage, engine_kwargs={"poolclass": NullPool})
    except ImportError as error:
        hint = ": pip install -e '.[postgres]'" if storage.startswith("postgres") else ""
        raise ValueError(f"The driver for {without_password(storage)} is not installed ({error}){hint}.") from None
    except Exception as error:  # of SQLAlchemy and of every driver's own kind
        reason = str(error).splitlines()[0]
        raise ValueError(f"The storage {without_password(storage)} cannot be opened: {reason}") from None


@contextmanager
def told_failures(storage: str, number: int) -> Iterator[None]:
    """Turn the failure of a database, while study `number` is under way, into a ValueError of one line."""
    from optuna.exceptions import StorageInternalError

    try:
        yield
    except StorageInternalError as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise ValueError(
            f"The storage {without_password(storage)} has failed ({reason}). Finished trials are kept there: when it "
            f"is back, resume the study with the same flags and `study_number={number}`."
        ) from None


def full_name(storage: str) -> str:
    """Return a storage's name for any current folder: the absolute path of a journal file, or the URL.

    >>> full_name("postgresql://host/base"), full_name("/shared/../studies.log")
    ('postgresql://host/base', '/studies.log')
    """
    return storage if "://" in storage else os.fspath(absolute(storage))


def this_worker() -> str:
    """Return what identifies this process, as trials note it."""
    process = psutil.Process()
    return f"{socket.gethostname()} {process.pid} {process.create_time()}"


def is_of_this_machine(worker: str) -> bool:
    """Tell whether the process of a trial is, or was, one of this machine."""
    return worker.startswith(f"{socket.gethostname()} ")


def is_at_work(worker: str) -> bool:
    """Tell whether the process of a trial is running on this machine."""
    _, number, created = (*worker.split(" "), "", "")[:3]
    if not is_of_this_machine(worker):
        return False
    try:
        found = psutil.Process(int(number))
        return str(found.create_time()) == created and found.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, ValueError):
        return False


def _open_shared_journal(path: Path) -> "optuna.storages.BaseStorage":
    """Open a journal file; a file that is something else is never written to."""
    if path.exists() and not path.is_file():
        kind = "folder" if path.is_dir() else "device"
        raise ValueError(f"`storage={path}` is a {kind}; give a journal file or a database URL.")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        with path.open("rb") as file:
            if file.read(len(JOURNAL_BEGINS)) not in (JOURNAL_BEGINS, b""):
                raise ValueError(f"`storage={path}` is not a journal of studies; give the name of a new file.")
        _cut_torn_line(path)
    try:
        return _journal(path)
    except (ValueError, KeyError, TypeError) as error:  # Optuna reads it here
        raise ValueError(f"The journal {path} is damaged ({error}); start a new one.") from None


def _cut_torn_line(path: Path) -> None:
    """Remove an incomplete last line, under the lock that every writer of a line holds."""
    from optuna.storages.journal import JournalFileSymlinkLock

    lock = JournalFileSymlinkLock(os.fspath(path))
    lock.acquire()
    try:
        with path.open("r+b") as file:
            whole = file.read()
            if not whole.endswith(b"\n"):
                file.truncate(whole.rfind(b"\n") + 1)
    finally:
        lock.release()


def _journal(path: Path) -> "optuna.storages.JournalStorage":
    import optuna
    from optuna.storages.journal import JournalFileBackend

    return optuna.storages.JournalStorage(JournalFileBackend(os.fspath(path)))


def _finished_bytes(folder: Path) -> int:
    """Return how much of the journal belongs to finished trials; 0 before the first has ended."""
    note = folder / FINISHED_BYTES
    text = note.read_text().strip() if note.is_file() else ""
    if text.isdecimal():
        return int(text)
    if text or (folder / BEST).is_file():
        raise ValueError(f"{note} is damaged, so {folder.name} cannot be resumed; start a new study.")
    return 0
