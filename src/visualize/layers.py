"""Which hidden layers separate bona fide speech from spoofs: their EERs, and their weights in a learnt mix."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from src.visualize.style import BLACK, GREY, new_figure, percent, require_finite, ring


def layer_figure(
    layers: npt.ArrayLike,
    eers: npt.ArrayLike,
    lows: npt.ArrayLike,
    highs: npt.ArrayLike,
    *,
    mix: float | None = None,
    across: Mapping[str, npt.ArrayLike] | None = None,
) -> Figure:
    """Draw the EER of every layer with its interval, and mark the lowest.

    Parameters
    ----------
    layers : array-like of int, shape (n,)
        Rising; 0 enters the first transformer layer.
    eers : array-like, shape (n,)
        In [0, 1].
    lows, highs : array-like, shape (n,)
        Bounds of the EERs; NaN where there are none.
    mix : float, optional
        EER of a learnt mix of all layers, drawn as a line.
    across : mapping of str to array-like of shape (n,), optional
        Kind of domains, such as systems -> the mean EER of every layer across them, of what it has not heard.

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
    if mix is not None:
        axes.axhline(100 * mix, color=GREY, linestyle="--", label=f"mix of all layers: {percent(mix)}")
    ring(axes, numbers[best], 100 * rates[best], f"lowest: {percent(rates[best])} at layer {numbers[best]}")
    unheard = {name: np.asarray(means, float) for name, means in (across or {}).items()}
    for (name, means), (marker, line) in zip(unheard.items(), (("s", "--"), ("^", ":")), strict=False):
        axes.plot(
            numbers, 100 * means, color=BLACK, marker=marker, linestyle=line, markersize=5, label=f"across {name}"
        )
    top = max(
        1.05 * 100 * np.nanmax([*rates, *bounds[1], mix or 0.0, *np.concatenate([[0.0], *unheard.values()])]), 1.0
    )
    axes.set(xlabel="hidden layer", ylabel="EER (%)", ylim=(-0.03 * top, top))
    axes.set_xlim(numbers[0] - 0.5, numbers[-1] + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def weights_figure(layers: npt.ArrayLike, weights: npt.ArrayLike) -> Figure:
    """Draw how much every layer counts in a learnt mix, and the share that all would have if none was preferred.

    Parameters
    ----------
    layers : array-like of int, shape (n,)
        Rising; 0 enters the first transformer layer.
    weights : array-like, shape (n,)
        Not negative; they sum to 1.

    Raises
    ------
    ValueError
        When there is no layer, the lengths differ, or the weights do not sum to 1.

    Examples
    --------
    >>> figure = weights_figure([0, 1, 2], [0.2, 0.7, 0.1])
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['weight', 'equal weights: 33.33 %']
    """
    numbers, shares = np.asarray(layers, int), np.asarray(weights, float)
    if numbers.ndim != 1 or len(numbers) == 0 or shares.shape != numbers.shape:
        raise ValueError(
            f"Layers and weights must have one shape (n,), n >= 1; got {numbers.shape} and {shares.shape}."
        )
    require_finite(shares, "weights")
    if (shares < 0).any() or abs(shares.sum() - 1) > 1e-3:
        raise ValueError(f"The weights of layers must not be negative and sum to 1, not {shares.sum():g}.")
    equal = 1 / len(numbers)
    figure, axes = new_figure()
    axes.bar(numbers, 100 * shares, color=BLACK, width=0.7, label="weight")
    axes.axhline(100 * equal, color=GREY, linestyle="--", label=f"equal weights: {percent(equal)}")
    axes.set(xlabel="hidden layer", ylabel="weight (%)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    handles, names = axes.get_legend_handles_labels()
    by_name = dict(zip(names, handles, strict=True))
    order = sorted(by_name, key=lambda name: name != "weight")
    figure.legend([by_name[name] for name in order], order, loc="outside lower center", ncols=2, frameon=False)
    return figure
