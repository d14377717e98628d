"""The two tables of a corpus: `files-metadata.csv`, a row a clip, and `people-metadata.csv`, a row a person.

files   file, speaker, id, gender, label, system, then duration (s) and amplitude (peak, 0 to 1) as steps add them.
        `file` is relative to the corpus folder, with `/`; label is `bona-fide` or `spoof`; system made the spoof.
people  person, gender, id, spoof_count, bonafide_count, spoof_folder, bonafide_folder.

A person is a name and an id together (`Maria_F003`): two people may share either. Cells are read as the text that
they are ("NA" can be somebody's name) and only the columns known to be numbers become numbers.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from src.utils.files import atomic_path
from src.utils.labels import LABEL_NAMES, SPOOF, parse_label

FILE_COLUMNS = ["file", "speaker", "id", "gender", "label", "system"]
PEOPLE_COLUMNS = ["person", "gender", "id", "spoof_count", "bonafide_count", "spoof_folder", "bonafide_folder"]
NUMBER_COLUMNS = {"duration": float, "amplitude": float, "spoof_count": int, "bonafide_count": int}
GENDERS = ("F", "M")
LABELS = tuple(LABEL_NAMES.values())

FILES_TABLE = "files-metadata.csv"
PEOPLE_TABLE = "people-metadata.csv"
REJECTED_TABLE = "rejected-files.csv"


def check_dataset(dataset: Path) -> None:
    """Raise `FileNotFoundError` when the corpus folder is not there."""
    if not dataset.is_dir():
        raise FileNotFoundError(
            f"There is no folder {dataset}: give a corpus by --dataset=; DatasetPreparation.md says how to lay one out."
        )


def read_files(dataset: Path) -> pd.DataFrame:
    """Read and check the files table of a corpus.

    Raises
    ------
    FileNotFoundError
        When folder or table is missing.
    ValueError
        When a column is missing, a label or gender is unknown, a file is listed twice, or there are no rows.
    """
    check_dataset(dataset)
    return read_file_rows(dataset / FILES_TABLE, maker="GenerateDatasetCSV")


def read_file_rows(path: Path, maker: str) -> pd.DataFrame:
    """Read and check any table of clips; `maker` is the task that makes it."""
    table = _read_csv(path, ["file", "speaker", "id", "gender", "label"], maker)
    if "system" not in table:
        table.insert(5, "system", "")
    for row, (label, gender) in enumerate(zip(table["label"], table["gender"], strict=True), start=2):
        try:
            parse_label(label)
        except ValueError as error:
            raise ValueError(f"{path}, row {row}: {error}") from None
        if gender not in GENDERS:
            raise ValueError(f"{path}, row {row}: unknown gender '{gender}'; allowed: {', '.join(GENDERS)}.")
    table["label"] = [LABEL_NAMES[parse_label(label)] for label in table["label"]]
    genders = table.groupby(["speaker", "id"])["gender"].nunique()
    if (genders > 1).any():
        speaker, identity = genders.index[genders > 1][0]
        raise ValueError(f"{path}: {speaker}_{identity} is listed with two genders; mend the table.")
    twice = table["file"].duplicated()
    if twice.any():
        row = int(twice.to_numpy().argmax())
        raise ValueError(f"{path}, row {row + 2}: {table['file'].iloc[row]} is listed twice; run fab {maker} again.")
    return table


def read_people(dataset: Path) -> pd.DataFrame:
    """Read the people table of a corpus."""
    check_dataset(dataset)
    return _read_csv(dataset / PEOPLE_TABLE, PEOPLE_COLUMNS, "GenerateDatasetCSV")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, whole or not at all."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def write_tables(dataset: Path, files: pd.DataFrame) -> pd.DataFrame:
    """Write the files table and the people table that follows from it; return the people."""
    people = people_of(files)
    write_table(dataset / PEOPLE_TABLE, people)
    write_table(dataset / FILES_TABLE, files)
    return people


def person_of(table: pd.DataFrame) -> pd.Series:
    """Return the person of every row: name and id, `Maria_F003`."""
    name = table["speaker"] if "speaker" in table else table["person"]
    return name + "_" + table["id"]


def people_of(files: pd.DataFrame) -> pd.DataFrame:
    """Count the clips of every person.

    >>> columns = ["file", "speaker", "id", "gender", "label", "system"]
    >>> rows = [["real_voices/Ana_F001/1.wav", "Ana", "F001", "F", "bona-fide", ""]]
    >>> list(people_of(pd.DataFrame(rows, columns=columns)).to_dict("records")[0].values())
    ['Ana', 'F', 'F001', 0, 1, '', 'real_voices/Ana_F001']
    """
    rows = []
    for (speaker, identity, gender), clips in files.groupby(["speaker", "id", "gender"], sort=True):
        spoofs = clips["file"][clips["label"] == LABEL_NAMES[SPOOF]]
        genuine = clips["file"][clips["label"] != LABEL_NAMES[SPOOF]]
        rows.append([speaker, gender, identity, len(spoofs), len(genuine), _folder(spoofs), _folder(genuine)])
    return pd.DataFrame(rows, columns=PEOPLE_COLUMNS)


def reject(dataset: Path, reasons: Mapping[str, str]) -> None:
    """Add clips to `rejected-files.csv`, by name and reason; a clip listed before gets the new reason."""
    if not reasons:
        return
    merged = {**read_rejected(dataset), **reasons}
    write_table(dataset / REJECTED_TABLE, pd.DataFrame(sorted(merged.items()), columns=["file", "reason"]))


def read_rejected(dataset: Path) -> dict[str, str]:
    """Return the clips that cannot be used, file -> reason; empty when none were found."""
    path = dataset / REJECTED_TABLE
    if not path.exists():
        return {}
    table = _read_csv(path, ["file", "reason"], "GenerateDatasetCSV", may_be_empty=True)
    return dict(zip(table["file"], table["reason"], strict=True))


def drop_rejected(dataset: Path, files: pd.DataFrame, reasons: Mapping[str, str]) -> pd.DataFrame:
    """List clips as rejected and return the table without them.

    Raises
    ------
    ValueError
        When no clip is left.
    """
    reject(dataset, reasons)
    kept = files[~files["file"].isin(reasons.keys())].reset_index(drop=True)
    if kept.empty:
        file, reason = next(iter(reasons.items()))
        raise ValueError(f"None of the {len(files)} clips of {dataset} can be used ({file}: {reason}).")
    return kept


def _folder(files: Iterable[str]) -> str:
    first = next(iter(files), "")
    return first.rpartition("/")[0]


def _read_csv(path: Path, required: list[str], maker: str, *, may_be_empty: bool = False) -> pd.DataFrame:
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}: make it with fab {maker}.")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as a table ({str(error).strip()}); run fab {maker} again.") from None
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
