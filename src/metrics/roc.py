"""The receiver operating characteristic (ROC) and the area under it (AUC), read from the detection error curve.

The positive class is bona fide: the true positive rate is the share of bona fide trials accepted, the false positive
rate the share of spoofs accepted. Only thresholds that exist are kept, so equal scores form one sloping step and count
half in the area: the AUC is then the chance that a bona fide trial scores above a spoof, ties counting one half, and
all-equal scores give 0.5, unlike the EER (see `eer`).
"""

import numpy as np
import numpy.typing as npt

from src.metrics.checks import FloatArray
from src.metrics.eer import detection_error_curve


def roc_curve(y_true: npt.ArrayLike, y_scores: npt.ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return false and true positive rates for every threshold, from rejecting all trials to accepting all.

    The trials are labels (n,), 1 for bona fide and 0 for spoof, and scores (n,), higher for bona fide; a ValueError of
    `checks.check_scores` says what is wrong with others.

    Returns
    -------
    fpr : np.ndarray, shape (k + 1,)
        Share of spoofs with score >= threshold, rising from 0 to 1; k is the number of distinct scores.
    tpr : np.ndarray, shape (k + 1,)
        Share of bona fide trials with score >= threshold, rising from 0 to 1.
    thresholds : np.ndarray, shape (k + 1,)
        Infinity, then the distinct scores, falling.

    Examples
    --------
    >>> fpr, tpr, thresholds = roc_curve([1, 0, 1, 0], [0.9, 0.5, 0.5, 0.1])
    >>> fpr.tolist(), tpr.tolist(), thresholds.tolist()
    ([0.0, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0], [inf, 0.9, 0.5, 0.1])
    """
    frr, far, thresholds = detection_error_curve(y_true, y_scores)
    scores = thresholds[1:]
    # Point i of the curve rejects the i lowest trials; a threshold equal to a score rejects all trials in front of the
    # first one that has it, so the index of that first one is the point to keep.
    first_of_tie = np.flatnonzero(np.concatenate([[True], scores[1:] != scores[:-1]]))
    kept = np.concatenate([first_of_tie, [len(scores)]])[::-1]
    return far[kept], 1 - frr[kept], np.concatenate([[np.inf], scores[first_of_tie][::-1]])


def compute_auc(y_true: npt.ArrayLike, y_scores: npt.ArrayLike) -> float:
    """Compute the area under the ROC curve of labels (n,) and scores (n,): 1 is perfect, 0.5 is chance.

    Label 1 is bona fide and 0 spoof, a higher score is more bona fide; `checks.check_scores` refuses anything else.

    Examples
    --------
    >>> compute_auc([1, 1, 0, 0], [0.9, 0.4, 0.5, 0.1])
    0.75
    """
    fpr, tpr, _ = roc_curve(y_true, y_scores)
    return float(np.trapezoid(tpr, fpr))
