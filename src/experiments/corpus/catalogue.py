"""From a folder of recordings to its tables: which clips there are, how long and how loud each is.

Every step may be repeated. A clip that cannot be used leaves the table for `rejected-files.csv`, with the reason;
making the table anew gives every clip another chance.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from src.audio.io import UnusableAudio, load_waveform, read_header
from src.corpora import LAYOUTS
from src.utils.dataset import (
    FILES_TABLE,
    REJECTED_TABLE,
    check_dataset,
    drop_rejected,
    read_files,
    write_tables,
)
from src.utils.files import text_digest
from src.utils.parallel import map_clips
from src.utils.registry import lookup


@dataclass(frozen=True)
class Catalogue:
    """What a step on the tables found."""

    dataset: Path
    n_clips: int
    n_people: int
    n_rejected: int
    """Clips that this step left out."""

    def __str__(self) -> str:
        left_out = f"; {self.n_rejected} left out, see {REJECTED_TABLE}" if self.n_rejected else ""
        return f"{self.n_clips} clips of {self.n_people} people in {self.dataset / FILES_TABLE}{left_out}"


def generate_tables(dataset: Path, layout: str = "audios") -> Catalogue:
    """Make `files-metadata.csv` and `people-metadata.csv` of a corpus.

    Empty files and names that no table can hold are rejected; the sound itself is not opened yet.
    """
    read_layout = lookup(LAYOUTS, layout, "layout")
    check_dataset(dataset)
    files = read_layout(dataset)
    (dataset / REJECTED_TABLE).unlink(missing_ok=True)
    reasons = {file: reason for file in files["file"] if (reason := _unusable_name_or_size(dataset, file))}
    files = drop_rejected(dataset, files, {_printable(file): reason for file, reason in reasons.items()})
    files = files[~files["file"].isin(reasons.keys())].reset_index(drop=True)
    people = write_tables(dataset, files)
    return Catalogue(dataset, len(files), len(people), len(reasons))


def add_duration(dataset: Path, jobs: int = 0) -> Catalogue:
    """Add the column `duration`, in seconds, from the files' headers."""
    return _add_column(dataset, "duration", _duration, jobs)


def add_amplitude(dataset: Path, jobs: int = 0) -> Catalogue:
    """Add the column `amplitude`: the largest sample, 0 to 1, of the clip in mono at 16 kHz."""
    return _add_column(dataset, "amplitude", _amplitude, jobs)


def usable_or_reason(function: Callable[[Path], Any], path: Path) -> tuple[Any, str]:
    """Call `function` on a recording; return its result and no reason, or nothing and why it cannot be used."""
    try:
        return function(path), ""
    except UnusableAudio as error:
        return None, str(error)


def _add_column(dataset: Path, column: str, measure: Callable[[Path], float], jobs: int) -> Catalogue:
    paths = [dataset / file for file in read_files(dataset)["file"]]
    measured = map_clips(partial(usable_or_reason, measure), paths, jobs=jobs, description=column)
    found = {path: value for path, (value, reason) in zip(paths, measured, strict=True) if not reason}
    reasons = {
        path.relative_to(dataset).as_posix(): reason
        for path, (_, reason) in zip(paths, measured, strict=True)
        if reason
    }
    with FileLock(_lock_of(dataset)):  # two steps at once must not lose each other's column
        kept = drop_rejected(dataset, read_files(dataset), reasons)
        kept[column] = [found[dataset / file] for file in kept["file"]]
        people = write_tables(dataset, kept)
    return Catalogue(dataset, len(kept), len(people), len(reasons))


def _lock_of(dataset: Path) -> Path:
    """Return a lock file for the corpus's tables, outside the corpus."""
    return Path(tempfile.gettempdir()) / f"audios-{text_digest(str(dataset.resolve()))[:16]}.lock"


def _duration(path: Path) -> float:
    return round(read_header(path).duration, 6)


def _amplitude(path: Path) -> float:
    return round(float(np.abs(load_waveform(path)).max()), 6)


def _unusable_name_or_size(dataset: Path, file: str) -> str:
    if _printable(file) != file or "\n" in file or "\r" in file:
        return "its name holds characters that a table cannot (bytes that are not UTF-8, a line break)"
    if not (dataset / file).is_file():
        return "not a file (a broken link?)"
    return "" if (dataset / file).stat().st_size else "empty (no bytes)"


def _printable(file: str) -> str:
    return file.encode("utf-8", "backslashreplace").decode().replace("\n", "\\n").replace("\r", "\\r")
