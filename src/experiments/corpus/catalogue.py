"""Make the tables of a corpus from its recordings: which clips there are, how long and how loud each is.

Every step may be repeated. A clip that cannot be used moves from the table to `rejected-files.csv`, with the reason;
when the tables are made again, every clip is considered again.
"""

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.audio.io import UnusableAudio, load_waveform, read_header
from src.audio.storage.places import find
from src.corpora.reading import read_corpus
from src.experiments.corpus.notes import duplicate_notes, people_notes
from src.experiments.corpus.splits import split_notes
from src.utils.classes import write_classes
from src.utils.csv_tables import printable
from src.utils.dataset import (
    FILES_TABLE,
    REJECTED_TABLE,
    TableEditor,
    check_editable,
    edit_tables,
    read_files,
    without,
)
from src.utils.parallel import map_clips

NO_FILE = "not a file (a broken link?)"
"""Reason why a recording that is listed but missing cannot be used."""


@dataclass(frozen=True)
class Catalogue:
    """The result of a step that makes or extends the tables."""

    dataset: Path
    n_clips: int
    n_people: int
    n_rejected: int
    """Clips that this step left out."""
    notes: tuple[str, ...] = ()
    """What a user should know of the corpus, one sentence each: what was passed over, what looks like a mistake."""

    def __str__(self) -> str:
        left_out = f"; {self.n_rejected} left out, see {REJECTED_TABLE}" if self.n_rejected else ""
        return f"{self.n_clips} clips of {self.n_people} people in {self.dataset / FILES_TABLE}{left_out}"


def generate_tables(dataset: Path, layout: str = "audios", options: Mapping[str, str] | None = None) -> Catalogue:
    """Make `files-metadata.csv` and `people-metadata.csv` of a corpus.

    Empty files and names that a table cannot hold are rejected; the recordings are not decoded yet. Those that no
    published protocol lists are compared by their contents, where they are of equal size: one may be listed twice.

    Parameters
    ----------
    dataset : Path
    layout : str
        A name of `corpora.LAYOUTS`.
    options : mapping of str to str
        Options of the layout, such as `positive_label`; see `corpora/reading.py`.
    """
    listing = read_corpus(dataset, layout, options)
    listed = listing.files
    reasons = {file: reason for file in listed["file"].tolist() if (reason := _unusable_name_or_size(dataset, file))}
    with edit_tables(dataset) as tables:
        tables.set_rejected({printable(file): reason for file, reason in reasons.items()})
        files = without(listed, reasons, dataset)
        people = tables.write(files)
        write_classes(dataset, listing.classes)
    notes = [*listing.notes, *people_notes(files)]
    if not listing.has_protocol:
        notes += duplicate_notes(dataset, files)
    return Catalogue(dataset, len(files), len(people), len(reasons), (*notes, *split_notes(dataset)))


def add_duration(dataset: Path, jobs: int = 0) -> Catalogue:
    """Add the column `duration`, in seconds, from the files' headers."""
    return _add_column(dataset, "duration", _duration, jobs)


def add_amplitude(dataset: Path, jobs: int = 0) -> Catalogue:
    """Add the column `amplitude`: the largest sample, 0 to 1, of the clip in mono at 16 kHz."""
    return _add_column(dataset, "amplitude", _amplitude, jobs)


def usable_or_reason(function: Callable[[Path], Any], path: Path) -> tuple[Any, str]:
    """Call `function` on a recording; return its result and "", or None and why the recording cannot be used."""
    try:
        return function(path), ""
    except UnusableAudio as error:
        return None, str(error)


def _add_column(dataset: Path, column: str, measure: Callable[[Path], float], jobs: int) -> Catalogue:
    check_editable(dataset)
    values: dict[str, float] = {}
    reasons: dict[str, str] = {}
    while True:
        waiting = [file for file in read_files(dataset)["file"] if file not in values and file not in reasons]
        outcomes = map_clips(
            partial(usable_or_reason, measure), [dataset / file for file in waiting], jobs=jobs, description=column
        )
        for file, (value, reason) in zip(waiting, outcomes, strict=True):
            if reason:
                reasons[file] = reason
            else:
                values[file] = value
        with edit_tables(dataset) as tables:
            files = read_files(dataset)
            if not set(files["file"]) <= values.keys() | reasons.keys():
                continue  # another step listed more clips meanwhile
            return _with_column(tables, files, column, values, reasons)


def _with_column(
    tables: TableEditor, files: pd.DataFrame, column: str, values: Mapping[str, float], reasons: Mapping[str, str]
) -> Catalogue:
    """Write the files table with one more column, without the clips that could not be measured."""
    found = {file: reasons[file] for file in files["file"] if file in reasons}
    tables.reject(found)
    kept = without(files, found, tables.dataset)
    kept[column] = [values[file] for file in kept["file"]]
    people = tables.write(kept)
    return Catalogue(tables.dataset, len(kept), len(people), len(found))


def _duration(path: Path) -> float:
    return round(read_header(path).duration, 6)


def _amplitude(path: Path) -> float:
    return round(float(np.abs(load_waveform(path)).max()), 6)


def _unusable_name_or_size(dataset: Path, file: str) -> str:
    if not file.isprintable() and (printable(file) != file or "\n" in file or "\r" in file):
        return "its name has characters that a table cannot hold (bytes that are not UTF-8, a line break)"
    try:
        found = os.stat(f"{dataset}/{file}")  # noqa: PTH116 (a corpus may have 600,000 files)
    except OSError:
        return _unusable_in_a_tar(dataset / file)
    if not stat.S_ISREG(found.st_mode):
        return NO_FILE
    return "" if found.st_size else "empty (no bytes)"


def _unusable_in_a_tar(path: Path) -> str:
    try:
        return "" if find(path).size else "empty (no bytes)"
    except OSError:
        return NO_FILE
