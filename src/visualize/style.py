"""The style of all pictures: colours, sizes, and how rates and titles are written.

Colours are those of Okabe and Ito (2008), which remain distinct for the usual forms of colour blindness; their yellow
is left out, as it is hardly visible on white. Blue is bona fide and vermilion is spoof in every picture; everything
else takes other colours while there are any.

The layout is `constrained`, so that no label is cut off, however long it is. Texts that come from data are never read
as formulas: a `$` in a name is a `$`.
"""

import textwrap
import unicodedata
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from src.visualize.fonts import LegibleFigure, legible

# Okabe and Ito's names.
BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
PURPLE, SKY, BLACK, GREY = "#CC79A7", "#56B4E9", "#000000", "#999999"

# Label 1 = bona fide, 0 = spoof, as in every table and score of the project.
LABEL_COLORS = {1: BLUE, 0: VERMILION}
LABEL_NAMES = {1: "bona fide", 0: "spoof"}
TRAINING_COLOR, VALIDATION_COLOR = GREEN, PURPLE

FIGURE_SIZE = (6.4, 4.8)  # inches
SQUARE_SIZE = (5.6, 5.6)  # inches, where both axes mean the same
DPI = 150  # suggested for saving: sharp on a screen, small on the disk

Shared = bool | Literal["row", "col"]

_MARGIN = 0.08  # inches
_TITLE_POINTS = 11.0
_CHARACTERS_PER_INCH = 12  # of a title of this size, on average


def new_figure(size: tuple[float, float] = FIGURE_SIZE) -> tuple[Figure, Axes]:
    """Return an empty figure of `size` inches and its one pair of axes.

    >>> figure, axes = new_figure()
    >>> figure.axes == [axes]
    True
    """
    figure = LegibleFigure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=_MARGIN, h_pad=_MARGIN))
    return figure, figure.add_subplot()


def new_panels(
    n_rows: int, n_columns: int, size: tuple[float, float], *, sharex: Shared = False, sharey: Shared = False
) -> tuple[Figure, np.ndarray]:
    """Return an empty figure of `size` inches and its axes, an array of shape (n_rows, n_columns).

    Scales are shared by all panels (True), or by those of a row or of a column.

    >>> figure, panels = new_panels(2, 3, FIGURE_SIZE)
    >>> panels.shape
    (2, 3)
    """
    figure = LegibleFigure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=_MARGIN, h_pad=_MARGIN))
    return figure, figure.subplots(n_rows, n_columns, sharex=sharex, sharey=sharey, squeeze=False)


def add_title(figure: Figure, title: str) -> None:
    """Write `title` at the top of a figure, wrapped to its width.

    >>> figure, _ = new_figure()
    >>> add_title(figure, "a corpus with a long name, " * 4)
    >>> figure.get_suptitle().count(chr(10))
    1
    """
    width = figure.get_figwidth() * _CHARACTERS_PER_INCH
    lines = [textwrap.fill(line, int(width / _breadth(line))) for line in legible(title.strip()).splitlines()]
    figure.suptitle("\n".join(lines), fontsize=_TITLE_POINTS, parse_math=False)


def _breadth(line: str) -> float:
    """Return the mean width of the letters of a line, where Latin letters have 1 and Chinese ones 2."""
    n_broad = sum(unicodedata.east_asian_width(letter) in "WF" for letter in line)
    return 1 + n_broad / max(len(line), 1)


def ring(axes: Axes, x: float, y: float, label: str) -> None:
    """Mark a point with a ring, so that the point itself stays visible.

    >>> _, axes = new_figure()
    >>> ring(axes, 1.0, 2.0, "best")
    >>> axes.lines[0].get_label()
    'best'
    """
    axes.plot(x, y, color=BLACK, marker="o", markersize=11, markerfacecolor="none", linestyle="none", label=label)


def percent(rate: float) -> str:
    """Write a rate in [0, 1] as a percentage of two decimals.

    >>> percent(0.12345)
    '12.35 %'
    """
    return f"{100 * rate:.2f} %"


def require_finite(values: np.ndarray, name: str) -> None:
    """Raise a ValueError if any of `values` is NaN or infinite; it counts them.

    >>> require_finite(np.array([1.0, np.nan]), "scores")
    Traceback (most recent call last):
    ValueError: 1 of 2 scores are NaN or infinite and cannot be drawn: check the step that made them.
    """
    n_bad = int(np.size(values) - np.count_nonzero(np.isfinite(values)))
    if n_bad:
        raise ValueError(
            f"{n_bad} of {np.size(values)} {name} are NaN or infinite and cannot be drawn: "
            "check the step that made them."
        )
