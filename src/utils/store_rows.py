"""The rows of an embedding store on disk: which of them are intact, how lines are added, how files are truncated.

Reading changes nothing, so that a plan can inspect a store that another process is writing.
"""

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from src.utils.embedding_checks import damaged_rows
from src.utils.embeddings import (
    INDEX,
    JOURNAL,
    LEFT_OUT,
    UTF8,
    describe_layers,
    layer_file,
    read_journal,
    read_left_out,
    whole_batches,
)


@dataclass(frozen=True)
class Row:
    """A clip's line in the journal, without the columns that the store adds itself."""

    file: str
    fingerprint: str
    frames: int
    """Number of frames that its statistics were computed from."""
    windows: int = 1
    """Number of windows in which it was computed."""


@dataclass(frozen=True)
class Rows:
    """The part of a store that is complete, also after a kill."""

    n_rows: int
    n_bytes: int
    """Bytes of these rows' lines in the journal."""
    torn: bool
    """Whether the journal holds rows whose vectors are missing."""
    fingerprints: dict[str, str]
    """File -> fingerprint of its recording, for the clips whose rows are intact."""
    damaged: tuple[int, ...] = ()
    """Numbers of the rows whose vectors are not what was written."""


def read_rows(folder: Path, layers: Sequence[int], row_bytes: int, damaged: Sequence[int] | None = None) -> Rows:
    """Find the rows of a store that are complete and intact.

    The rows of an unfinished store are compared with their checksums, in case the machine itself crashed.

    Parameters
    ----------
    folder : Path
    layers : sequence of int
        The layers that the store holds.
    row_bytes : int
        Bytes of one row of one layer.
    damaged : sequence of int, optional
        Numbers of the damaged rows, where they were just looked for; None = look for them.
    """
    journal = read_journal(folder)
    paths = [layer_file(folder, layer) for layer in layers]
    n_rows = min(len(journal), *(size_of(path) // row_bytes for path in paths))
    while n_rows and journal["following"][n_rows - 1] != "0":
        n_rows -= 1
    torn = n_rows < len(journal)
    journal = journal.iloc[:n_rows]
    sound = np.ones(n_rows, dtype=bool)
    if damaged is None:
        is_checked = (folder / INDEX).is_file() and not torn
        damaged = [] if is_checked else damaged_rows(folder, layers, journal, row_bytes)
    sound[[row for row in damaged if row < n_rows]] = False
    latest = ~journal["file"].duplicated(keep="last").to_numpy()
    known = journal[latest & sound]
    n_bytes = len(as_lines(journal.itertuples(index=False)))
    known_prints = dict(zip(known["file"], known["fingerprint"], strict=True))
    return Rows(n_rows, n_bytes, torn, known_prints, tuple(damaged))


@dataclass
class JournalTail:
    """A journal that grows, read on from where it was read to: what is new costs time, not what is there."""

    folder: Path
    n_bytes: int = 0
    """Bytes of the journal that count as read: complete batches alone."""

    def new_rows(self) -> list[list[str]]:
        """Return the rows of the batches that any process completed since the last call; see `JOURNAL_COLUMNS`."""
        try:
            with (self.folder / JOURNAL).open("rb") as file:
                file.seek(self.n_bytes)
                rows = whole_batches(file.read())
        except FileNotFoundError:
            return []
        self.n_bytes += len(as_lines(rows))
        return rows


def as_lines(rows: Iterable[Sequence[Any]]) -> bytes:
    """Return rows as the bytes of their lines."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode(**UTF8)


def left_out_clips(folder: Path, fingerprints: Mapping[str, str]) -> dict[str, str]:
    """Return the clips that cannot be used, file -> reason; recordings that changed since are tried again."""
    found = read_left_out(folder)
    return {file: reason for file, then, reason in found.itertuples(index=False) if fingerprints.get(file) == then}


def waiting_clips(folder: Path, known: Mapping[str, str], fingerprints: Mapping[str, str]) -> list[str]:
    """Return the files that have no intact row yet and are not known to be unusable.

    Parameters
    ----------
    folder : Path
        Folder of the store.
    known : mapping of str to str
        File -> fingerprint of the recording that its row was computed from.
    fingerprints : mapping of str to str
        File -> its fingerprint now, for the clips of the split.

    Raises
    ------
    ValueError
        When a recording changed since its row was computed.
    """
    changed = [file for file, now in fingerprints.items() if known.get(file, now) != now]
    if changed:
        raise ValueError(
            f"{len(changed)} recordings changed since {folder} was made (first: {changed[0]}): "
            "delete that folder to compute them again, or give the changed corpus another name."
        )
    left_out = left_out_clips(folder, fingerprints)
    return [file for file in fingerprints if file not in known and file not in left_out]


def require_same_kind(folder: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise ValueError when the metadata of a store differ from what is wanted."""
    for key, value in wanted.items():
        if found.get(key) != value:
            one, other = (
                describe_layers(each) if key == "layers" and isinstance(each, list) else repr(each)
                for each in (found.get(key), value)
            )
            raise ValueError(
                f"{folder} holds embeddings of another kind: {key} is {one} there, "
                f"{other} now. Delete that folder to compute them again."
            )


def append_lines(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Append lines to a table in one write."""
    with path.open("ab") as file:
        file.write(as_lines(rows))


def append_left_out(folder: Path, reasons: Mapping[str, str], fingerprints: Mapping[str, str]) -> None:
    """Append clips that cannot be used, file -> reason, after the last complete line."""
    path = folder / LEFT_OUT
    if path.is_file() and not _ends_with_a_line(path):
        cut_off(path, path.read_bytes().rfind(b"\n") + 1)
    append_lines(path, [(file, fingerprints[file], reason) for file, reason in reasons.items()])


def _ends_with_a_line(path: Path) -> bool:
    """Tell whether a file is empty or ends with a complete line; only its last byte is read."""
    with path.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 1))
        return file.read() in (b"", b"\n")


def cut_off(path: Path, size: int) -> None:
    """Truncate a file to `size` bytes if it is longer."""
    if size_of(path) > size:
        with path.open("r+b") as file:
            file.truncate(size)


def size_of(path: Path) -> int:
    """Return the size of a file, 0 if there is none.

    The file is opened for it: of a file that another machine has written, a network disk's client may remember the
    size of a minute ago, and asks the server when a file is opened.
    """
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return 0


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a store, and see what others wrote under it, on whatever machine.

    The folder is opened for that: a network disk's client then asks the server which files it has. Files are opened
    and closed while the lock is held, which makes the client fetch what is new and send what it has.
    """
    with FileLock(folder / ".lock"):
        with os.scandir(folder):
            pass
        yield


def to_disk(path: Path) -> None:
    """Wait until the system has written a file to the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
