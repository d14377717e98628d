"""Lengths of recordings in storage over a network, kept beside the tables of the corpus: `lengths.csv`.

There, to read a header is to fetch the recording, and a cache may be smaller than the corpus. So headers are read once,
whatever number of backbones follow; a recording that changed has another fingerprint and is read again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from src.audio.storage.links import SOURCE
from src.experiments.extraction.readers import HEADER, Length, read_lengths
from src.utils.csv_tables import read_csv, write_table

LENGTHS = "lengths.csv"
COLUMNS = ["file", "fingerprint", *HEADER]
AT_ONCE = 20_000
"""Recordings after which lengths are written, so that a plan that is killed has not fetched in vain."""


def lengths_of(dataset: Path, files: Sequence[str], fingerprints: Mapping[str, str]) -> dict[str, Length]:
    """Return file -> length; read headers, of recordings in storage over a network only those that are not known.

    Parameters
    ----------
    dataset : Path
    files : sequence of str
        In the order in which they are best read.
    fingerprints : mapping of str to str
        File -> fingerprint of its recording.

    Raises
    ------
    ChildProcessError
        When the system ends a process that reads recordings.
    OSError
        When recordings cannot be fetched.
    """
    if not (dataset / SOURCE).is_file():
        return read_lengths(dataset, files)
    kept = _read(dataset / LENGTHS)
    waiting = [file for file in files if kept.get(file, ("",))[0] != fingerprints[file]]
    for start in range(0, len(waiting), AT_ONCE):
        read = read_lengths(dataset, waiting[start : start + AT_ONCE])
        kept |= {file: (fingerprints[file], length) for file, length in read.items()}
        _write(dataset / LENGTHS, kept)
    return {file: kept[file][1] for file in files}


def _read(path: Path) -> dict[str, tuple[str, Length]]:
    if not path.is_file():
        return {}
    table = read_csv(path, "delete it, and headers are read again")
    if missing := [column for column in COLUMNS if column not in table]:
        raise ValueError(f"{path} has no column {', '.join(missing)}: delete it, and headers are read again.")
    rows = table[COLUMNS].itertuples(index=False)
    return {file: (fingerprint, Length.of_cells(*cells)) for file, fingerprint, *cells in rows}


def _write(path: Path, kept: Mapping[str, tuple[str, Length]]) -> None:
    rows = [(file, fingerprint, *length.cells) for file, (fingerprint, length) in kept.items()]
    write_table(path, pd.DataFrame(rows, columns=COLUMNS))
