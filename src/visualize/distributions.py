"""Histograms of the properties of a corpus, such as duration and level, for both classes.

Every property has its own panel; both classes share its bins, and heights are shares of the class, so that the number
of clips does not matter. Where the two outlines differ, the property alone separates the classes.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from src.visualize.style import LABEL_COLORS, LABEL_NAMES, new_panels, require_finite

_BIN_RANGE = (10, 60)
_PANEL_INCHES = (3.6, 2.6)
_N_COLUMNS = 2


def distributions_figure(
    y_true: npt.ArrayLike, properties: Mapping[str, npt.ArrayLike], *, one_scale: bool = False
) -> Figure:
    """Draw a histogram of every property, both classes in each.

    Parameters
    ----------
    y_true : array-like, shape (n,)
        Labels: 1 bona fide, 0 spoof.
    properties : mapping of str to array-like, shape (n,)
        Label of a panel, with the unit -> the values of the clips.
    one_scale : bool
        Whether all panels have the same x-axis and bins, as for a comparison of before and after.

    Raises
    ------
    ValueError
        When there is no clip or no property, a label is neither 1 nor 0, lengths differ, or a value is NaN or infinite.

    Examples
    --------
    >>> figure = distributions_figure([1, 1, 0], {"duration (s)": [2.0, 3.0, 2.5], "peak (dBFS)": [-6, -3, -1]})
    >>> [axes.get_xlabel() for axes in figure.axes]
    ['duration (s)', 'peak (dBFS)']
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['spoof (1)', 'bona fide (2)']
    """
    labels = np.asarray(y_true)
    columns = {name: np.asarray(values, float) for name, values in properties.items()}
    if not columns or labels.size == 0 or any(values.shape != (len(labels),) for values in columns.values()):
        shapes = {name: values.shape for name, values in columns.items()}
        raise ValueError(f"Properties must have the shape (n,) of the labels, n >= 1; got {labels.shape} and {shapes}.")
    if not np.isin(labels, [0, 1]).all():
        raise ValueError(f"Labels must be 1 (bona fide) or 0 (spoof); got {sorted(set(labels.tolist()) - {0, 1})}.")
    n_columns = min(_N_COLUMNS, len(columns))
    n_rows = -(-len(columns) // n_columns)
    figure, panels = new_panels(n_rows, n_columns, (_PANEL_INCHES[0] * n_columns, _PANEL_INCHES[1] * n_rows))
    texts = {label: f"{LABEL_NAMES[label]} ({np.sum(labels == label):,})" for label in (0, 1) if label in labels}
    for name, values in columns.items():
        require_finite(values, name)
    everything = np.concatenate(list(columns.values()))
    for axes, (name, values) in zip(panels.flat, columns.items(), strict=False):
        edges = _bin_edges(everything if one_scale else values, len(labels))
        draw_classes(axes, {label: values[labels == label] for label in texts}, texts, edges)
        axes.set_xlabel(name, parse_math=False)
        axes.xaxis.set_major_locator(MaxNLocator(6))
    for axes in panels.flat[len(columns) :]:
        axes.remove()
    figure.supylabel("share of the class (%)", fontsize=10)
    figure.legend(*panels.flat[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    return figure


def draw_classes(
    axes: Axes, values: Mapping[int, np.ndarray], texts: Mapping[int, str], edges: list[float] | None = None
) -> None:
    """Draw histograms of the values of each label into `axes`: one set of bins, heights in percent of the class.

    >>> from src.visualize.style import new_figure
    >>> _, axes = new_figure()
    >>> draw_classes(axes, {1: np.array([0.5, 0.9])}, {1: "bona fide"})
    >>> axes.get_legend_handles_labels()[1]
    ['bona fide']
    """
    everything = np.concatenate(list(values.values()))
    edges = edges or _bin_edges(everything, len(everything))
    for label, of_class in values.items():
        axes.hist(
            of_class,
            bins=edges,
            weights=np.full(len(of_class), 100 / len(of_class)),
            histtype="stepfilled",
            facecolor=(LABEL_COLORS[label], 0.4),
            edgecolor=LABEL_COLORS[label],
            linewidth=1.2,
            label=texts[label],
        )


def _bin_edges(values: np.ndarray, n_clips: int) -> list[float]:
    """Return the edges of sqrt(n) bins, 10 to 60, over all values; equal values get a range of one unit around them."""
    n_bins = int(np.clip(np.sqrt(n_clips), *_BIN_RANGE))
    low, high = values.min(), values.max()
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, n_bins + 1).tolist()
