"""Slices of a study: its value by one hyperparameter at a time, as Optuna draws them.

Optuna draws with pyplot, which keeps every figure and one style for the whole process. Both are put back as they were.
"""

import sys
import warnings
from typing import TYPE_CHECKING

from matplotlib import rc_context
from matplotlib.figure import Figure

from src.visualize.style import GREY

if TYPE_CHECKING:
    import optuna

SIZE = (4.8, 3.6)  # inches


def slice_figure(study: "optuna.Study", parameter: str, *, value_name: str = "validation EER") -> Figure:
    """Draw the value of every finished trial against one hyperparameter.

    Parameters
    ----------
    study : optuna.Study
        With one objective, and a finished trial that has the hyperparameter.
    parameter : str
    value_name : str
        What the value is, for its axis.

    Returns
    -------
    matplotlib.figure.Figure
        Later trials are darker.

    Examples
    --------
    >>> import optuna
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study()
    >>> study.optimize(lambda trial: trial.suggest_float("C", 0.1, 1.0), n_trials=2)
    >>> slice_figure(study, "C").axes[0].get_ylabel()
    'validation EER'
    """
    import matplotlib as mpl

    if "matplotlib.pyplot" not in sys.modules:
        mpl.use("agg")  # nobody has chosen a backend: take the one that needs no screen
    from matplotlib import pyplot
    from optuna.visualization.matplotlib import plot_slice

    with rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is marked experimental; a hyperparameter of one value has a flat axis
        plot_slice(study, [parameter], target_name=value_name)
        figure = pyplot.gcf()
        pyplot.close(figure)
    axes = figure.axes[0]
    axes.set(title="", facecolor="white")
    axes.spines[:].set_color(GREY)
    figure.set_size_inches(*SIZE)
    figure.set_layout_engine("tight")  # constrained cannot hold the colour bar that is there
    return figure
