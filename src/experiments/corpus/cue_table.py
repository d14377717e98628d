"""The cheap cues of a corpus, measured once and kept beside its tables in `cues.csv`.

    file, state, one column for each cue of `src/audio/cues.py`, reason

`state` is the fingerprint of the recording and the version of the measurement: a row counts as long as both are as they
were, so that only recordings that are new or were changed are measured again. Of a clip that cannot be used the row
holds the reason and no cues. The table is written once, at the end: writing a million rows every 2,000 clips would take
longer than measuring. Until then rows are appended to a hidden file beside it, so that a measurement that was stopped
resumes there. It is no table that other steps read or change: deleting it costs time and nothing else, and where the
folder cannot be written, cues are measured whenever they are needed.
"""

import os
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from src.audio.cues import CATEGORY, CUES, cues_of
from src.experiments.corpus.catalogue import usable_or_reason
from src.experiments.corpus.fingerprints import take_fingerprints
from src.utils.csv_tables import read_csv, write_table
from src.utils.parallel import map_clips

CUE_TABLE = "cues.csv"
UNDER_WAY = ".cues-under-way.csv"
"""Rows that were measured and are not in the table yet."""
VERSION = "1"
"""Of the measurement: another one whenever a definition changes."""
COLUMNS = ["file", "state", *CUES, "reason"]
NUMBERS = [cue for cue in CUES if cue != CATEGORY]
AT_ONCE = 2000
"""Clips after which rows are appended: what a kill costs at most."""
FEW = 200
"""Up to so many clips are measured in this process: starting others would take longer."""


def read_cues(dataset: Path, files: Sequence[str], jobs: int = 0) -> pd.DataFrame:
    """Return the cues of clips; those that are not in the table of their corpus are measured and added to it.

    Parameters
    ----------
    dataset : Path
    files : sequence of str
        Clips, as the files table names them.
    jobs : int
        Processes that measure; 0 = one per core.

    Returns
    -------
    pd.DataFrame
        A row for each file, in their order: `file`, the cues of `CUES`, and `reason`, empty where the clip can be used.

    Raises
    ------
    FileNotFoundError
        When recordings are missing.
    """
    states = {file: f"{VERSION}-{taken}" for file, taken in take_fingerprints(dataset, files).items()}
    known = _resumed(dataset)
    then = dict(zip(known["file"], known["state"], strict=True))
    waiting = {file: state for file, state in states.items() if then.get(file) != state}
    if waiting:
        known = _with_rows(known, _measured(dataset, waiting, jobs))
        _keep(dataset, known)
    table = known.set_index("file").loc[list(files)].reset_index().drop(columns="state")
    table[CATEGORY] = table[CATEGORY].astype(object).fillna("")
    return table.astype(dict.fromkeys(NUMBERS, float))


def known_cues(dataset: Path) -> pd.DataFrame:
    """Return the cues of the usable clips that the table of a corpus holds; none are measured, and there may be none.

    Whether the recordings have changed since is not looked up: the corpus may be gone but for its tables.
    """
    known = _kept(dataset / CUE_TABLE)
    return known[known["reason"] == ""].drop(columns=["state", "reason"]).reset_index(drop=True)


def join_cues(rows: pd.DataFrame, cues: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a files table whose clips can be used, with their cues; measured durations replace its own."""
    usable = cues[cues["reason"] == ""].drop(columns="reason")
    return rows.drop(columns=[cue for cue in CUES if cue in rows]).merge(usable, on="file")


def _measured(dataset: Path, states: Mapping[str, str], jobs: int) -> pd.DataFrame:
    """Measure clips, given as file -> state; return their rows, which are noted part by part if there are many."""
    files, parts = list(states), []
    is_noted = len(files) > AT_ONCE
    for start in range(0, len(files), AT_ONCE):
        part = files[start : start + AT_ONCE]
        found = map_clips(
            partial(usable_or_reason, cues_of),
            [dataset / file for file in part],
            jobs=1 if not jobs and len(files) <= FEW else jobs,
            description="cues",
        )
        rows = [
            {"file": file, "state": states[file], CATEGORY: "", **(cues or {}), "reason": reason}
            for file, (cues, reason) in zip(part, found, strict=True)
        ]
        parts.append(pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(NUMBERS, float)))
        is_noted = is_noted and _note(dataset, parts[-1])
    return pd.concat(parts, ignore_index=True)


def _kept(path: Path) -> pd.DataFrame:
    """Return a table, one row for each file; without rows where there is none, or one that cannot be read."""
    nothing = pd.DataFrame(columns=COLUMNS)
    if not path.is_file():
        return nothing
    try:
        table = read_csv(path, "delete it")[COLUMNS]
        table[NUMBERS] = table[NUMBERS].replace("", "nan").astype(float)
    except (OSError, ValueError, KeyError):  # no table, cells that are no numbers, a column that is missing
        return nothing
    return table.drop_duplicates("file", keep="last")


def _resumed(dataset: Path) -> pd.DataFrame:
    """Return the table, with the rows that a measurement which was stopped has noted."""
    table, note = _kept(dataset / CUE_TABLE), dataset / UNDER_WAY
    if not os.access(note, os.W_OK):  # there is none, or it is another user's
        return table
    os.truncate(note, note.read_bytes().rfind(b"\n") + 1)  # a kill may have cut the last row short
    table = _with_rows(table, _kept(note))
    _keep(dataset, table)
    return table


def _with_rows(table: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Return a table with new rows in place of those of the same files; rows of other files come last."""
    if table.empty or new.empty:
        return new if table.empty else table
    joined = pd.concat([table, new])
    order = joined["file"].drop_duplicates()
    return joined.drop_duplicates("file", keep="last").set_index("file").loc[order].reset_index()[COLUMNS]


def _note(dataset: Path, rows: pd.DataFrame) -> bool:
    """Append rows to those that are under way; return False where the corpus's folder cannot be written."""
    try:
        with (dataset / UNDER_WAY).open("ab") as file:
            file.write(rows.to_csv(index=False, header=file.tell() == 0, lineterminator="\n").encode())
    except PermissionError:
        return False
    return True


def _keep(dataset: Path, table: pd.DataFrame) -> None:
    """Write the table, and say so where the corpus's folder cannot be written."""
    try:
        write_table(dataset / CUE_TABLE, table)
        (dataset / UNDER_WAY).unlink(missing_ok=True)
    except PermissionError as error:
        warnings.warn(f"The cues of {dataset} are not kept ({error.strerror}).", stacklevel=3)
