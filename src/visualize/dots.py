"""Rates with their intervals: a dot for each group, and a bar from the lower to the upper bound.

Dots rather than columns, because an interval need not begin at zero; several series (two runs, before and after) are
drawn side by side in every group. Where a bound is unknown (NaN) there is no bar.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from src.visualize.style import BLACK, FIGURE_SIZE, GREEN, GREY, PURPLE, SKY, new_figure

_LOOKS = ((BLACK, "o"), (GREEN, "s"), (PURPLE, "D"), (SKY, "^"))
_GROUP_INCHES, _FRAME_INCHES = 0.38, 1.2
_SPREAD = 0.22  # between the series of a group, in groups


def dots_figure(
    groups: Sequence[str],
    series: Mapping[str, npt.ArrayLike],
    *,
    xlabel: str,
    references: Mapping[str, float] | None = None,
) -> Figure:
    """Draw rates in percent, one row for each group; the first group is at the top.

    Parameters
    ----------
    groups : sequence of str
        The n names of the rows.
    series : mapping of str to array-like, shape (n,) or (n, 3)
        Name -> rates in [0, 1], or rates with their lower and upper bounds. A rate that is NaN is not drawn.
    xlabel : str
        Name of the rate; " (%)" is appended.
    references : mapping of str to float, optional
        Name -> a rate to compare with, drawn as a line.

    Raises
    ------
    ValueError
        When there is no group or no series, or the shapes do not fit.

    Examples
    --------
    >>> figure = dots_figure(["F", "M"], {"run0": [[0.1, 0.05, 0.2], [0.2, np.nan, np.nan]]}, xlabel="EER")
    >>> axes = figure.axes[0]
    >>> axes.get_xlabel(), [label.get_text() for label in axes.get_yticklabels()]
    ('EER (%)', ['F', 'M'])
    """
    rates = {name: _with_intervals(values) for name, values in series.items()}
    if not len(groups) or not rates or any(values.shape != (len(groups), 3) for values in rates.values()):
        shapes = {name: values.shape for name, values in rates.items()}
        raise ValueError(
            f"Every series must have a rate for each of {len(groups)} groups, at least one; got shapes {shapes}."
        )
    figure, axes = new_figure((FIGURE_SIZE[0], _FRAME_INCHES + _GROUP_INCHES * len(groups) * (1 + len(rates)) / 2))
    rows = np.arange(len(groups))
    offsets = _SPREAD * (np.arange(len(rates)) - (len(rates) - 1) / 2)
    for number, ((name, values), offset) in enumerate(zip(rates.items(), offsets, strict=True)):
        color, marker = _LOOKS[number % len(_LOOKS)]
        value, low, high = 100 * values.T
        axes.hlines(rows + offset, low, high, color=color, linewidth=2, alpha=0.6)
        axes.plot(value, rows + offset, color=color, marker=marker, markersize=7, linestyle="none", label=name)
    for (name, rate), style in zip((references or {}).items(), ("--", ":", "-."), strict=False):
        axes.axvline(100 * rate, color=GREY, linestyle=style, zorder=0, label=name)
    axes.set_yticks(rows, list(groups))
    for text in axes.get_yticklabels():
        text.set_parse_math(False)
    axes.set(xlabel=f"{xlabel} (%)", ylim=(len(groups) - 0.5, -0.5))
    right = axes.get_xlim()[1]
    axes.set_xlim(-0.02 * right, right)  # so that a dot at zero is not cut
    axes.grid(axis="y", alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    if len(rates) > 1 or references:
        figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure


def _with_intervals(values: npt.ArrayLike) -> np.ndarray:
    """Return rates of shape (n,) or (n, 3) as (n, 3), unknown bounds NaN."""
    rates = np.array(values, dtype=float)
    if rates.ndim == 1:
        rates = np.column_stack([rates, np.full((len(rates), 2), np.nan)])
    return rates
