"""Accuracy and its relatives: how good the decisions are at one chosen threshold.

A trial is called bona fide where score >= threshold, and bona fide is the positive class: precision is the share of
accepted trials that are bona fide, recall the share of bona fide trials that are accepted, F1 their harmonic mean.
Where nothing is accepted the precision is 0 / 0; it is given as 0.0, and so is F1. Accuracy depends on how many
spoofs a test set happens to hold; balanced accuracy, the mean of both classes' recalls, does not.

The threshold comes from validation data, never from the trials it is used on: one that is chosen on the test makes
every number here too good.
"""

import math

import numpy as np
import numpy.typing as npt

from src.metrics.checks import FloatArray, IntArray, check_scores


def confusion_matrix(y_true: npt.ArrayLike, y_scores: npt.ArrayLike, threshold: float) -> IntArray:
    """Count the decisions: rows are the truth, columns the decision, in the order spoof (0), bona fide (1).

    Parameters
    ----------
    y_true, y_scores : array-like, shape (n,)
        Labels (1 bona fide, 0 spoof) and scores (higher = more bona fide); see `checks.check_scores` for its errors.
    threshold : float
        A trial is called bona fide where score >= threshold.

    Returns
    -------
    np.ndarray, shape (2, 2)
        `[[true spoof, false bona fide], [false spoof, true bona fide]]`.

    Raises
    ------
    ValueError
        When the input breaks the conventions, see `checks.check_scores`, or the threshold is NaN.

    Examples
    --------
    >>> confusion_matrix([1, 1, 0, 0, 0], [0.9, 0.2, 0.5, 0.1, 0.3], threshold=0.5)
    array([[2, 1],
           [1, 1]])
    """
    if math.isnan(threshold):
        raise ValueError("The decision threshold is NaN: give a number, chosen on validation data.")
    labels, scores = check_scores(y_true, y_scores)
    return np.bincount(2 * labels + (scores >= threshold), minlength=4).reshape(2, 2)


def decision_metrics(y_true: npt.ArrayLike, y_scores: npt.ArrayLike, threshold: float) -> dict[str, float]:
    """Compute accuracy, balanced accuracy, precision, recall and F1 at a threshold, with the counts.

    Parameters
    ----------
    y_true, y_scores, threshold
        As in `confusion_matrix`.

    Returns
    -------
    dict of str to float
        `accuracy, balanced_accuracy, precision, recall, f1` in [0, 1], then the counts `true_bonafide`,
        `false_bonafide` (spoofs accepted), `false_spoof` (bona fide rejected) and `true_spoof`.

    Raises
    ------
    ValueError
        As `confusion_matrix`.

    Examples
    --------
    >>> metrics = decision_metrics([1, 1, 0, 0, 0], [0.9, 0.2, 0.5, 0.1, 0.3], threshold=0.5)
    >>> metrics["accuracy"], metrics["precision"], metrics["recall"], metrics["false_bonafide"]
    (0.6, 0.5, 0.5, 1)
    """
    counts = confusion_matrix(y_true, y_scores, threshold)
    (true_spoof, false_bonafide), (false_spoof, true_bonafide) = counts.tolist()
    rates = rates_of_counts(true_bonafide, false_bonafide, false_spoof, true_spoof)
    return {
        **{name: float(rate) for name, rate in rates.items()},
        "true_bonafide": true_bonafide,
        "false_bonafide": false_bonafide,
        "false_spoof": false_spoof,
        "true_spoof": true_spoof,
    }


def rates_of_counts(
    true_bonafide: npt.ArrayLike, false_bonafide: npt.ArrayLike, false_spoof: npt.ArrayLike, true_spoof: npt.ArrayLike
) -> dict[str, FloatArray]:
    """Compute the rates of `decision_metrics` from counts, numbers or arrays of one shape.

    >>> rates_of_counts(1, 1, 1, 2)["balanced_accuracy"].round(4)
    np.float64(0.5833)
    """
    hits, alarms, misses, stopped = (
        np.asarray(counts, np.float64) for counts in (true_bonafide, false_bonafide, false_spoof, true_spoof)
    )
    recall = hits / (hits + misses)
    return {
        "accuracy": (hits + stopped) / (hits + alarms + misses + stopped),
        "balanced_accuracy": (recall + stopped / (stopped + alarms)) / 2,
        "precision": hits / np.where(hits + alarms > 0, hits + alarms, 1.0),
        "recall": recall,
        "f1": 2 * hits / (2 * hits + alarms + misses),
    }
