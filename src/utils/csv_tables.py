"""Read and write CSV tables in UTF-8: every cell is text, and a table is written whole or not at all.

Cells stay text because values such as "NA" can be somebody's name.
"""

import warnings
from pathlib import Path

import pandas as pd

from src.utils.files import atomic_path


def read_csv(path: Path, advice: str) -> pd.DataFrame:
    """Read every cell of a table as text.

    Parameters
    ----------
    path : Path
    advice : str
        What the user can do if the table cannot be read; it ends the error message.

    Raises
    ------
    ValueError
        When the file is empty, not UTF-8, or has a row longer than its header; the message names the file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # every row is longer than the header
            return pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False)
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError, UnicodeError) as error:
        why = " ".join(str(error).split())
        raise ValueError(f"{path} cannot be read as a table ({why}); {advice}.") from None


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, whole or not at all."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def printable(name: str) -> str:
    """Return a file's name with escapes for what a table or a terminal cannot show.

    >>> printable("two\\nlines, caf\\udce9.wav")
    'two\\\\nlines, caf\\\\udce9.wav'
    """
    return name.encode("utf-8", "backslashreplace").decode().replace("\n", "\\n").replace("\r", "\\r")
