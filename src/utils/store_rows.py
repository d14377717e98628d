"""The rows of an embedding store on disk: which of them are sound, and how lines and vectors are added and cut off.

What is read here changes nothing, so that a plan can look into a store that nobody, or somebody else, is writing.
"""

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

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
class Rows:
    """What of a store survives a kill."""

    n_rows: int
    n_bytes: int
    """Of the journal's lines of these rows."""
    torn: bool
    """Whether the journal holds rows whose vectors are missing."""
    fingerprints: dict[str, str]
    """File -> fingerprint of its recording, for the clips whose rows are sound."""


def read_rows(folder: Path, layers: Sequence[int], row_bytes: int) -> Rows:
    """Read which rows of a store are whole and sound.

    The rows of an unfinished store are compared with their checksums, in case the machine itself went down.

    Parameters
    ----------
    folder : Path
    layers : sequence of int
        The layers that the store holds.
    row_bytes : int
        Of one row of one layer.
    """
    journal = read_journal(folder)
    paths = [layer_file(folder, layer) for layer in layers]
    n_rows = min(len(journal), *(path.stat().st_size // row_bytes if path.is_file() else 0 for path in paths))
    while n_rows and journal["following"][n_rows - 1] != "0":
        n_rows -= 1
    torn = n_rows < len(journal)
    journal = journal.iloc[:n_rows]
    sound = np.ones(n_rows, dtype=bool)
    if torn or not (folder / INDEX).is_file():
        sound[damaged_rows(folder, layers, journal, row_bytes)] = False
    latest = ~journal["file"].duplicated(keep="last").to_numpy()
    known = journal[latest & sound]
    return Rows(n_rows, len(as_lines(journal)), torn, dict(zip(known["file"], known["fingerprint"], strict=True)))


def read_new_rows(folder: Path, n_bytes: int) -> pd.DataFrame:
    """Return the whole batches that the journal holds beyond its first `n_bytes`."""
    with (folder / JOURNAL).open("rb") as file:
        file.seek(n_bytes)
        return whole_batches(file.read())


def as_lines(journal: pd.DataFrame) -> bytes:
    """Return rows of the journal as they are written."""
    return journal.to_csv(index=False, header=False, lineterminator="\n").encode(**UTF8)


def left_out_clips(folder: Path, fingerprints: Mapping[str, str]) -> dict[str, str]:
    """Return the clips that cannot be used, file -> reason; a recording that changed since has another chance."""
    found = read_left_out(folder)
    return {file: reason for file, then, reason in found.itertuples(index=False) if fingerprints.get(file) == then}


def waiting_clips(folder: Path, known: Mapping[str, str], fingerprints: Mapping[str, str]) -> list[str]:
    """Return the files that have no sound row yet and were not found to be unusable.

    Parameters
    ----------
    folder : Path
        Of the store.
    known : mapping of str to str
        File -> fingerprint of the recording that its row was computed from.
    fingerprints : mapping of str to str
        File -> its fingerprint now, for the clips of the split.

    Raises
    ------
    ValueError
        When a recording is no longer the one its row was computed from.
    """
    changed = [file for file, now in fingerprints.items() if known.get(file, now) != now]
    if changed:
        raise ValueError(
            f"{len(changed)} recordings changed since {folder} was made (first: {changed[0]}): "
            "delete that folder to compute them anew, or give the changed corpus a name of its own."
        )
    left_out = left_out_clips(folder, fingerprints)
    return [file for file in fingerprints if file not in known and file not in left_out]


def require_same_kind(folder: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise ValueError when what a store says of itself differs from what is wanted."""
    for key, value in wanted.items():
        if found.get(key) != value:
            one, other = (
                describe_layers(each) if key == "layers" and isinstance(each, list) else repr(each)
                for each in (found.get(key), value)
            )
            raise ValueError(
                f"{folder} holds embeddings of another kind: {key} is {one} there, "
                f"{other} now. Delete that folder to make it anew."
            )


def append_lines(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Add lines to a table at once."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    with path.open("ab") as file:
        file.write(text.getvalue().encode(**UTF8))


def append_left_out(folder: Path, reasons: Mapping[str, str], fingerprints: Mapping[str, str]) -> None:
    """Note clips that cannot be used, file -> reason, behind the last whole line."""
    path = folder / LEFT_OUT
    content = path.read_bytes() if path.is_file() else b""
    if content and not content.endswith(b"\n"):
        cut_off(path, content.rfind(b"\n") + 1)
    append_lines(path, [(file, fingerprints[file], reason) for file, reason in reasons.items()])


def cut_off(path: Path, size: int) -> None:
    """Cut a file back to `size` bytes where it is longer."""
    if path.stat().st_size > size:
        with path.open("r+b") as file:
            file.truncate(size)


def to_disk(path: Path) -> None:
    """Have the system write a file to the disk before anything else is done."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
