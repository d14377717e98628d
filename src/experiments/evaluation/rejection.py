"""Decisions with rejection of a run, fitted to the scores of its validation clips."""

import numpy as np

from src.experiments.inputs.contract import VAL
from src.experiments.runs.artefacts import VAL_SCORES, read_scores
from src.experiments.training.trained import Trained
from src.metrics.conformal import DEFAULT_ERROR, Rejection, fit_rejection
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
    return fit_rejection(*validation_scores(trained), trained.threshold, error)
