"""Read score and key files in the formats of the field, each into a table.

A score file holds a detector's scores, a key file the labels; some files hold both. The format is recognised by the
content, never by the name. Fields are counted from the right, so that utterance ids may contain blanks. In every
format a higher score is more bona fide.

Score files:

* ASVspoof 5: header `filename<TAB>cm-score`, further columns are kept.
* ASVspoof 2021: `utterance score`, no header.
* ASVspoof 2019: `utterance system key score`, no header; carries its own labels.
* our `scores.csv`: header `file,label,score,speaker,gender,system`; carries its own labels.

Key files:

* ASVspoof 5: header `filename<TAB>cm-label`, or the protocol of 10 columns.
* ASVspoof 2021: `trial_metadata.txt`, 8 columns (LA) or 13 (DF). Only rows of the subset `eval` count, as in the
  official scripts; those of `progress` and `hidden` are known trials that do not count.
* ASVspoof 2019: the protocol of 5 columns, `LA_0039 LA_E_2834763 - A11 spoof`.
* a comma-separated table with the columns `file` and `label`, such as `files-metadata.csv`.

ASV scores, for the t-DCF: lines that end in `key score`, the key being target, nontarget or spoof (ASVspoof 2019).

The tables are indexed by line number, so that errors can name the line.
"""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from src.metrics.tandem import AsvScores
from src.utils.labels import parse_label

SCORE_FORMS = (
    "'filename<TAB>cm-score' with a header (ASVspoof 5), 'utterance score' (2021), 'utterance system key score' (2019) "
    "or a CSV with the columns file,label,score"
)
KEY_FORMS = (
    "'filename<TAB>cm-label' with a header or 10 columns (ASVspoof 5), 8 or 13 columns (2021), 5 columns (2019) "
    "or a CSV with the columns file,label"
)
PROTOCOLS = {
    "ASVspoof 2019": "speaker trial environment system label",
    "ASVspoof 2021 LA": "speaker trial codec transmission system label trim subset",
    "ASVspoof 2021 DF": "speaker trial codec source system label trim subset vocoder task team gender_pair language",
    "ASVspoof 5": "speaker trial gender codec codec_q codec_seed attack_tag system label tmp",
}
"""Challenge -> the fields of a line of its protocol."""
_SUBSETS = ("eval", "progress", "hidden")
_HEADER_NAMES = {"filename": "trial", "file": "trial", "cm-score": "score", "cm-label": "label"}
_ASV_KEYS = ("target", "nontarget", "spoof")


class _TabSeparated(csv.excel_tab):
    quoting = csv.QUOTE_NONE  # a quotation mark is part of an id


def read_score_table(path: Path, *, with_labels: bool) -> pd.DataFrame:
    """Read a score file.

    Parameters
    ----------
    path : Path
        A file in one of the formats of the module.
    with_labels : bool
        Whether the file must carry its own labels, because there is no key file.

    Returns
    -------
    pd.DataFrame
        `trial`, `score`, and `label` (1 or 0) and further columns where the file has them.

    Raises
    ------
    FileNotFoundError
        When the file does not exist.
    ValueError
        When it is empty, of no known format, or when a line does not parse or repeats a trial.
    """
    lines = _read_lines(path)
    table = _read_with_header(lines, path)
    unlabelled = lines[0][0]
    if table is None:
        unlabelled = next((number for number, text in lines if not _is_of_2019(text)), 0)
        columns = ["trial", "score"] if unlabelled else ["trial", "system", "label", "score"]
        rows = {number: text.rsplit(None, len(columns) - 1) for number, text in lines}
        if len(lines[0][1].split()) < 2 or not _accepts(_parse_score, lines[0][1].split()[-1]):
            raise ValueError(f"{path} is not a score file (first line {lines[0][1][:60]!r}); allowed: {SCORE_FORMS}.")
        table = _as_table(rows, columns, path)
    if "score" not in table:
        raise ValueError(f"{path} has no column of scores, is it a key file? A score file is {SCORE_FORMS}.")
    if with_labels and "label" not in table:
        raise ValueError(f"{path} carries no label on line {unlabelled}: give the key file of these trials too.")
    return _parsed(table, path)


def read_key_table(path: Path) -> pd.DataFrame:
    """Read a key file.

    Returns
    -------
    pd.DataFrame
        `trial`, `label` (1 or 0), `counts` (whether the trial is part of the evaluation), and the other columns of
        the key, such as `speaker`, `system` and `codec`.

    Raises
    ------
    FileNotFoundError, ValueError
        As `read_score_table`; also when the file holds trials without labels.
    """
    lines = _read_lines(path)
    table = _read_with_header(lines, path)
    counts: bool | pd.Series = True
    if table is None:
        columns = _protocol_columns(lines, path)
        rows = {}
        for number, text in lines:
            left, *right = text.rsplit(None, len(columns) - 2)
            rows[number] = [*left.split(None, 1), *right]
        table = _as_table(rows, columns, path)
        counts = table["subset"] == "eval" if "subset" in table else True
    if "label" not in table:
        raise ValueError(f"{path} has no column of labels, is it a score file? A key file is {KEY_FORMS}.")
    return _parsed(table.drop(columns="score", errors="ignore").assign(counts=counts), path)


def read_asv_scores(path: Path) -> AsvScores:
    """Read the scores of a speaker verification system, from lines that end in `key score`.

    Raises
    ------
    FileNotFoundError
        When the file does not exist.
    ValueError
        When a line ends otherwise, or when one of target, nontarget and spoof is missing.
    """
    rows = {number: text.rsplit(None, 2)[-2:] for number, text in _read_lines(path)}
    table = _as_table(rows, ["key", "score"], path)
    keys = _convert(table["key"], _parse_asv_key, path)
    scores = _convert(table["score"], _parse_score, path)
    try:
        return AsvScores(*(scores[keys == index].to_numpy() for index in range(len(_ASV_KEYS))))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _read_lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines that are not blank, with their numbers from 1; tabs stay, as an empty field may follow one."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}; fab TestModel writes scores.csv into the folder of a run.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text file in UTF-8 ({error}).") from error
    lines = [(number, line.strip(" ")) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if not lines:
        raise ValueError(f"{path} is empty.")
    return lines


def _read_with_header(lines: list[tuple[int, str]], path: Path) -> pd.DataFrame | None:
    """Read a table whose first line names a column of trials and one of scores or labels; None when it does not."""
    texts = [text for _, text in lines]
    for dialect in (_TabSeparated, csv.excel):
        header = next(csv.reader(texts[:1], dialect))
        columns = [_HEADER_NAMES.get(name.strip().lower(), name.strip().lower()) for name in header]
        if "trial" in columns and ("score" in columns or "label" in columns):
            if len(texts) == 1:
                raise ValueError(f"{path} has a header and no trials.")
            numbers = [number for number, _ in lines[1:]]
            return _as_table(dict(zip(numbers, csv.reader(texts[1:], dialect), strict=False)), columns, path)
    return None


def _protocol_columns(lines: list[tuple[int, str]], path: Path) -> list[str]:
    """Recognise the protocol by where the first line has its label, counted from the right."""
    fields = lines[0][1].split()
    for protocol in PROTOCOLS.values():
        columns = protocol.split()
        if len(fields) < len(columns):
            continue
        first = dict(zip(columns, fields[len(fields) - len(columns) :], strict=True))
        if _accepts(parse_label, first["label"]) and first.get("subset", "eval") in _SUBSETS:
            return columns
    if all(len(text.split()) == 1 for _, text in lines):
        raise ValueError(f"{path} holds utterance ids without labels; a key file is {KEY_FORMS}.")
    raise ValueError(f"{path} is not a key file (first line {lines[0][1][:60]!r}); allowed: {KEY_FORMS}.")


def _as_table(rows: Mapping[int, Sequence[str]], columns: list[str], path: Path) -> pd.DataFrame:
    """Make a table of text from line number -> fields; every row must have a field for every column."""
    for number, row in rows.items():
        if len(row) != len(columns):
            raise ValueError(
                f"{path}, line {number}: {len(row)} fields instead of {len(columns)}, {' '.join(columns)}."
            )
    return pd.DataFrame(list(rows.values()), index=list(rows), columns=columns, dtype=str)


def _parsed(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Turn the labels and scores of a table into numbers, and refuse a trial that it holds twice."""
    for name, parse in (("label", parse_label), ("score", _parse_score)):
        if name in table:
            table[name] = _convert(table[name], parse, path)
    repeated = table.index[table["trial"].duplicated()]
    if len(repeated):
        first = table.loc[repeated[0], "trial"]
        raise ValueError(
            f"{path} has {len(repeated)} trial(s) more than once, the first is {first} on line {repeated[0]}."
        )
    return table


def _convert(texts: pd.Series, parse: Callable[[str], float], path: Path) -> pd.Series:
    """Parse every text once; an error names the line of the first that does not parse."""
    values = {}
    for text in texts.unique():
        try:
            values[text] = parse(text)
        except ValueError as error:
            raise ValueError(f"{path}, line {texts.index[texts == text][0]}: {error}") from None
    return texts.map(values)


def _parse_score(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"the score {text!r} is not a number.") from None


def _parse_asv_key(text: str) -> int:
    if text not in _ASV_KEYS:
        raise ValueError(f"{text!r} is not an ASV key: lines end in 'key score', key being {', '.join(_ASV_KEYS)}.")
    return _ASV_KEYS.index(text)


def _is_of_2019(text: str) -> bool:
    """Return whether a line is `utterance system key score`."""
    fields = text.rsplit(None, 3)
    return len(fields) == 4 and _accepts(parse_label, fields[2])


def _accepts(parse: Callable[[str], float], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True
