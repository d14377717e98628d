"""The tables of docs/models.md, as they are read to be compared with the networks."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "models.md"
Row = dict[str, str]


def tables() -> Iterator[list[Row]]:
    """Return the tables of the document; an empty first cell means that of the row above."""
    for block in re.findall(r"(?m)(?:^\|.*\n)+", DOCUMENT.read_text(encoding="utf-8")):
        names, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines())
        rows_read: list[Row] = []
        for cells in rows:
            assert len(cells) == len(names), cells
            row = dict(zip(names, cells, strict=True))
            row[names[0]] = row[names[0]] or rows_read[-1][names[0]]
            rows_read.append(row)
        yield rows_read


def table(*columns: str) -> list[Row]:
    """Return the one table of these columns."""
    (found,) = (rows for rows in tables() if list(rows[0]) == list(columns))
    return found


def stages(first: str) -> dict[str, list[Row]]:
    """Return the stages of every model of a table."""
    found: dict[str, list[Row]] = {}
    for row in table(first, "stage", "shape", "module"):
        found.setdefault(row[first], []).append(row)
    return found


def shape_of(text: str, n_clips: int) -> tuple[int, tuple[int, ...]]:
    """Read "13 × (b, t, d)": how many, and their shape."""
    times, inner = re.fullmatch(r"(?:(\d+) × )?\(([^()]*)\)", text).groups()  # type: ignore[union-attr]
    return int(times or 1), tuple(n_clips if part == "b" else int(part) for part in inner.split(", "))


def number(text: str) -> int:
    return int(text.replace(",", ""))


def rounded(count: float) -> str:
    """Write multiply-adds as the document does: three digits."""
    for unit, size in (("G", 1e9), ("M", 1e6)):
        if count >= 0.9995 * size:
            value = float(f"{count / size:.3g}")
            return f"{value:.{2 - int(np.log10(value))}f} {unit}"
    return f"{count:.0f}"


def text_of() -> str:
    """Return the text of the document on one line."""
    return " ".join(DOCUMENT.read_text(encoding="utf-8").split())
