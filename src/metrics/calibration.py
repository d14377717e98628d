"""Calibration: do the scores mean what they say, when they are read as log-likelihood ratios?

The EER asks only whether bona fide trials score above spoofs. Cllr asks how much information is lost by taking the
scores at face value: a bona fide trial with a score of -5 costs log2(1 + e^5) = 7.2 bits. Scores that are always 0,
which say nothing, have a Cllr of exactly 1; a good, well calibrated detector is near 0; above 1 the scores mislead.

A classifier's scores are seldom such ratios: an SVM gives distances. A line a * score + b, a > 0, fitted on validation
data, turns them into ratios without changing their order, and so leaves EER, AUC and min DCF as they are. It is the
logistic regression of the label on the score in which both classes weigh the same, with Platt's targets: of n trials of
a class it expects (n + 1) / (n + 2) to be right, so that few validation clips without an error do not imply certainty.

Sources: Brümmer and du Preez, "Application-independent evaluation of speaker detection", 2006; Platt, "Probabilistic
outputs for support vector machines", 1999.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

from src.metrics.checks import FloatArray, check_scores

LEAST_SLOPE = 1e-3
"""In logits per standard deviation of the scores. Scores of the wrong direction are flattened, never reversed."""


def compute_cllr(y_true: npt.ArrayLike, y_scores: npt.ArrayLike) -> float:
    """Compute the cost of log-likelihood ratios, in bits.

        Cllr = (mean over bona fide of log2(1 + e^-s) + mean over spoofs of log2(1 + e^s)) / 2

    Parameters
    ----------
    y_true : array-like, shape (n,)
        Labels: 1 bona fide, 0 spoof.
    y_scores : array-like, shape (n,)
        Natural log-likelihood ratios, higher = more bona fide.

    Returns
    -------
    float
        At least 0; 1 for scores that hold no information.

    Examples
    --------
    >>> compute_cllr([1, 1, 0], [0.0, 0.0, 0.0])
    1.0
    """
    labels, scores = check_scores(y_true, y_scores)
    bits = bits_lost(labels, scores)
    return float((bits[labels == 1].mean() + bits[labels == 0].mean()) / 2)


def bits_lost(labels: np.ndarray, scores: FloatArray) -> FloatArray:
    """Return the cost in bits of taking each trial's score at face value, shape (n,).

    >>> bits_lost(np.array([1, 0]), np.array([0.0, 0.0])).tolist()
    [1.0, 1.0]
    """
    # ln(1 + e^x) = logaddexp(0, x), which does not overflow where e^x would, above x = 709.
    return np.asarray(np.logaddexp(0.0, np.where(labels == 1, -scores, scores)) / np.log(2))


@dataclass(frozen=True)
class Calibration:
    """The line that makes scores log-likelihood ratios: scale * score + offset."""

    scale: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite([self.scale, self.offset]).all() and self.scale > 0):
            raise ValueError(f"A calibration is a scale above 0 and an offset, not {self.scale} and {self.offset}.")

    def apply(self, scores: npt.ArrayLike) -> FloatArray:
        """Return natural log-likelihood ratios, one for each score.

        >>> Calibration(2.0, -1.0).apply([0.5, 3.0]).tolist()
        [0.0, 5.0]
        """
        return self.scale * np.asarray(scores, np.float64) + self.offset


def fit_calibration(y_true: npt.ArrayLike, y_scores: npt.ArrayLike) -> Calibration:
    """Fit the line on validation trials.

    Parameters
    ----------
    y_true, y_scores : array-like, shape (n,)
        Labels (1 bona fide, 0 spoof) and scores (higher = more bona fide); see `checks.check_scores` for its errors.

    Examples
    --------
    >>> fit_calibration([1, 1, 0, 0], [3.0, 1.0, 2.0, 0.0]).scale > 0
    True
    """
    labels, scores = check_scores(y_true, y_scores)
    middle, deviation = scores.mean(), scores.std() or 1.0
    standardised = (scores - middle) / deviation
    counts = np.bincount(labels)
    n_own = counts[labels]
    weights = 0.5 / n_own
    targets = np.where(labels == 1, n_own + 1, 1) / (n_own + 2)

    def loss(line: FloatArray) -> tuple[float, FloatArray]:
        logits = line[0] * standardised + line[1]
        errors = weights * (expit(logits) - targets)
        value = weights @ (np.logaddexp(0.0, logits) - targets * logits)
        return float(value), np.array([errors @ standardised, errors.sum()])

    bounds = [(LEAST_SLOPE, None), (None, None)]
    found = minimize(loss, [1.0, 0.0], jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 0, "gtol": 1e-12})
    slope, offset = found.x
    return Calibration(float(slope / deviation), float(offset - slope * middle / deviation))
