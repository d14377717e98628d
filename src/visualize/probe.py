"""What pretrained models are worth, layer by layer: the EER of a linear head on each, beside LFCC.

A panel for each way of judging (in domain, on systems left out); all share one scale, so that heights can be compared.
A mean over systems hides which of them is hard, so that the last model has a thin line for each, named at its end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from src.visualize.style import BLACK, GREEN, GREY, ORANGE, PURPLE, SKY, new_panels, percent, require_finite

COLORS = (ORANGE, PURPLE, SKY, GREY)
"""Of the models but the last, in order; further ones begin again."""
PANEL_SIZE = (4.6, 4.6)
"""Width and height, in inches."""
NAME_SIZE, NAME_GAP, MOST_NAMES = 7, 0.04, 20
"""Points of the names of systems, how far apart they are at least, as a share of the scale, and how many fit beside."""


@dataclass(frozen=True)
class ProbeCurve:
    """The EERs of the layers of one model."""

    name: str
    layers: npt.ArrayLike
    """Shape (n,), rising; a model of one layer is drawn as a horizontal line."""
    eers: npt.ArrayLike
    """Shape (n,), in [0, 1]."""
    lows: npt.ArrayLike
    """Shape (n,); NaN where there is no interval."""
    highs: npt.ArrayLike
    chosen: int
    """Place of the layer that validation chose."""
    systems: Mapping[str, npt.ArrayLike] = field(default_factory=dict)
    """Spoof system that was left out -> its EERs, shape (n,), of which `eers` are the means."""


def probe_figure(panels: Mapping[str, Sequence[ProbeCurve]]) -> Figure:
    """Draw the EER by layer of every model; the bands of the first and the last are their 95 % intervals.

    Parameters
    ----------
    panels : mapping of str to sequence of ProbeCurve
        How the models were judged -> their curves, the same models in all panels.

    Raises
    ------
    ValueError
        When there is nothing to draw, or an EER is NaN or infinite.

    Examples
    --------
    >>> curve = ProbeCurve("model", [0, 1], [0.3, 0.1], [0.2, 0.05], [0.4, 0.2], 1)
    >>> lfcc = ProbeCurve("lfcc", [0], [0.25], [0.2], [0.3], 0)
    >>> figure = probe_figure({"in domain": [lfcc, curve]})
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['lfcc: 25.00 %', 'model: 10.00 % at layer 1']
    """
    if not panels or not all(panels.values()):
        raise ValueError("There is no model to draw.")
    size = (PANEL_SIZE[0] * len(panels) + 0.4, PANEL_SIZE[1])
    figure, grid = new_panels(1, len(panels), size, sharey=True)
    top = 0.0
    for axes, (title, curves) in zip(grid[0], panels.items(), strict=True):
        _draw_panel(axes, curves)
        axes.set_title(title, fontsize=10, parse_math=False)
        drawn = [each for curve in curves for each in (curve.eers, curve.highs)]
        drawn += [eers for curve in _deep(curves)[-1:] for eers in curve.systems.values()]
        top = max([top, *(100 * float(np.nanmax(_array(each), initial=0.0)) for each in drawn)])
    for axes, curves in zip(grid[0], panels.values(), strict=True):
        _name_systems(axes, _deep(curves)[-1:], NAME_GAP * top)
    grid[0][0].set(ylabel="EER (%)", ylim=(-0.03 * top, 1.05 * max(top, 1.0)))
    return figure


def _draw_panel(axes: Axes, curves: Sequence[ProbeCurve]) -> None:
    deep = _deep(curves)
    for curve in curves:
        eers = _array(curve.eers)
        require_finite(eers, "EERs")
        if curve in deep:
            last = curve is deep[-1]
            color = GREEN if last else COLORS[deep.index(curve) % len(COLORS)]
            _draw_curve(axes, curve, color, with_band=last or curve is deep[0])
            for eers_of_system in curve.systems.values() if last else ():
                axes.plot(_array(curve.layers), 100 * _array(eers_of_system), color=color, linewidth=0.6, alpha=0.8)
        else:
            axes.axhline(100 * eers[0], color=BLACK, linestyle="--", label=f"{curve.name}: {percent(eers[0])}")
    axes.set_xlabel("hidden layer (ringed: chosen on validation; shaded: 95 %)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    legend = axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False, fontsize=9)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _draw_curve(axes: Axes, curve: ProbeCurve, color: str, *, with_band: bool) -> None:
    layers, eers = _array(curve.layers), _array(curve.eers)
    label = f"{curve.name}: {percent(eers[curve.chosen])} at layer {layers[curve.chosen]:g}"
    axes.plot(layers, 100 * eers, color=color, marker="o", markersize=5, label=label)
    axes.plot(layers[curve.chosen], 100 * eers[curve.chosen], color=color, marker="o", markersize=11, fillstyle="none")
    if with_band:
        axes.fill_between(
            layers, 100 * _array(curve.lows), 100 * _array(curve.highs), color=color, alpha=0.2, linewidth=0
        )


def _deep(curves: Sequence[ProbeCurve]) -> list[ProbeCurve]:
    """Return the curves of models that have several layers."""
    return [curve for curve in curves if len(_array(curve.layers)) > 1]


def _name_systems(axes: Axes, last: Sequence[ProbeCurve], gap: float) -> None:
    """Name the systems of the last model beside the ends of their lines, each name above the one below it."""
    ends = sorted((100 * float(_array(eers)[-1]), name) for curve in last for name, eers in curve.systems.items())
    if not 0 < len(ends) <= MOST_NAMES:
        return
    rising = gap * np.arange(len(ends))
    heights = np.maximum.accumulate(np.array([end for end, _ in ends]) - rising) + rising
    for (_, name), height in zip(ends, heights, strict=True):
        beside = axes.get_yaxis_transform()
        text = axes.text(1.01, height, name, color=GREEN, fontsize=NAME_SIZE, va="center", transform=beside)
        text.set_parse_math(False)


def _array(values: npt.ArrayLike) -> np.ndarray:
    return np.asarray(values, float)
