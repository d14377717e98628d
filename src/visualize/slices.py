"""Slices of a study: the EER of its trials against one hyperparameter at a time."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from src.visualize.style import new_figure

if TYPE_CHECKING:
    import optuna

SIZE = (4.8, 3.6)  # inches
_LIGHTEST = 0.3  # on the colour map from 0 to 1: the first trial is still visible on white


def slice_figure(study: "optuna.Study", parameter: str, value: str = "validation EER") -> Figure:
    """Draw the EER of every finished trial against one hyperparameter.

    Parameters
    ----------
    study : optuna.Study
        Its values are EERs, in [0, 1].
    parameter : str
        A hyperparameter of some finished trial. Its axis is logarithmic where it was searched on a log scale.
    value : str
        What the EERs are of.

    Returns
    -------
    matplotlib.figure.Figure
        Later trials are darker.

    Raises
    ------
    ValueError
        When no finished trial has the hyperparameter.

    Examples
    --------
    >>> import optuna
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study()
    >>> study.optimize(lambda trial: trial.suggest_float("C", 0.1, 1.0, log=True), n_trials=2)
    >>> axes = slice_figure(study, "C").axes[0]
    >>> axes.get_xlabel(), axes.get_ylabel(), axes.get_xscale()
    ('C', 'validation EER (%)', 'log')
    """
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
    trials = [trial for trial in trials if parameter in trial.params]
    if not trials:
        raise ValueError(f"No finished trial has the hyperparameter {parameter!r}.")
    eers = [100 * trial.value for trial in trials if trial.value is not None]
    values = [trial.params[parameter] for trial in trials]
    figure, axes = new_figure(SIZE)
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        names = sorted(set(map(str, values)))
        axes.set_xticks(range(len(names)), names, parse_math=False)
        axes.set_xlim(-0.5, len(names) - 0.5)
        values = [names.index(str(value)) for value in values]
    elif getattr(trials[-1].distributions[parameter], "log", False):
        axes.set_xscale("log")
    colors = colormaps["Blues"](np.linspace(_LIGHTEST, 1, len(trials)))
    axes.scatter(values, eers, c=colors, s=36, linewidths=0)
    axes.set_xlabel(parameter, parse_math=False)
    axes.set(ylabel=f"{value} (%)")
    return figure
