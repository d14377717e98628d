"""The detection cost function (DCF) of ASVspoof 5: what the errors cost when spoofs are rare and costly.

A threshold that misses the share P_miss of the bona fide trials and accepts the share P_fa of the spoofs costs

    DCF = C_miss (1 - P_spoof) P_miss + C_fa P_spoof P_fa

and is normalised by the cheaper of the two systems that ignore the sound: reject all, C_miss (1 - P_spoof), or accept
all, C_fa P_spoof. So 0 is perfect, and 1 is no better than ignoring the sound. There are two variants:

* min DCF: the lowest cost that any threshold reaches. It needs no calibration and cannot exceed 1. (Equal scores do no
  harm here: the points of the curve inside a tie are never cheaper than its ends.)
* act DCF: the cost at the threshold that Bayes' rule names before any score is seen, -0.6419 for the defaults. It
  reads the scores as log-likelihood ratios, ln p(x | bona fide) / p(x | spoof); for other scores it says little.

A trial is missed where score < threshold and accepted where score >= threshold.

Source: Wang et al., "ASVspoof 5: crowdsourced speech data, deepfakes, and adversarial attacks at scale", 2024.
"""

import math

import numpy as np
import numpy.typing as npt

from src.metrics.checks import FloatArray, check_positive, split_classes
from src.metrics.eer import detection_error_curve


def compute_min_dcf(
    y_true: npt.ArrayLike, y_scores: npt.ArrayLike, *, p_spoof: float = 0.05, c_miss: float = 1.0, c_fa: float = 10.0
) -> float:
    """Compute the lowest normalised detection cost over all thresholds.

    Parameters
    ----------
    y_true, y_scores : array-like, shape (n,)
        Labels (1 bona fide, 0 spoof) and scores (higher = more bona fide); see `checks.check_scores` for its errors.
    p_spoof : float
        Prior probability of a spoof, in (0, 1).
    c_miss, c_fa : float
        Cost of a bona fide trial rejected, and of a spoof accepted.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        When the input breaks the conventions, see `checks.check_scores`, or a cost or prior is out of range.

    Examples
    --------
    >>> compute_min_dcf([1, 1, 0, 0], [2.0, -1.0, 0.0, -2.0])  # accepting one spoof is cheaper than missing one
    0.5
    """
    frr, far, _ = detection_error_curve(y_true, y_scores)
    return float(np.min(normalised_cost(frr, far, p_spoof=p_spoof, c_miss=c_miss, c_fa=c_fa)))


def compute_act_dcf(
    y_true: npt.ArrayLike, y_scores: npt.ArrayLike, *, p_spoof: float = 0.05, c_miss: float = 1.0, c_fa: float = 10.0
) -> float:
    """Compute the normalised detection cost at the Bayes threshold, for scores that are log-likelihood ratios.

    Parameters
    ----------
    y_true, y_scores, p_spoof, c_miss, c_fa
        As in `compute_min_dcf`.

    Returns
    -------
    float
        At least the min DCF; above 1 where ignoring the sound would have been cheaper.

    Raises
    ------
    ValueError
        As `compute_min_dcf`.

    Examples
    --------
    >>> compute_act_dcf([1, 1, 0, 0], [2.0, -1.0, 0.0, -2.0])  # half of each class on the wrong side of -0.64
    1.45
    """
    costs = {"p_spoof": p_spoof, "c_miss": c_miss, "c_fa": c_fa}
    threshold = bayes_threshold(**costs)
    bonafide, spoof = split_classes(y_true, y_scores)
    return float(normalised_cost(np.mean(bonafide < threshold), np.mean(spoof >= threshold), **costs))


def normalised_cost(
    p_miss: npt.ArrayLike, p_fa: npt.ArrayLike, *, p_spoof: float = 0.05, c_miss: float = 1.0, c_fa: float = 10.0
) -> FloatArray:
    """Return the cost of error rates of any shape, relative to the cheaper of rejecting all and accepting all.

    >>> normalised_cost([0.0, 1.0, 0.1], [1.0, 0.0, 0.2]).round(2).tolist()
    [1.0, 1.9, 0.39]
    """
    weight_miss, weight_fa = _weights(p_spoof, c_miss, c_fa)
    cost = weight_miss * np.asarray(p_miss, np.float64) + weight_fa * np.asarray(p_fa, np.float64)
    return np.asarray(cost / min(weight_miss, weight_fa))


def bayes_threshold(*, p_spoof: float = 0.05, c_miss: float = 1.0, c_fa: float = 10.0) -> float:
    """Return the log-likelihood ratio from which accepting a trial is the cheaper decision.

    Accepting costs C_fa P(spoof | x), rejecting C_miss P(bona fide | x); they are equal, by Bayes' rule, where the
    ratio p(x | bona fide) / p(x | spoof) is C_fa P_spoof / (C_miss (1 - P_spoof)).

    >>> round(bayes_threshold(), 4)
    -0.6419
    """
    weight_miss, weight_fa = _weights(p_spoof, c_miss, c_fa)
    return -math.log(weight_miss / weight_fa)


def _weights(p_spoof: float, c_miss: float, c_fa: float) -> tuple[float, float]:
    """Return the cost of a P_miss of 1, and that of a P_fa of 1."""
    check_positive(c_miss=c_miss, c_fa=c_fa)
    if not 0 < p_spoof < 1:
        raise ValueError(f"`p_spoof` must be a probability between 0 and 1, both excluded, not {p_spoof}.")
    return c_miss * (1 - p_spoof), c_fa * p_spoof
