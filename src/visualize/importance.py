"""What a detector needs: the rises of its EER and its Cllr without each part of its input, with their intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from src.visualize.style import BLACK, GREY, new_panels

_WIDTH, _ROW_INCHES, _FRAME_INCHES = 8.4, 0.3, 1.3
_PANELS = (("eer", "rise of the EER (percentage points)", 100.0), ("cllr", "rise of Cllr (bits)", 1.0))


def importance_figure(groups: Sequence[Mapping[str, Any]], before: Mapping[str, Any]) -> Figure:
    """Draw the rises, one row for each part; parts of one kind stand together, in their own order.

    Parameters
    ----------
    groups : sequence of mapping
        `kind`, `name`, and under `eer` and `cllr` the rise: `value`, `low`, `high` (None where unknown).
    before : mapping
        Under the same keys, the metrics with nothing taken away, for the title of each panel.

    Raises
    ------
    ValueError
        When there is no group.

    Examples
    --------
    >>> rise = {"value": 0.1, "low": 0.05, "high": 0.2}
    >>> band = {"kind": "frequency band", "name": "0-1 kHz", "eer": rise, "cllr": rise}
    >>> figure = importance_figure([band], {"eer": {"value": 0.02}, "cllr": {"value": 0.1}})
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['frequency band: 0-1 kHz']
    """
    if not groups:
        raise ValueError("There is no part of the input to draw.")
    figure, panels = new_panels(1, 2, (_WIDTH, _FRAME_INCHES + _ROW_INCHES * len(groups)), sharey=True)
    for axes, (key, label, factor) in zip(panels.flat, _PANELS, strict=True):
        _draw_rises(axes, [group[key] for group in groups], factor)
        axes.set_xlabel(label)
        value = factor * before[key]["value"]
        axes.set_title(f"from {value:.2f} {'%' if key == 'eer' else 'bits'}", fontsize=10)
    for number in range(1, len(groups)):
        if groups[number]["kind"] != groups[number - 1]["kind"]:
            for axes in panels.flat:
                axes.axhline(number - 0.5, color=GREY, linewidth=0.6)
    first = panels.flat[0]
    first.set_yticks(range(len(groups)), [_row_name(group) for group in groups])
    for text in first.get_yticklabels():
        text.set_parse_math(False)
    first.set_ylim(len(groups) - 0.5, -0.5)
    return figure


def _draw_rises(axes: Axes, rises: Sequence[Mapping[str, Any]], factor: float) -> None:
    rows = np.arange(len(rises))
    value, low, high = (
        factor * np.array([np.nan if rise[key] is None else rise[key] for rise in rises], dtype=float)
        for key in ("value", "low", "high")
    )
    axes.axvline(0, color=GREY, linestyle="--", linewidth=1, zorder=0)
    axes.hlines(rows, low, high, color=BLACK, linewidth=2, alpha=0.5)
    axes.plot(value, rows, color=BLACK, marker="o", markersize=6, linestyle="none")
    axes.grid(axis="y", alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)


def _row_name(group: Mapping[str, Any]) -> str:
    return "everything" if group["kind"] == "everything" else f"{group['kind']}: {group['name']}"
