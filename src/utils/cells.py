"""Check the cells of a files table: the path, the label and the gender of every clip.

A table may have 600,000 rows. So its distinct labels and genders are looked at, and its paths for anything unusual;
only where something is found are the rows gone through one by one, to say which is wrong.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from src.utils.labels import ALIASES, parse_label


def check_cells(table: pd.DataFrame, path: Path, genders: Sequence[str]) -> None:
    """Check the columns file, label and gender.

    Parameters
    ----------
    table : pd.DataFrame
    path : Path
        Of the table, for errors.
    genders : sequence of str
        Those that are allowed.

    Raises
    ------
    ValueError
        When a path leads out of the corpus, a label is no word of `labels.ALIASES` or a gender is unknown; the message
        names the first such row.
    """
    labels_known = all(word.strip().lower() in ALIASES for word in table["label"].unique())
    genders_known = set(table["gender"].unique()) <= set(genders)
    if labels_known and genders_known and not any(map(_is_suspicious, table["file"].tolist())):
        return
    cells = (table[column].tolist() for column in ("file", "label", "gender"))
    for row, (file, label, gender) in enumerate(zip(*cells, strict=True), start=2):
        try:
            _check_path(file)
            parse_label(label)
        except ValueError as error:
            raise ValueError(f"{path}, row {row}: {error}") from None
        if gender not in genders:
            raise ValueError(f"{path}, row {row}: unknown gender '{gender}'; allowed: {', '.join(genders)}.")


def _is_suspicious(file: str) -> bool:
    """Return whether a path needs the thorough check of `_check_path`; of 600,000 rows hardly one does."""
    return file.startswith(("/", "\\")) or file[1:2] == ":" or ".." in file


def _check_path(file: str) -> None:
    """Raise ValueError for a path that is not below the corpus folder."""
    if file.startswith(("/", "\\\\")) or (file[1:3] in (":/", ":\\") and file[0].isalpha()):
        raise ValueError(f"'{file}' is absolute; `file` is a path within the corpus folder, such as real_voices/....")
    if ".." in file.split("/"):
        raise ValueError(f"'{file}' leads upwards; `file` is a path within the corpus folder, without '..'.")
