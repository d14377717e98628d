"""The tables of a corpus: `files-metadata.csv`, one row per clip, and `people-metadata.csv`, one per person.

files     file, speaker, id, gender, label, system, and, once measured, duration (s) and amplitude (peak, 0 to 1);
          segments where clips are partly spoofed (`segments.py`); other columns are kept as they are.
          `file` is relative to the corpus folder, with `/`; label is `bona-fide` or `spoof`; system made the spoof.
people    person, gender, id, spoof_count, bonafide_count, spoof_folder, bonafide_folder.
rejected  file, reason: the clips that cannot be used, in `rejected-files.csv`, which exists only if there are any.

A person is spelled `<Name>_<F|M>NNN` (`Maria_F003`) in all of them, whatever the spelling on disk (`people.py`); U
stands where the gender is not known. Only columns known to hold numbers are converted to numbers. Tables are changed
only through `edit_tables`, by one process at a time, so that two steps that work on one corpus never lose each other's
columns.
"""

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from filelock import FileLock, Timeout

from src.utils.cells import check_cells
from src.utils.csv_tables import read_csv, write_table
from src.utils.labels import LABEL_NAMES, parse_label
from src.utils.paths import on
from src.utils.people import PEOPLE_COLUMNS, people_of, person_of, with_one_spelling
from src.utils.segments import SEGMENTS, spoofed_spans

FILE_COLUMNS = ["file", "speaker", "id", "gender", "label", "system"]
NUMBER_COLUMNS = {"duration": float, "amplitude": float, "spoof_count": int, "bonafide_count": int}
GENDERS = ("F", "M")
UNKNOWN_GENDER = "U"
LABELS = tuple(LABEL_NAMES.values())

FILES_TABLE = "files-metadata.csv"
PEOPLE_TABLE = "people-metadata.csv"
REJECTED_TABLE = "rejected-files.csv"
LOCK = ".tables.lock"
LOCK_SECONDS = 600
"""How long a step waits for another one to write its tables, which takes seconds."""


def check_dataset(dataset: Path) -> None:
    """Raise `FileNotFoundError` when the corpus folder is missing."""
    if not dataset.is_dir():
        raise FileNotFoundError(
            f"There is no folder {dataset}: give a corpus as `dataset`; DatasetPreparation.md describes its layout."
        )


def read_files(dataset: Path) -> pd.DataFrame:
    """Read and check the files table of a corpus.

    Raises
    ------
    FileNotFoundError
        When the folder or the table is missing.
    ValueError
        When a column is missing, a path leads out of the corpus, a label or gender is unknown, a file is listed twice,
        or there are no rows.
    """
    check_dataset(dataset)
    return read_file_rows(dataset / FILES_TABLE, maker=f"GenerateDatasetCSV{on(dataset)}")


def read_file_rows(path: Path, maker: str) -> pd.DataFrame:
    """Read and check any table of clips; `maker` is the task that writes it, for error messages."""
    table = _read_table(path, ["file", "speaker", "id", "gender", "label"], maker)
    if "system" not in table:
        table.insert(5, "system", "")
    check_cells(table, path, (*GENDERS, UNKNOWN_GENDER))
    table["label"] = table["label"].map({word: LABEL_NAMES[parse_label(word)] for word in table["label"].unique()})
    if SEGMENTS in table:
        spoofed_spans(table, str(path))  # refuses what cannot be read
    table = with_one_spelling(table)
    genders = table.groupby(person_of(table))["gender"].nunique()
    if (genders > 1).any():
        raise ValueError(f"{path}: {genders.index[genders > 1][0]} is listed with two genders; correct the table.")
    twice = table["file"].duplicated()
    if twice.any():
        row = int(twice.to_numpy().argmax())
        raise ValueError(f"{path}, row {row + 2}: {table['file'].iloc[row]} is listed twice; run fab {maker} again.")
    return table


def read_people(dataset: Path) -> pd.DataFrame:
    """Read the people table of a corpus."""
    check_dataset(dataset)
    return with_one_spelling(_read_table(dataset / PEOPLE_TABLE, PEOPLE_COLUMNS, f"GenerateDatasetCSV{on(dataset)}"))


def read_rejected(dataset: Path) -> dict[str, str]:
    """Return the clips that cannot be used, file -> reason; empty when none were found."""
    try:
        table = _read_table(dataset / REJECTED_TABLE, ["file", "reason"], "GenerateDatasetCSV", may_be_empty=True)
    except FileNotFoundError:
        return {}
    return dict(zip(table["file"], table["reason"], strict=True))


@dataclass(frozen=True)
class TableEditor:
    """Write access to the tables of a corpus while they are locked; obtained from `edit_tables`."""

    dataset: Path

    def reject(self, reasons: Mapping[str, str]) -> None:
        """Add clips to the rejected ones, file -> reason; a clip already listed gets the new reason."""
        if reasons:
            self.set_rejected({**read_rejected(self.dataset), **reasons})

    def set_rejected(self, reasons: Mapping[str, str]) -> None:
        """Replace the list of rejected clips, file -> reason."""
        path = self.dataset / REJECTED_TABLE
        if reasons:
            write_table(path, pd.DataFrame(sorted(reasons.items()), columns=["file", "reason"]))
        else:
            path.unlink(missing_ok=True)

    def write(self, files: pd.DataFrame) -> pd.DataFrame:
        """Write the files table and the people table that follows from it; return the people."""
        files = with_one_spelling(files)
        people = people_of(files)
        write_table(self.dataset / PEOPLE_TABLE, people)
        write_table(self.dataset / FILES_TABLE, files)
        return people


@contextmanager
def edit_tables(dataset: Path) -> Iterator[TableEditor]:
    """Lock the tables of a corpus against other processes while the block runs; read them inside the block.

    The lock is a kernel lock (`flock`) on a hidden file in the corpus folder, which everybody may open (mode 0666): all
    users and machines that share the corpus share the lock, and it is released when its process ends, however that
    happens. The file is removed after use, and processes that wait for it notice. On disks without `flock`, the
    existence of the file is the lock. Blocks must not be nested.

    Raises
    ------
    FileNotFoundError
        When the corpus folder is missing.
    PermissionError
        When the corpus folder cannot be written.
    ValueError
        When another process has been changing the tables for ten minutes.

    >>> import tempfile
    >>> row = ["real_voices/Ana_F001/1.wav", "Ana_F001", "F001", "F", "bona-fide", ""]
    >>> with edit_tables(Path(tempfile.mkdtemp())) as tables:
    ...     _ = tables.write(pd.DataFrame([row], columns=FILE_COLUMNS))
    ...     read_people(tables.dataset)["person"].tolist()
    ['Ana_F001']
    """
    check_dataset(dataset)
    lock = _locked(dataset)
    try:
        yield TableEditor(dataset)
    finally:
        (dataset / LOCK).unlink(missing_ok=True)
        lock.release()


def check_editable(dataset: Path) -> None:
    """Raise what `edit_tables` would, so that a long step fails at its start and not when it writes its result."""
    with edit_tables(dataset):
        pass


def write_tables(dataset: Path, files: pd.DataFrame) -> pd.DataFrame:
    """Write the files table and the people table that follows from it; return the people."""
    with edit_tables(dataset) as tables:
        return tables.write(files)


def reject(dataset: Path, reasons: Mapping[str, str]) -> None:
    """Add clips to `rejected-files.csv`, file -> reason; a clip already listed gets the new reason."""
    if reasons:
        with edit_tables(dataset) as tables:
            tables.reject(reasons)


def without(files: pd.DataFrame, reasons: Mapping[str, str], dataset: Path) -> pd.DataFrame:
    """Return a files table without the clips that cannot be used.

    Raises
    ------
    ValueError
        When no clip is left.
    """
    kept = files[~files["file"].isin(reasons.keys())].reset_index(drop=True)
    if kept.empty:
        file, reason = next(iter(reasons.items()))
        raise ValueError(f"None of the {len(files)} clips of {dataset} can be used ({file}: {reason}).")
    return kept


def _locked(dataset: Path) -> FileLock:
    """Acquire the lock of a corpus's tables, or raise an error that says why it cannot be acquired."""
    lock = FileLock(dataset / LOCK, timeout=LOCK_SECONDS, mode=0o666)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(
            f"Another process has been changing the tables of {dataset} for {LOCK_SECONDS // 60} minutes: "
            "wait for it to end, or stop it, and run the same command again."
        ) from None
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        raise PermissionError(
            f"The tables of {dataset} cannot be changed: its folder cannot be written ({error.strerror}). "
            "Ask its owner for permission to write, or work on a copy of your own."
        ) from None
    return lock


def _read_table(path: Path, required: list[str], maker: str, *, may_be_empty: bool = False) -> pd.DataFrame:
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}: make it with fab {maker}.")
    table = read_csv(path, f"run fab {maker} again")
    missing = [column for column in required if column not in table]
    if missing:
        raise ValueError(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(table.columns)}. Run fab {maker} again."
        )
    if table.empty and not may_be_empty:
        raise ValueError(f"{path} has no rows; run fab {maker} again.")
    for column in NUMBER_COLUMNS.keys() & set(table.columns):
        try:
            table[column] = table[column].astype(NUMBER_COLUMNS[column])
        except ValueError as error:
            raise ValueError(f"{path}, column {column}: {error}; run fab {maker} again.") from None
    return table
