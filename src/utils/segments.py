"""The column `segments` of a files table: which stretches of a partly spoofed clip are spoofed.

A cell is `start-end;start-end` in s, such as `0.5-1.25;2-2.6`; spans are sorted and do not overlap. An empty cell means
that all of the clip has its label. A clip with spoofed stretches is a spoof, so a bona fide clip has none. Tables
without the column hold no partly spoofed clip.
"""

import re

import numpy as np
import numpy.typing as npt
import pandas as pd

from src.metrics.spans import check_spans
from src.utils.labels import BONAFIDE, LABEL_NAMES, SPOOF

SEGMENTS = "segments"
PATTERN = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*-\s*(\d+\.?\d*|\.\d+)\s*")
TOLERANCE = 0.05
"""Seconds by which a stretch may end after its clip: durations are measured and rounded in many ways."""


def parse_segments(cell: str) -> np.ndarray:
    """Return the spoofed stretches that a cell lists, shape (k, 2), in s.

    Raises
    ------
    ValueError
        When it is not written as above.

    >>> parse_segments("0.5-1.25; 2-2.6")
    array([[0.5 , 1.25],
           [2.  , 2.6 ]])
    >>> parse_segments("").shape
    (0, 2)
    """
    if not cell.strip():
        return np.zeros((0, 2))
    found = [PATTERN.fullmatch(part) for part in cell.split(";")]
    spans = [(float(match[1]), float(match[2])) for match in found if match]
    if len(spans) < len(found):
        raise ValueError(f"`segments` must read start-end;start-end in s, such as 0.5-1.25;2-2.6, not {cell!r}.")
    return check_spans(spans)


def format_segments(spans: npt.ArrayLike) -> str:
    """Return the cell for the spoofed stretches (k, 2) of a clip, in s and to the microsecond.

    >>> format_segments([(0.5, 1.25), (2, 2.6)])
    '0.5-1.25;2-2.6'
    """
    return ";".join(f"{_seconds(start)}-{_seconds(end)}" for start, end in check_spans(spans))


def spoofed_spans(files: pd.DataFrame, where: str) -> list[np.ndarray]:
    """Return the spoofed stretches of every clip of a files table, each of shape (k, 2), in s.

    A wholly spoofed clip has one, from 0 to its `duration`, or to 1e9 s where that was not measured.

    Parameters
    ----------
    files : pd.DataFrame
        Columns label and, where known, segments and duration.
    where : str
        The table's path, for errors.

    Raises
    ------
    ValueError
        When a cell cannot be read, a bona fide clip has a spoofed stretch, or a stretch ends after its clip; the
        message names the row.

    >>> rows = {"label": ["bona-fide", "spoof", "spoof"], "segments": ["", "0.5-1", ""], "duration": [2.0, 2.0, 3.0]}
    >>> [spans.tolist() for spans in spoofed_spans(pd.DataFrame(rows), "files.csv")]
    [[], [[0.5, 1.0]], [[0.0, 3.0]]]
    """
    cells = files[SEGMENTS].tolist() if SEGMENTS in files else [""] * len(files)
    durations = files["duration"].astype(float).tolist() if "duration" in files else [1e9] * len(files)
    found = []
    for row, (cell, label, duration) in enumerate(zip(cells, files["label"], durations, strict=True), start=2):
        try:
            spans = _checked(cell, label, duration)
        except ValueError as error:
            raise ValueError(f"{where}, row {row}: {error}") from None
        whole = not len(spans) and label == LABEL_NAMES[SPOOF]
        found.append(np.array([[0.0, duration]]) if whole else spans)
    return found


def _checked(cell: str, label: str, duration: float) -> np.ndarray:
    spans = parse_segments(cell)
    if len(spans) and label == LABEL_NAMES[BONAFIDE]:
        raise ValueError(f"a {label} clip has no spoofed stretches, and `segments` is {cell!r}.")
    if len(spans) and spans[-1, 1] > duration + TOLERANCE:
        raise ValueError(f"`segments` ends at {spans[-1, 1]:g} s, and the clip lasts {duration:g} s.")
    return spans


def _seconds(moment: float) -> str:
    """Write seconds without an exponent, which would hold a minus sign.

    >>> _seconds(0.5), _seconds(0.00001)
    ('0.5', '0.00001')
    """
    return f"{moment:.6f}".rstrip("0").rstrip(".")
