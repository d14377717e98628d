"""Protocols: the text files in which the makers of a corpus say what each recording is, read into tables.

A protocol has one line for each recording, without a header as a rule; a `Form` says what its fields are. Every cell is
text, since ids may read 007 or NA. A byte-order mark, Windows' line ends, blank lines and blanks around a field change
nothing, and ids are in the composed Unicode form, so that they match the names of files (`recordings.py`). Whatever
else is wrong ends in one line that names the file and the line: a guess would spoil labels silently.

pandas' parser reads the whole file at once. Only a protocol that is wrong is gone through again, line by line, to say
where: 600,000 lines take about two seconds. Lines with quotation marks are read one by one before, since pandas looks
for the end of a quotation beyond the end of its line.
"""

import csv
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal

import pandas as pd

from src.utils.csv_tables import printable
from src.utils.labels import LABEL_NAMES, parse_label
from src.utils.people import composed

BLANKS = " "
SEPARATORS = {BLANKS: "blanks", ",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
"""Separator -> what it is called; blanks stand for any run of blanks and tabs."""


@dataclass(frozen=True)
class Form:
    """How a protocol is written."""

    columns: tuple[str, ...]
    """What the fields are, in order; in a protocol with a header, which columns that must have."""
    id: str
    """The column that names the recording; no two lines may have the same."""
    label: str = ""
    """The column of labels; empty where the protocol has none."""
    separator: str = BLANKS
    header: bool = False
    """Whether the first line names the columns."""
    quotes: bool = False
    """Whether a field that holds the separator stands in quotation marks, which are part of the text otherwise."""
    is_users: bool = False
    """Whether the user wrote it, so that none was published."""


def read_protocol(path: Path, form: Form) -> pd.DataFrame:
    """Read a protocol; labels are spelled `bona-fide` and `spoof`.

    Parameters
    ----------
    path : Path
    form : Form

    Returns
    -------
    pd.DataFrame
        A row for each line, in order; all cells are text.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When it is empty or not UTF-8, a quotation mark is not closed on its line, a line has another number of fields,
        a label is unknown, or two lines name the same recording.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "protocol.txt"
    >>> _ = path.write_text("LA_0039 007 bonafide\\nNA 008 spoof\\n")
    >>> read_protocol(path, Form(("speaker", "utterance", "key"), "utterance", "key")).to_numpy().tolist()
    [['LA_0039', '007', 'bona-fide'], ['NA', '008', 'spoof']]
    """
    text = _text_of(path, form)
    if form.quotes and '"' in text:
        _refuse_open_quotes(path, text, form)
    columns = _columns(path, text, form)
    table = _parsed(path, text, form, columns)
    if not text.isascii():
        table[form.id] = table[form.id].map(composed)
    if form.label:
        table[form.label] = _labels(path, text, form, table[form.label])
    _refuse_doubles(path, text, form, table[form.id])
    return table


def _text_of(path: Path, form: Form) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"There is no {'table' if form.is_users else 'protocol'} {path}.")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text file in UTF-8 ({error}).") from None
    if not text.strip():
        what = (
            f"it needs a header with {', '.join(form.columns)}"
            if form.is_users
            else "put the published protocol in its place"
        )
        raise ValueError(f"{path} is empty: {what}.")
    return text


def _refuse_open_quotes(path: Path, text: str, form: Form) -> None:
    """Raise ValueError, naming the first line whose last field goes on over the end of the line.

    pandas would take the lines up to the next quotation mark for a part of that field.
    """
    for number, line in _lines(text):
        if '"' in line:
            reader = csv.reader([line, ""], delimiter=form.separator)
            next(reader)
            if reader.line_num == 2:
                raise ValueError(
                    f"{path}, line {number}: a quotation mark is not closed on its line: close it or take it out."
                )


def _columns(path: Path, text: str, form: Form) -> list[str]:
    """Return the names of the fields, which the first line says where there is a header; "" for one without a name."""
    if not form.header:
        return list(form.columns)
    (line, names), *rest = _few(_fields(text, form))
    names = [name.strip() for name in names]
    missing = [name for name in form.columns if name not in names]
    if missing:
        raise ValueError(
            f"{path}, line {line}: no column {', '.join(missing)} in the header, which has "
            f"{', '.join(filter(None, names))}"
            f"{_hint(text, form, form.columns)}."
        )
    twice = [name for name in names if name and names.count(name) > 1]
    if twice:
        raise ValueError(f"{path}, line {line}: two columns are called {twice[0]}; take one out or rename it.")
    if not rest:
        raise ValueError(f"{path} is empty: it has a header and no rows.")
    return names


def _parsed(path: Path, text: str, form: Form, columns: list[str]) -> pd.DataFrame:
    """Return the table of a protocol, its named columns; one more than there should be shows rows that are too long."""
    width = len(columns)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows that are longer still
            table = pd.read_csv(
                io.StringIO(text),
                sep=r"\s+" if form.separator == BLANKS else form.separator,
                names=list(range(width + 1)),
                header=None,
                index_col=False,
                dtype=str,
                na_filter=False,
                quoting=_quoting(form),
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        _check_counts(path, text, form, columns)
        raise ValueError(f"{path} cannot be read as a table ({' '.join(str(error).split())}).") from None
    if form.header:
        table = table[1:].reset_index(drop=True)
    too_long = table[width] != ""
    table = table.drop(columns=width)
    if too_long.any() or (table[width - 1] == "").any():  # a last field may be empty, or missing
        _check_counts(path, text, form, columns)
    if form.separator != BLANKS:
        table = table.apply(lambda cells: cells.str.strip())
        table = table[(table != "").any(axis=1)].reset_index(drop=True)  # without lines of blanks
    named = [place for place, name in enumerate(columns) if name]
    return table[named].set_axis([columns[place] for place in named], axis=1)


def _check_counts(path: Path, text: str, form: Form, columns: Sequence[str]) -> None:
    """Raise ValueError, naming the first line that has another number of fields than there are columns."""
    hint, names = _hint(text, form, columns), " ".join(filter(None, columns))
    least = len(columns) - (not columns[-1])  # only the header may end in a separator
    for number, fields in _fields(text, form):
        if least <= len(fields) <= len(columns):
            continue
        if not hint and all(len(found) == 1 for _, found in _fields(text, form)):
            raise ValueError(
                f"{path} holds names without labels: a protocol or key has {len(columns)} fields a line "
                f"({names}); put the published one in its place."
            )
        counted = f"{len(fields)} field{'' if len(fields) == 1 else 's'}"
        raise ValueError(f"{path}, line {number}: {counted} instead of {len(columns)} ({names}){hint}.")


def _hint(text: str, form: Form, columns: Sequence[str]) -> str:
    """Say which other separator the file seems to have, if its first line reads well with it."""
    if len(columns) == 1 and not form.header:
        return ""  # any separator that the line lacks gives one field
    for separator, name in SEPARATORS.items():
        (_, found), *_ = _few(_fields(text, replace(form, separator=separator)))
        fits = set(columns) <= {word.strip() for word in found} if form.header else len(found) == len(columns)
        if separator != form.separator and fits:
            return f"; its fields are separated by {name}, not by {SEPARATORS[form.separator]}"
    return ""


def _labels(path: Path, text: str, form: Form, words: pd.Series) -> pd.Series:
    spelled = {}
    for word in words.unique():
        try:
            spelled[word] = LABEL_NAMES[parse_label(word)]
        except ValueError as error:
            line = _line_of(text, form, _first(words == word))
            raise ValueError(f"{path}, line {line}: {error}") from None
    return words.map(spelled)


def _refuse_doubles(path: Path, text: str, form: Form, ids: pd.Series) -> None:
    twice = ids.duplicated()
    if twice.any():
        row = _first(twice)
        name = ids.iloc[row]
        lines = [_line_of(text, form, place) for place in (row, _first(ids == name))]
        raise ValueError(
            f"{path}, line {lines[0]}: {printable(name)} is listed on line {lines[1]} already; keep one of the two."
        )


def _first(true: pd.Series) -> int:
    return int(true.to_numpy().argmax())


def _line_of(text: str, form: Form, row: int) -> int:
    """Return the number of the line, from 1, that a row of the table comes from."""
    return [number for number, _ in _fields(text, form)][row + form.header]


def _fields(text: str, form: Form) -> Iterator[tuple[int, list[str]]]:
    """Yield the number, from 1, and the fields of every line that is not blank."""
    for number, line in _lines(text):
        if form.separator == BLANKS:
            yield number, re.split(r"[ \t]+", line.strip(" \t"))
        else:
            yield number, next(csv.reader([line], delimiter=form.separator, quoting=_quoting(form)))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text of every line that is not blank."""
    lines = enumerate(re.split(r"\r\n|\r|\n", text), start=1)
    return ((number, line) for number, line in lines if line.strip())


def _quoting(form: Form) -> Literal[0, 3]:
    return csv.QUOTE_MINIMAL if form.quotes else csv.QUOTE_NONE


def _few(fields: Iterator[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Return the first two lines."""
    return list(islice(fields, 2))
