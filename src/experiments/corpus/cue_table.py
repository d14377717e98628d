"""The cheap cues of a corpus, measured once and kept beside its tables in `cues.csv`.

    file, state, one column for each cue of `src/audio/cues.py`, reason

`state` is the fingerprint of the recording and the version of the measurement: a row counts as long as both are as they
were, so that only recordings that are new or were changed are measured again. Of a clip that cannot be used the row
holds the reason and no cues. The table is written after every 2,000 clips, or after a fifth of those that it holds
where that is more: writing a million rows every 2,000 clips would take longer than measuring. A measurement that was
stopped resumes there. It is no table that other steps read or change: deleting it costs time and nothing else, and
where the folder cannot be written, cues are measured whenever they are needed.
"""

import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from src.audio.cues import CATEGORY, CUES, cues_of
from src.experiments.corpus.catalogue import usable_or_reason
from src.experiments.corpus.fingerprints import take_fingerprints
from src.utils.csv_tables import read_csv, write_table
from src.utils.parallel import map_clips

CUE_TABLE = "cues.csv"
VERSION = "1"
"""Of the measurement: another one whenever a definition changes."""
COLUMNS = ["file", "state", *CUES, "reason"]
NUMBERS = [cue for cue in CUES if cue != CATEGORY]
AT_ONCE = 2000
SHARE_AT_ONCE = 0.2
"""Of the rows that the table holds: as much is measured before it is written again."""
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
    known = _kept(dataset)
    then = dict(zip(known["file"], known["state"], strict=True))
    waiting = [file for file, state in states.items() if then.get(file) != state]
    is_kept, start = True, 0
    while start < len(waiting):
        part = waiting[start : start + max(AT_ONCE, int(SHARE_AT_ONCE * len(known)))]
        found = map_clips(
            partial(usable_or_reason, cues_of),
            [dataset / file for file in part],
            jobs=1 if not jobs and len(waiting) <= FEW else jobs,
            description="cues",
        )
        measured = [
            {"file": file, "state": states[file], **(cues or {}), "reason": reason}
            for file, (cues, reason) in zip(part, found, strict=True)
        ]
        known = _with_rows(known, measured)
        is_kept = is_kept and _keep(dataset, known)
        start += len(part)
    table = known.set_index("file").loc[list(files)].reset_index().drop(columns="state")
    table[CATEGORY] = table[CATEGORY].astype(object).fillna("")
    return table.astype(dict.fromkeys(NUMBERS, float))


def known_cues(dataset: Path) -> pd.DataFrame:
    """Return the cues of the usable clips that the table of a corpus holds; none are measured, and there may be none.

    Whether the recordings have changed since is not looked up: the corpus may be gone but for its tables.
    """
    known = _kept(dataset)
    return known[known["reason"] == ""].drop(columns=["state", "reason"]).reset_index(drop=True)


def join_cues(rows: pd.DataFrame, cues: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a files table whose clips can be used, with their cues; measured durations replace its own."""
    usable = cues[cues["reason"] == ""].drop(columns="reason")
    return rows.drop(columns=[cue for cue in CUES if cue in rows]).merge(usable, on="file")


def _kept(dataset: Path) -> pd.DataFrame:
    """Return the table, one row for each file; without rows where there is none, or one that cannot be read."""
    nothing = pd.DataFrame(columns=COLUMNS)
    if not (dataset / CUE_TABLE).is_file():
        return nothing
    try:
        table = read_csv(dataset / CUE_TABLE, "delete it")[COLUMNS]
        table[NUMBERS] = table[NUMBERS].replace("", "nan").astype(float)
    except (OSError, ValueError, KeyError):  # no table, cells that are no numbers, a column that is missing
        return nothing
    return table.drop_duplicates("file", keep="last")


def _with_rows(table: pd.DataFrame, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return a table with these rows in place of those of the same files; rows of other files come last."""
    new = pd.DataFrame(rows, columns=COLUMNS)
    if table.empty:
        return new
    joined = pd.concat([table, new])
    order = joined["file"].drop_duplicates()
    return joined.drop_duplicates("file", keep="last").set_index("file").loc[order].reset_index()[COLUMNS]


def _keep(dataset: Path, table: pd.DataFrame) -> bool:
    """Write the table; return False, and say so once, where the corpus's folder cannot be written."""
    try:
        write_table(dataset / CUE_TABLE, table)
    except PermissionError as error:
        warnings.warn(f"The cues of {dataset} are not kept ({error.strerror}).", stacklevel=3)
        return False
    return True
