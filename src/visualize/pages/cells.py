"""Tables of a page: cells with a text, a sort key and, for estimates, a small bar."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from src.metrics.table import written
from src.visualize.pages.records import Estimate
from src.visualize.pages.words import interval

BAR_WIDTH, BAR_EDGE = 96, 5  # units of the drawing; the edge leaves room for a point at either end
_ENDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)


@dataclass(frozen=True)
class Bar:
    """A point and its interval, in units of the drawing."""

    value: str
    low: str = ""
    width: str = ""


@dataclass(frozen=True)
class Cell:
    """One cell; `sort` is its sort key (empty = last in either direction), `note` a smaller second line."""

    text: str = ""
    sort: float | str = ""
    href: str = ""
    note: str = ""
    bar: Bar | None = None
    audio: str = ""
    verbatim: bool = False
    """Whether it is shown in a monospaced font, as file names and digests are."""


@dataclass(frozen=True)
class Column:
    """A column; `sorted` states that the rows are in its ascending order."""

    title: str
    numeric: bool = False
    sorted: bool = False


@dataclass(frozen=True)
class Table:
    """A table whose first column names the rows."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    sortable: bool = False
    about: str = ""
    """A sentence below the caption."""


def text(value: str, **options: str | bool) -> Cell:
    """Return a cell that is sorted by its text.

    >>> text("svm").sort
    'svm'
    """
    return Cell(value, value, **options)  # type: ignore[arg-type]


def number(value: float | None, unit: str) -> Cell:
    """Return a cell with a number, formatted by its unit; an empty cell for None.

    >>> number(0.05, "rate"), number(None, "rate").sort
    (Cell(text='5.00 %', sort=0.05, href='', note='', bar=None, audio='', verbatim=False), '')
    """
    return Cell() if value is None else Cell(written(value, unit), value)


def estimated(estimate: Estimate | None, unit: str, end: float = 0.0) -> Cell:
    """Return a cell with an estimate, its interval below and, where the axis has an end, a bar from 0 to that end.

    >>> cell = estimated(Estimate(0.1, 0.05, 0.2), "rate", end=0.2)
    >>> cell.text, cell.note, cell.bar
    ('10.00 %', '5.00 to 20.00 %', Bar(value='53.0', low='29.0', width='72.0'))
    """
    if estimate is None:
        return Cell()
    bar = drawn(estimate, end) if end else None
    return Cell(written(estimate.value, unit), estimate.value, note=interval(estimate, unit), bar=bar)


def drawn(estimate: Estimate, end: float) -> Bar:
    """Return the bar of an estimate on an axis from 0 to `end`; values outside are drawn at the edge.

    >>> drawn(Estimate(3.0), end=1.0)
    Bar(value='101.0', low='', width='')
    """

    def place(value: float) -> float:
        return BAR_EDGE + BAR_WIDTH * min(max(value / end, 0.0), 1.0)

    if estimate.low is None or estimate.high is None:
        return Bar(f"{place(estimate.value):.1f}")
    low, high = sorted((place(estimate.low), place(estimate.high)))
    return Bar(f"{place(estimate.value):.1f}", f"{low:.1f}", f"{high - low:.1f}")


def axis_end(estimates: Iterable[Estimate | None]) -> float:
    """Return a round rate, at most 1, that no estimate exceeds: the common axis of several bars.

    >>> axis_end([Estimate(0.032, 0.019, 0.06), None]), axis_end([])
    (0.1, 0.01)
    """
    found = [estimate.value if estimate.high is None else estimate.high for estimate in estimates if estimate]
    top = max(found, default=0.0)
    return next((end for end in _ENDS if top <= end), 1.0)


def sort_key(key: float | str) -> str:
    """Format a sort key so that the script of the page reads it back exactly.

    >>> sort_key(0.1), sort_key("a"), sort_key(math.inf)
    ('0.1', 'a', '')
    """
    if isinstance(key, str):
        return key
    return repr(float(key)) if math.isfinite(key) else ""
