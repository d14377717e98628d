"""The EER by hidden layer: which layers of a model separate bona fide speech from spoofs."""

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from src.visualize.style import BLACK, GREY, new_figure, percent, require_finite, ring


def layer_figure(layers: npt.ArrayLike, eers: npt.ArrayLike, lows: npt.ArrayLike, highs: npt.ArrayLike) -> Figure:
    """Draw the EER of every layer with its interval, and mark the lowest.

    Parameters
    ----------
    layers : array-like of int, shape (n,)
        Rising; 0 enters the first transformer layer.
    eers : array-like, shape (n,)
        In [0, 1].
    lows, highs : array-like, shape (n,)
        Bounds of the EERs; NaN where there are none.

    Raises
    ------
    ValueError
        When there is no layer, the lengths differ, or an EER is NaN or infinite.

    Examples
    --------
    >>> figure = layer_figure([0, 1, 2], [0.3, 0.1, 0.2], [0.2, 0.05, 0.1], [0.4, 0.2, 0.3])
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['validation EER', '95 % interval', 'lowest: 10.00 % at layer 1']
    """
    numbers, rates = np.asarray(layers, int), np.asarray(eers, float)
    bounds = np.asarray([lows, highs], float)
    if numbers.ndim != 1 or len(numbers) == 0 or rates.shape != numbers.shape or bounds.shape != (2, len(numbers)):
        raise ValueError(
            f"Layers, EERs and bounds must have one shape (n,), n >= 1; got {numbers.shape}, {rates.shape} and "
            f"{bounds.shape[1:]}."
        )
    require_finite(rates, "EERs")
    best = int(np.argmin(rates))
    figure, axes = new_figure()
    axes.plot(numbers, 100 * rates, color=BLACK, marker="o", markersize=5, label="validation EER")
    if np.isfinite(bounds).any():
        axes.fill_between(numbers, *(100 * bounds), color=GREY, alpha=0.3, linewidth=0, label="95 % interval")
    if len(numbers) == 1:  # where a band would have no width
        axes.vlines(numbers, *(100 * bounds), color=GREY)
    ring(axes, numbers[best], 100 * rates[best], f"lowest: {percent(rates[best])} at layer {numbers[best]}")
    top = max(1.05 * 100 * np.nanmax([*rates, *bounds[1]]), 1.0)
    axes.set(xlabel="hidden layer", ylabel="EER (%)", ylim=(-0.03 * top, top))
    axes.set_xlim(numbers[0] - 0.5, numbers[-1] + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure
