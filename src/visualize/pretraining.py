"""Pictures of a pretraining: its signs of health over the hours of speech seen, and how far each layer has moved.

Each sign has a panel, and panels without numbers are left out, since objectives have different signs. What chance would
reach stands in the same panel as a dashed line.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from src.visualize.style import BLACK, GREY, ORANGE, PURPLE, TRAINING_COLOR, VALIDATION_COLOR, new_figure, new_panels

COLUMNS = 3
PANEL_SIZE = (3.3, 2.5)
"""Width and height, in inches."""
MANY_ROWS = 40
"""With more, dots at every row overlap."""


@dataclass(frozen=True)
class _Line:
    """How a sign is drawn."""

    label: str = ""
    color: str = TRAINING_COLOR
    style: str = "-"


@dataclass(frozen=True)
class _Panel:
    """The signs that share a panel, by their columns in `signs.csv`."""

    title: str
    lines: Mapping[str, _Line]
    percent: bool = False
    logarithmic: bool = False


_CHANCE = _Line("by chance", GREY, "--")
_OF_MEAN = _Line("of the mean", GREY, "--")
PANELS = (
    _Panel("loss", {"loss": _Line("training"), "held_out_loss": _Line("held out", VALIDATION_COLOR)}),
    _Panel("loss of masked frames (bits)", {"loss_bits": _Line()}),
    _Panel("accuracy on masked frames (%)", {"accuracy": _Line("training"), "chance": _CHANCE}, percent=True),
    _Panel("spectra of masked frames (L1)", {"mel_loss": _Line("training"), "loss_of_mean": _OF_MEAN}),
    _Panel(
        "cosine to the teacher",
        {
            "cosine_1": _Line("its lowest layer", ORANGE),
            "cosine_2": _Line("its middle layer", PURPLE),
            "cosine_3": _Line("its last layer"),
            "cosine_of_mean": _OF_MEAN,
        },
    ),
    _Panel(
        "perplexity of the codes",
        {"perplexity": _Line("all groups"), "group_perplexity": _Line("group with the fewest", ORANGE)},
    ),
    _Panel("codes used (%)", {"codes_used": _Line()}, percent=True),
    _Panel("gradient norm", {"gradient_norm": _Line()}, logarithmic=True),
    _Panel("temperature", {"temperature": _Line()}),
    _Panel("learning rate", {"learning_rate": _Line()}),
)


def signs_figure(signs: Mapping[str, npt.ArrayLike]) -> Figure:
    """Draw the signs of health of a pretraining over the hours of speech seen.

    Parameters
    ----------
    signs : mapping of str to array-like of shape (n,)
        Columns of `signs.csv`; hours_seen is needed, and a sign that was not measured at a row is NaN there.

    Raises
    ------
    ValueError
        When there is no row or no sign, or the columns differ in length.

    Examples
    --------
    >>> figure = signs_figure({"hours_seen": [0.1, 0.2], "loss": [5.0, 4.0], "gradient_norm": [1.0, 0.9]})
    >>> [axes.get_title() for axes in figure.axes if axes.get_visible()]
    ['loss', 'gradient norm']
    """
    columns = {name: np.asarray(values, float) for name, values in signs.items()}
    hours = columns.get("hours_seen", np.empty(0))
    if not len(hours) or any(values.shape != hours.shape for values in columns.values()):
        raise ValueError("Signs need one shape (n,), n >= 1, and hours_seen among them.")
    shown = [panel for panel in PANELS if any(_has_values(columns, name) for name in panel.lines)]
    if not shown:
        raise ValueError("There is no sign to draw.")
    n_columns = min(COLUMNS, len(shown))
    n_rows = math.ceil(len(shown) / n_columns)
    figure, grid = new_panels(n_rows, n_columns, (PANEL_SIZE[0] * n_columns, PANEL_SIZE[1] * n_rows))
    for axes, panel in zip(grid.flat, shown, strict=False):
        _draw(axes, panel, hours, columns)
    for axes in grid.flat[len(shown) :]:
        axes.set_visible(False)
    return figure


def _has_values(columns: Mapping[str, np.ndarray], name: str) -> bool:
    return name in columns and bool(np.isfinite(columns[name]).any())


def _draw(axes: Axes, panel: _Panel, hours: np.ndarray, columns: Mapping[str, np.ndarray]) -> None:
    marker = "o" if len(hours) <= MANY_ROWS else ""
    for name, line in panel.lines.items():
        if not _has_values(columns, name):
            continue
        measured = np.isfinite(columns[name])  # a line between held-out losses, which are rarer than rows
        values = columns[name][measured] * (100 if panel.percent else 1)
        axes.plot(
            hours[measured],
            values,
            color=line.color,
            linestyle=line.style,
            marker=marker if line.style == "-" else "",
            markersize=3,
            label=line.label,
        )
    if panel.logarithmic and any((columns[name] > 0).any() for name in panel.lines if name in columns):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_title(panel.title, fontsize=10)
    axes.set_xlabel("hours seen", fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.tick_params(labelsize=8)
    if len(axes.lines) > 1:
        axes.legend(fontsize=8)


def changes_figure(layers: npt.ArrayLike, cka: npt.ArrayLike, cosine: npt.ArrayLike) -> Figure:
    """Draw how far pretraining has moved each layer.

    Parameters
    ----------
    layers : array-like of int, shape (n,)
    cka : array-like, shape (n,)
        1 - linear CKA between the frames before and after, in [0, 1].
    cosine : array-like, shape (n,)
        Mean over clips of 1 - cosine between the means of their frames, in [0, 2].

    Raises
    ------
    ValueError
        When there is no layer, or the lengths differ.

    Examples
    --------
    >>> figure = changes_figure([0, 1], [0.0, 0.4], [0.0, 0.1])
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['1 - CKA of frames', '1 - cosine of means']
    """
    numbers, *distances = (np.asarray(values, float) for values in (layers, cka, cosine))
    if not len(numbers) or any(values.shape != numbers.shape for values in distances):
        raise ValueError("Layers and distances need one shape (n,), n >= 1.")
    figure, axes = new_figure()
    labels = ("1 - CKA of frames", "1 - cosine of means")
    for values, label, color, style in zip(distances, labels, (BLACK, PURPLE), ("-", "--"), strict=True):
        axes.plot(numbers, values, color=color, linestyle=style, marker="o", markersize=5, label=label)
    top = max([float(values[np.isfinite(values)].max(initial=0.0)) for values in distances])
    axes.set(xlabel="hidden layer", ylabel="distance from the start", ylim=(-0.03 * (top or 1), 1.08 * (top or 1)))
    axes.set_xlim(numbers[0] - 0.5, numbers[-1] + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure
