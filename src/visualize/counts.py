"""Counts by group: stacked bars with the numbers written in them.

A bar is a split, a class or a system; its parts are women and men, bona fide and spoof, ... The parts have the same
order and colours in all bars: labels have their own, others take the rest in turn.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from src.visualize.style import FIGURE_SIZE, GREEN, LABEL_COLORS, ORANGE, PURPLE, SKY, new_figure

_FIXED_COLORS = {"bona-fide": LABEL_COLORS[1], "bona fide": LABEL_COLORS[1], "spoof": LABEL_COLORS[0]}
_COLORS = (GREEN, ORANGE, PURPLE, SKY)
_BAR_INCHES, _FRAME_INCHES = 0.38, 1.2
_NARROW = 0.045  # of the longest bar: too narrow for a number


def counts_figure(bars: Sequence[str], parts: Mapping[str, npt.ArrayLike], *, xlabel: str) -> Figure:
    """Draw one horizontal bar for each name, divided into its parts; the first bar is at the top.

    Parameters
    ----------
    bars : sequence of str
        The n names.
    parts : mapping of str to array-like, shape (n,)
        Part -> its count in every bar, >= 0.
    xlabel : str
        What is counted.

    Raises
    ------
    ValueError
        When there is no bar or no part, a count is negative or NaN, or the shapes do not fit.

    Examples
    --------
    >>> figure = counts_figure(["train", "test"], {"F": [6, 3], "M": [5, 4]}, xlabel="people")
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['train (11)', 'test (7)']
    """
    counts = {part: np.asarray(values) for part, values in parts.items()}
    if not len(bars) or not counts or any(values.shape != (len(bars),) for values in counts.values()):
        shapes = {part: values.shape for part, values in counts.items()}
        raise ValueError(f"Every part must have a count for each of {len(bars)} bars, at least one; got {shapes}.")
    if not all((values >= 0).all() for values in counts.values()):
        raise ValueError("Counts must be 0 or more.")
    totals = np.sum(list(counts.values()), axis=0)
    colors = _part_colors(list(counts))
    figure, axes = new_figure((FIGURE_SIZE[0], _FRAME_INCHES + _BAR_INCHES * len(bars)))
    left = np.zeros(len(bars))
    for part, values in counts.items():
        drawn = axes.barh(range(len(bars)), values, left=left, color=colors[part], height=0.7, label=part)
        texts = [f"{value:,}" if value > _NARROW * totals.max() else "" for value in values]
        # Rec. 709 luma: light colours need dark letters.
        dark = np.dot(to_rgb(colors[part]), (0.2126, 0.7152, 0.0722)) < 0.45
        axes.bar_label(drawn, texts, label_type="center", fontsize=8, color="white" if dark else "black")
        left = left + values
    axes.set_yticks(range(len(bars)), [f"{bar} ({total:,})" for bar, total in zip(bars, totals, strict=True)])
    for text in axes.get_yticklabels():
        text.set_parse_math(False)
    axes.invert_yaxis()
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set(xlabel=xlabel, xlim=(0, 1.02 * max(totals.max(), 1)))
    axes.spines[["top", "right"]].set_visible(False)
    if len(counts) > 1:
        figure.legend(loc="outside upper center", ncols=len(counts), frameon=False)
    return figure


def _part_colors(parts: list[str]) -> dict[str, str]:
    free = [part for part in parts if part not in _FIXED_COLORS]
    return _FIXED_COLORS | {part: _COLORS[place % len(_COLORS)] for place, part in enumerate(free)}
