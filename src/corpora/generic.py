"""Any corpus: a table that names each recording and its label, or folders with real and fake in their names.

With a table (`table=`), a CSV file with a header whose fields are separated by commas, semicolons, tabs or bars:

    path,class,talker,system            `path_column=path`, `label_column=class`, `speaker_column=talker`
    clips/1.wav,fake,Ana,melgan

Without these names the columns are `file`, `label` and, where there is one, `speaker`. Paths are relative to the corpus
folder or to the table's, with or without suffix. Labels are the words of `utils/labels.py`; of other words
`positive_label` names the one for bona fide speech, and all others are spoofs. A column `gender` takes the
words of `genders.py`, such as F and female. A column `system` and every further one, such as `segments` or `official`,
are taken as they are.

Without a table, the folders that a recording lies in say what it is, or its own name where no folder does: `real`,
`genuine`, `bonafide`, `human`; `fake`, `spoof`, `synthetic`, `deepfake`. `train/FakeVoices/a/1.wav` is a spoof.

Where nobody says who speaks, each recording counts as a person of its own, which is told (`unknown_people.py`).
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from src.corpora import Listing
from src.corpora.folder_labels import label_by_folders
from src.corpora.genders import one_for_each_speaker, read_genders
from src.corpora.passed_over import OWN_FOLDERS
from src.corpora.protocols import BLANKS, SEPARATORS, Form, read_protocol
from src.corpora.recordings import Recordings, as_files, as_people, find_recordings, join_recordings, without_suffix
from src.corpora.unknown_people import note_on_people, own_people
from src.utils.dataset import FILE_COLUMNS, NUMBER_COLUMNS
from src.utils.labels import BONAFIDE, LABEL_NAMES, SPOOF
from src.utils.people import composed
from src.utils.segments import SEGMENTS, spoofed_spans

NO_TABLE = "The layout generic takes `{option}=...` only with `table=...`, a CSV file that has such a column."
N_SHOWN = 5


@dataclass(frozen=True)
class Columns:
    """What the columns of a table are called."""

    path: str
    label: str
    speaker: str
    """Empty where none was named: `speaker`, if there is one."""


def read_layout(
    dataset: Path,
    table: str = "",
    path_column: str = "",
    label_column: str = "",
    speaker_column: str = "",
    positive_label: str = "",
) -> Listing:
    """List the clips of a corpus by a table, or by its folders, sorted by file.

    Parameters
    ----------
    dataset : Path
    table : str
        Path of the table; "" = go by folders.
    path_column, label_column, speaker_column : str
        "" = file, label, and speaker where there is such a column.
    positive_label : str
        The word for bona fide speech in a table, where it is none that is known; all others are spoofs then.

    Raises
    ------
    FileNotFoundError
        When there is no such table.
    ValueError
        When the table is wrong, be it in its `segments`, folders contradict each other, or there is no clip.
    """
    recordings = _recordings(dataset)
    if table:
        columns = Columns(path_column or "file", label_column or "label", speaker_column)
        return _by_table(dataset, Path(table), columns, positive_label, recordings)
    options = {"path_column": path_column, "label_column": label_column, "speaker_column": speaker_column}
    for option, value in {**options, "positive_label": positive_label}.items():
        if value:
            raise ValueError(NO_TABLE.format(option=option))
    labels, notes = label_by_folders(dataset, recordings.files["file"])
    rows = pd.DataFrame({"file": labels.index, "label": labels.array, "system": ""})
    unknown = pd.Series("", index=rows.index)
    return listing_of(rows, unknown, unknown, [*recordings.notes, *notes])


def _by_table(dataset: Path, table: Path, columns: Columns, positive_label: str, recordings: Recordings) -> Listing:
    written = read_protocol(table, _form(table, columns, has_words=not positive_label))
    labels, notes = labels_of(written[columns.label], positive_label)
    if SEGMENTS in written:
        spoofed_spans(pd.DataFrame({"label": labels, SEGMENTS: written[SEGMENTS].replace("-", "")}), str(table))
    speaker = columns.speaker or "speaker"
    if columns.speaker and columns.speaker not in written:
        raise ValueError(f"{table} has no column {speaker}; it has {', '.join(map(str, written.columns))}.")
    rows, more = _join(dataset, table, written.assign(label=labels), columns.path, recordings)
    ours = {columns.path, columns.label, speaker, *FILE_COLUMNS, *NUMBER_COLUMNS}
    files = rows[["file", "label", *(column for column in rows if column not in ours)]]
    system = column_of(rows, "system").where(rows["label"] == LABEL_NAMES[SPOOF], "").replace("-", "")
    notes = [*recordings.notes, *notes, *more]
    return listing_of(files.assign(system=system), column_of(rows, speaker), column_of(rows, "gender"), notes)


def _recordings(dataset: Path) -> Recordings:
    """Return all recordings, in any folder but those that this project keeps in a corpus."""
    found = find_recordings(dataset, [""], deep=True)
    own = found.files["file"].str.split("/").str[0].isin(OWN_FOLDERS)
    return Recordings(found.files[~own].reset_index(drop=True), found.notes)


def _form(table: Path, columns: Columns, *, has_words: bool) -> Form:
    """Return the form of a table; its separator is the one that finds both columns in the header."""
    first = ""
    if table.is_file():
        with table.open(encoding="utf-8-sig", errors="replace") as file:
            first = next((line for line in file if line.strip()), "")
    separator = next((one for one in SEPARATORS if one != BLANKS and _fits(first, one, columns)), ",")
    label = columns.label if has_words else ""
    named = (columns.path, columns.label)
    return Form(named, columns.path, label, separator, header=True, quotes=separator != "|", is_users=True)


def _fits(header: str, separator: str, columns: Columns) -> bool:
    names = {name.strip() for name in next(csv.reader([header], delimiter=separator), [])}
    return {columns.path, columns.label} <= names


def labels_of(words: pd.Series, positive_label: str) -> tuple[pd.Series, list[str]]:
    """Return the labels in our words; where `positive_label` decides, a note says what became a spoof."""
    if not positive_label:
        return words, []
    positive = words == positive_label
    if not positive.any() or positive.all():
        found = ", ".join(map(repr, words.unique()[:N_SHOWN]))
        raise ValueError(
            f"`positive_label` must be one of the labels of the table, which has two or more ({found}), not "
            f"'{positive_label}'."
        )
    counts = words[~positive].value_counts()
    shown = ", ".join(f"{word!r} x {count}" for word, count in counts.head(N_SHOWN).items())
    more = ", ..." if len(counts) > N_SHOWN else ""
    labels = positive.map({True: LABEL_NAMES[BONAFIDE], False: LABEL_NAMES[SPOOF]})
    return labels, [f"{positive_label!r} is taken for bona fide, and all else for spoofs: {shown}{more}."]


def _join(
    dataset: Path, table: Path, rows: pd.DataFrame, column: str, recordings: Recordings
) -> tuple[pd.DataFrame, list[str]]:
    """Give the rows their recordings, which are named by paths from the corpus folder or from the table's."""
    paths = rows[column].map(_plain)
    out = paths.str.startswith("/") | paths.str.contains(r"^\w:/|(?:^|/)\.\.(?:/|$)", regex=True)
    home = f"{dataset.as_posix()}/"
    inside = paths.str.startswith(home)
    paths = paths.where(~inside, paths.str.removeprefix(home))
    if (out & ~inside).any():
        first = rows[column][out & ~inside].iloc[0]
        raise ValueError(
            f"{table} names {first}, which is not below {dataset}: give the folder that holds all of them."
        )
    names = without_suffix(recordings.files["file"].map(composed))
    known = set(names)
    if table.parent != dataset and table.parent.is_relative_to(dataset):
        below = f"{table.parent.relative_to(dataset).as_posix()}/"
        paths = paths.where(without_suffix(paths).isin(known), below + paths)
    joined, notes = join_recordings(
        rows.drop(columns="file", errors="ignore").assign(path=paths),
        Recordings(recordings.files.assign(name=names)),
        column="path",
        what=table.name,
    )
    if joined.empty:
        raise ValueError(
            f"None of the {len(rows)} rows of {table} has a recording in {dataset} (first: {rows[column].iloc[0]}): "
            "its paths are taken from that folder, or from the table's."
        )
    return joined.drop(columns="path"), notes


def _plain(path: str) -> str:
    return composed(path).replace("\\", "/").removeprefix("./")


def column_of(rows: pd.DataFrame, name: str) -> pd.Series:
    """Return a column of a table; empty cells where it has none."""
    return rows[name] if name in rows else pd.Series("", index=rows.index)


def listing_of(rows: pd.DataFrame, speakers: pd.Series, gender_words: pd.Series, notes: list[str]) -> Listing:
    """Return the listing of rows with file, label and system; who has no speaker is a person of its own."""
    genders, more = read_genders(gender_words)
    genders, torn = one_for_each_speaker(speakers, genders)
    known, own = as_people(speakers, genders), own_people(rows["file"])
    files = rows.assign(**{str(name): known[name].where(speakers != "", own[name]) for name in known})
    unknown = int((speakers == "").sum())
    return Listing(as_files(files), (*note_on_people(unknown, len(files)), *notes, *more, *torn))
