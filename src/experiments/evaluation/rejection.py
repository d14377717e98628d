"""Decisions with rejection of a run: fitted to the scores of its validation clips, judged on those of a test."""

import math
from typing import Any

import numpy as np

from src.experiments.inputs.contract import VAL
from src.experiments.runs.artefacts import VAL_SCORES, read_scores
from src.experiments.training.trained import Trained
from src.metrics.bootstrap import Trials
from src.metrics.conformal import DEFAULT_ERROR, Rejection, check_error, fit_rejection, rejection_rates
from src.metrics.verdict import Metric
from src.utils.labels import parse_label


def validation_scores(trained: Trained) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and calibrated scores of the validation clips of a run, both of shape (n,).

    Raises
    ------
    ValueError
        When the run was trained by a version that did not keep them.
    """
    if not (trained.folder / VAL_SCORES).is_file():
        raise ValueError(f"{trained.folder} has no {VAL_SCORES}, the scores of {VAL}: train it again.")
    table = read_scores(trained.folder, VAL_SCORES)
    return np.array([parse_label(label) for label in table["label"]]), table["score"].to_numpy(float)


def rejection_of(trained: Trained, error: float = DEFAULT_ERROR) -> Rejection:
    """Return the decisions of a run that promise an error rate, see `metrics/conformal.py`; raises as above."""
    check_error(error)
    return fit_rejection(*validation_scores(trained), trained.threshold, error)


def judge_with_rejection(
    trained: Trained, trials: Trials, scores: np.ndarray, error: float
) -> tuple[dict[str, Metric], dict[str, Any]]:
    """Return what the decisions with rejection of a run achieve on a test, and how they were made, for its record.

    Parameters
    ----------
    trained : Trained
    trials : Trials
        Of one class or both.
    scores : np.ndarray, shape (n,)
    error : float
        The error rate among the decisions that is promised.

    Returns
    -------
    dict, dict
        `coverage`, and `decided_error` where a clip is decided; then `reject`, the error rate, `margin`, None where
        nothing can be decided, and `rejection`, why that is so. Without validation scores there are no rates.
    """
    check_error(error)
    try:
        rejection = rejection_of(trained, error)
    except ValueError as reason:
        return {}, {"reject": error, "margin": None, "rejection": str(reason)}
    margin = rejection.margin if math.isfinite(rejection.margin) else None
    about = {"reject": error, "margin": margin, "rejection": rejection.note}
    return rejection_rates(trials, scores, rejection), about


def promise_in_words(about: dict[str, Any]) -> str:
    """Say what is promised of the decisions of a test, by its record; empty where the record says nothing of it.

    >>> promise_in_words({"reject": 0.05, "margin": 0.0, "rejection": ""})
    'Decided always: on clips like those of validation at most 5 % of the decisions are wrong (sure to 95 %).'
    """
    if "reject" not in about or about["rejection"]:
        return str(about.get("rejection", ""))
    where = f"where the score lies at least {about['margin']:.2f} from the threshold" if about["margin"] else "always"
    return (
        f"Decided {where}: on clips like those of validation at most {100 * about['reject']:g} % of the decisions are "
        "wrong (sure to 95 %)."
    )
