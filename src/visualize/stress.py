"""How a detector holds up under distortions: EER against strength, one panel for each distortion.

The strengths of a distortion stand at equal distances, mild ones first, because they are of all kinds: decibels,
bit rates, shares of lost packets. Each curve begins at the EER of the clips as they are, which a dotted line carries
through its panel; all panels share one scale, so that heights can be compared.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from src.visualize.style import BLACK, BLUE, GREY, new_panels, require_finite

COLUMNS = 4
PANEL_SIZE = (2.9, 2.5)
"""Width and height, in inches."""
CHANCE = 50.0
"""EER of guessing, in percent."""


@dataclass(frozen=True)
class StressCurve:
    """The EERs of one distortion, from mild to severe."""

    effect: str
    strengths: Sequence[str]
    """As they are written below the axis, such as "20 dB"; k of them."""
    eers: npt.ArrayLike
    """Shape (k,), in [0, 1]."""
    lows: npt.ArrayLike
    """Shape (k,); NaN where there is no interval."""
    highs: npt.ArrayLike
    """Shape (k,)."""


def stress_figure(curves: Sequence[StressCurve], clean: float) -> Figure:
    """Draw the EER of every distortion against its strength.

    Parameters
    ----------
    curves : sequence of StressCurve
    clean : float
        EER of the clips as they are, in [0, 1].

    Raises
    ------
    ValueError
        When there is no curve, the lengths of one differ, or an EER is NaN or infinite.

    Examples
    --------
    >>> figure = stress_figure([StressCurve("noise", ["20 dB", "0 dB"], [0.1, 0.4], [0.0, 0.3], [0.2, 0.5])], 0.05)
    >>> [tick.get_text() for tick in figure.axes[0].get_xticklabels()], figure.axes[0].get_title()
    (['none', '20 dB', '0 dB'], 'noise')
    """
    if not curves:
        raise ValueError("There is no distortion to draw.")
    rates = [_checked(curve) for curve in curves]
    n_columns = min(COLUMNS, len(curves))
    n_rows = math.ceil(len(curves) / n_columns)
    size = (PANEL_SIZE[0] * n_columns + 0.6, PANEL_SIZE[1] * n_rows + 0.4)
    figure, panels = new_panels(n_rows, n_columns, size, sharey=True)
    for axes, curve, (eers, bounds) in zip(panels.flat, curves, rates, strict=False):
        _draw(axes, curve, np.array([clean, *eers]), bounds)
    for axes in panels.flat[len(curves) :]:
        axes.set_visible(False)
    top = max(CHANCE, *(float(np.nanmax([*eers, *bounds.ravel()])) * 100 for eers, bounds in rates))
    panels.flat[0].set_ylim(-0.03 * top, 1.05 * top)
    for row in panels:
        row[0].set_ylabel("EER (%)")
    return figure


def _checked(curve: StressCurve) -> tuple[np.ndarray, np.ndarray]:
    """Return the EERs (k,) and the bounds (2, k) of a curve."""
    eers, bounds = np.asarray(curve.eers, float), np.asarray([curve.lows, curve.highs], float)
    if eers.shape != (len(curve.strengths),) or bounds.shape != (2, len(eers)) or not len(eers):
        raise ValueError(
            f"Strengths, EERs and bounds of {curve.effect} must have one shape (k,), k >= 1; got "
            f"({len(curve.strengths)},), {eers.shape} and {bounds.shape[1:]}."
        )
    require_finite(eers, "EERs")
    return eers, bounds


def _draw(axes: Axes, curve: StressCurve, eers: np.ndarray, bounds: np.ndarray) -> None:
    """Draw one panel: the clean EER at 0, then the strengths."""
    places = np.arange(len(eers))
    axes.axhline(CHANCE, color=GREY, linewidth=0.8)
    axes.axhline(100 * eers[0], color=GREY, linestyle=":")
    axes.vlines(places[1:], *(100 * bounds), color=BLUE, alpha=0.5, linewidth=4)
    axes.plot(places, 100 * eers, color=BLACK, marker="o", markersize=4)
    axes.set_xticks(places, ["none", *curve.strengths], rotation=35, ha="right", fontsize=8)
    axes.set_xlim(-0.4, len(eers) - 0.6)
    axes.set_title(curve.effect, fontsize=10, parse_math=False)
