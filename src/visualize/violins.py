"""Violins: how a property is distributed in groups of clips, such as the classes, the genders and the spoof systems.

The width of a violin is the density of the clips at that value, a kernel estimate; the bar within it spans the
quartiles and the dot is the median. All groups of a property share its axis. A group of fewer than three clips, or of
equal values, has no density: its values are drawn as points.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from src.visualize.style import BLACK, GREY, LABEL_COLORS, LABEL_NAMES, new_panels

_GROUP_INCHES, _FRAME_INCHES, _PANEL_INCHES = 0.62, 1.3, 1.7
_FEWEST = 3


def violins_figure(properties: Mapping[str, npt.ArrayLike], groups: Mapping[str, np.ndarray]) -> Figure:
    """Draw a panel for each property, with a violin for each group.

    Parameters
    ----------
    properties : mapping of str to array-like, shape (n,)
        Label of a panel -> the values of the clips; those that are NaN are left out.
    groups : mapping of str to np.ndarray of bool, shape (n,)
        Name -> which clips belong to it. Groups whose name begins with "bona fide" are blue, others vermilion.

    Raises
    ------
    ValueError
        When there is no property or no group, or the lengths differ.

    Examples
    --------
    >>> values, bonafide = np.arange(6.0), np.arange(6) < 3
    >>> figure = violins_figure({"duration": values}, {"bona fide": bonafide, "spoof": ~bonafide})
    >>> [label.get_text() for label in figure.axes[0].get_xticklabels()], figure.axes[0].get_ylabel()
    (['bona fide (3)', 'spoof (3)'], 'duration')
    """
    columns = {name: np.asarray(values, dtype=float) for name, values in properties.items()}
    shapes = {values.shape for values in [*columns.values(), *groups.values()]}
    if not columns or not groups or len(shapes) != 1:
        raise ValueError(f"Properties and groups, at least one of each, must have one shape (n,); got {shapes}.")
    size = (_FRAME_INCHES + _GROUP_INCHES * max(4, len(groups)), 1.2 + _PANEL_INCHES * len(columns))
    figure, panels = new_panels(len(columns), 1, size, sharex=True)
    for axes, (name, values) in zip(panels.flat, columns.items(), strict=True):
        for place, (group, mask) in enumerate(groups.items()):
            of_group = values[mask]
            color = LABEL_COLORS[1 if group.startswith(LABEL_NAMES[1]) else 0]
            _draw_violin(axes, of_group[np.isfinite(of_group)], place, color)
        axes.set_ylabel(name, fontsize=9, parse_math=False)
        axes.grid(axis="y", alpha=0.2)
        axes.spines[["top", "right"]].set_visible(False)
    names = [f"{group} ({int(np.sum(mask))})" for group, mask in groups.items()]
    last = panels.flat[-1]
    last.set_xticks(range(len(names)), names, rotation=40, ha="right")
    for text in last.get_xticklabels():
        text.set_parse_math(False)
    last.set_xlim(-0.6, len(names) - 0.4)
    return figure


def _draw_violin(axes: Axes, values: np.ndarray, place: int, color: str) -> None:
    if len(values) < _FEWEST or np.ptp(values) <= 1e-9 * max(1.0, float(np.abs(values).max())):
        axes.plot(np.full(len(values), place), values, color=color, marker="o", markersize=4, linestyle="none")
        return
    drawn = axes.violinplot([values], [place], widths=0.85, showextrema=False)
    for body in drawn["bodies"]:  # type: ignore[attr-defined]
        body.set(facecolor=color, edgecolor=color, alpha=0.45)
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    axes.vlines(place, low, high, color=BLACK, linewidth=3)
    axes.plot(place, middle, color="white", marker="o", markersize=4, markeredgecolor=GREY)
