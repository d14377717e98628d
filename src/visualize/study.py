"""Pictures of a hyperparameter study: how the best trial was found, and which hyperparameters mattered.

They take arrays of finished trials. The value of a trial is an EER, lower is better: that of its validation or, where
domains were left out, the mean across these, which `value` names on the axes.
"""

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from src.visualize.style import FIGURE_SIZE, GREEN, GREY, new_figure, percent, require_finite, ring

VALUE = "validation EER"
_BAR_INCHES = 0.35


def history_figure(trial_numbers: npt.ArrayLike, values: npt.ArrayLike, value: str = VALUE) -> Figure:
    """Draw the value of every trial and the best so far.

    Parameters
    ----------
    trial_numbers : array-like, shape (n,)
        Numbers of the finished trials, in any order.
    values : array-like, shape (n,)
        Their EERs, in [0, 1].
    value : str
        What these are.

    Raises
    ------
    ValueError
        When there is no trial, the lengths differ, or a value is NaN or infinite.

    Examples
    --------
    >>> figure = history_figure([2, 0, 1], [0.10, 0.30, 0.40])
    >>> figure.axes[0].lines[1].get_ydata().tolist()
    [30.0, 30.0, 10.0]
    """
    numbers, eers = np.asarray(trial_numbers), np.asarray(values, float)
    if numbers.ndim != 1 or numbers.shape != eers.shape or len(numbers) == 0:
        raise ValueError(
            f"Trial numbers and values must have one shape (n,), n >= 1; got {numbers.shape} and {eers.shape}: "
            "finish a trial first."
        )
    require_finite(eers, "values")
    order = np.argsort(numbers, kind="stable")
    numbers, eers = numbers[order], eers[order]
    best = int(np.argmin(eers))

    figure, axes = new_figure()
    axes.plot(numbers, 100 * eers, color=GREY, marker="o", markersize=5, linestyle="none", label="trial")
    axes.plot(
        numbers, 100 * np.minimum.accumulate(eers), color=GREEN, drawstyle="steps-post", label="best so far", zorder=1
    )
    ring(axes, numbers[best], 100 * eers[best], f"best: trial {numbers[best]}, {percent(eers[best])}")
    top = max(100 * eers.max() * 1.05, 1.0)
    axes.set(xlabel="trial", ylabel=f"{value} (%)", ylim=(-0.03 * top, top))
    axes.set_xlim(numbers[0] - 0.5, numbers[-1] + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def importance_figure(names: list[str], importances: npt.ArrayLike, value: str = VALUE) -> Figure:
    """Draw one bar for each hyperparameter, the most important on top.

    Parameters
    ----------
    names : list of str
        The k hyperparameters.
    importances : array-like, shape (k,)
        Their shares of the variation in the values of the trials, >= 0.
    value : str
        What these are.

    Returns
    -------
    matplotlib.figure.Figure
        Its height grows with the number of bars.

    Raises
    ------
    ValueError
        When there is no hyperparameter, the lengths differ, or an importance is negative, NaN or infinite.

    Examples
    --------
    >>> figure = importance_figure(["C", "gamma"], [0.2, 0.8])
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['gamma', 'C']
    """
    shares = np.asarray(importances, float)
    if shares.shape != (len(names),) or len(names) == 0 or (shares < 0).any():
        raise ValueError(
            f"Importances must be k >= 1 numbers >= 0 for k names; got shape {shares.shape} and {len(names)} names."
        )
    require_finite(shares, "importances")
    order = np.argsort(-shares, kind="stable")
    width, height = FIGURE_SIZE
    figure, axes = new_figure((width, min(height, 1.2) + _BAR_INCHES * len(names)))
    places = np.arange(len(names))
    bars = axes.barh(places, shares[order], color=GREEN)
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set_yticks(places, [names[index] for index in order], parse_math=False)
    axes.invert_yaxis()
    axes.set(xlabel=f"importance for the {value}", xlim=(0, 1.25 * shares.max() or 1.0))
    return figure
