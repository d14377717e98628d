"""The equal error rate (EER) as the ASVspoof challenges compute it, and the curve it is read from.

A detector has no threshold of its own, so two error rates are computed while the threshold rises through the sorted
scores. FRR, the false rejection rate, is the share of bona fide trials rejected so far: it climbs from 0 to 1. FAR, the
false acceptance rate, is the share of spoofs still accepted: it falls from 1 to 0. The EER is where they meet, or,
since they move in steps, the mean of the two where they are closest. It needs scores: predicted labels give
a single point of the curve, and an "EER" computed from them is another number.

Three things follow from the official algorithm, which is followed exactly so that results can be compared:

* Ties. Equal scores are passed one by one, the bona fide first, so the curve has points that no threshold can reach.
  These points are pessimistic: the misses are counted before the rejections that come with them. When all scores are
  equal the EER is 1.0, not 0.5. With fewer than three distinct scores (hard decisions, a saturated sigmoid)
  `compute_eer` warns that the number means nothing.
* The threshold is the score of the last trial rejected. A decision "bona fide where score >= threshold" accepts
  that one trial: with perfectly separated scores the EER is 0 and its threshold is the highest spoof score.
* Only the order of the scores counts, so any increasing map of them (a sigmoid, a scale) leaves the EER as it is.

Source: the evaluation packages of ASVspoof 2019, 2021 and 5; Brümmer and de Villiers, "The BOSARIS toolkit", 2011.
"""

import warnings

import numpy as np
import numpy.typing as npt

from src.metrics.checks import FloatArray, split_classes

OTHER_WAY = "the score probably runs the other way (higher must mean more bona fide)"
WORSE_THAN_CHANCE = "worse than chance here. What was learnt is wrong for these clips"


def detection_error_curve(y_true: npt.ArrayLike, y_scores: npt.ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Compute both error rates from the threshold that accepts all trials to the one that rejects all.

    Parameters
    ----------
    y_true, y_scores : array-like, shape (n,)
        Labels (1 bona fide, 0 spoof) and scores (higher = more bona fide); see `checks.check_scores` for its errors.

    Returns
    -------
    frr : np.ndarray, shape (n + 1,)
        Share of bona fide trials rejected (P_miss), rising from 0 to 1.
    far : np.ndarray, shape (n + 1,)
        Share of spoofs accepted (P_fa), falling from 1 to 0.
    thresholds : np.ndarray, shape (n + 1,)
        The lowest score less 0.001, then the sorted scores; point i rejects the i lowest trials.

    Examples
    --------
    >>> frr, far, thresholds = detection_error_curve([0, 1, 0, 1], [-2.0, 0.0, 1.0, 3.0])
    >>> frr.tolist(), far.tolist()
    ([0.0, 0.0, 0.5, 0.5, 1.0], [1.0, 0.5, 0.5, 0.0, 0.0])
    """
    bonafide, spoof = split_classes(y_true, y_scores)
    scores = np.concatenate([bonafide, spoof])
    # Stable and with the bona fide in front: of equal scores the bona fide are rejected first, as in the official code.
    order = np.argsort(scores, kind="stable")
    rejected_bonafide = np.cumsum(order < len(bonafide))
    rejected_spoofs = np.arange(1, len(scores) + 1) - rejected_bonafide
    frr = np.concatenate([[0.0], rejected_bonafide / len(bonafide)])
    far = np.concatenate([[1.0], (len(spoof) - rejected_spoofs) / len(spoof)])
    sorted_scores = scores[order]
    return frr, far, np.concatenate([[sorted_scores[0] - 0.001], sorted_scores])


def equal_error_point(frr: FloatArray, far: FloatArray, thresholds: FloatArray) -> tuple[float, float]:
    """Return the EER and its threshold, read from a curve, without the warnings of `compute_eer`.

    Source: i = argmin |FRR - FAR|, EER = (FRR[i] + FAR[i]) / 2; the first such i where several are as close.

    >>> equal_error_point(*detection_error_curve([0, 1, 0, 1], [-2.0, 0.0, 1.0, 3.0]))
    (0.5, 0.0)
    """
    closest = int(np.argmin(np.abs(frr - far)))
    return float((frr[closest] + far[closest]) / 2), float(thresholds[closest])


def operating_threshold(y_true: npt.ArrayLike, y_scores: npt.ArrayLike) -> float:
    """Return a threshold at which "bona fide where score >= threshold" makes the two errors whose mean is the EER.

    It lies midway between the last trial that the EER rejects and the first that it accepts. The official threshold is
    the score of the former, which that decision would accept; where the classes are separated, it is the highest spoof
    score.

    >>> operating_threshold([0, 0, 1, 1], [-3.0, -1.0, 2.0, 3.0])
    0.5
    """
    frr, far, thresholds = detection_error_curve(y_true, y_scores)
    closest = int(np.argmin(np.abs(frr - far)))
    return float(thresholds[closest : closest + 2].mean())


def compute_eer(y_true: npt.ArrayLike, y_scores: npt.ArrayLike) -> tuple[float, float]:
    """Compute the equal error rate of labels (n,) and scores (n,), and the score it is reached at.

    Label 1 is bona fide and 0 spoof, a higher score is more bona fide; a ValueError of `checks.check_scores` says what
    is wrong with other input.

    Returns
    -------
    eer : float
        In [0, 1]; 0 is perfect, 0.5 is chance.
    threshold : float
        The score of the last trial rejected at that point.

    Warns
    -----
    UserWarning
        When there are fewer than three distinct scores, or else when the EER is above 50 %.

    Examples
    --------
    >>> compute_eer([1, 1, 1, 0, 0, 0], [0.9, 0.8, 0.3, 0.4, 0.2, 0.1])
    (0.3333333333333333, 0.3)
    """
    curve = detection_error_curve(y_true, y_scores)
    eer, threshold = equal_error_point(*curve)
    if reason := _doubt_of(eer, curve[2], OTHER_WAY):
        warnings.warn(reason, stacklevel=2)
    return eer, threshold


def eer_of(y_true: npt.ArrayLike, y_scores: npt.ArrayLike) -> float:
    """Return the EER alone, without a warning.

    >>> eer_of([1, 1, 1, 0, 0, 0], [0.9, 0.8, 0.3, 0.4, 0.2, 0.1])
    0.3333333333333333
    """
    return equal_error_point(*detection_error_curve(y_true, y_scores))[0]


def eer_threshold_of(y_true: npt.ArrayLike, y_scores: npt.ArrayLike) -> float:
    """Return the score at which the EER is reached, without a warning.

    >>> eer_threshold_of([1, 1, 1, 0, 0, 0], [0.9, 0.8, 0.3, 0.4, 0.2, 0.1])
    0.3
    """
    return equal_error_point(*detection_error_curve(y_true, y_scores))[1]


def doubt(y_true: npt.ArrayLike, y_scores: npt.ArrayLike, *, of_own_run: bool = False) -> str:
    """Say in one sentence why the EER of these scores should be doubted; empty where there is no reason to.

    The reasons are fewer than three distinct scores, or else an EER above 50 %. Show the sentence beside an EER that a
    person reads; a single trial of a study, or a part of a test, may well be worse than chance. Scores from elsewhere
    that are worse than chance probably run the other way; those of our own runs do not, so that what such a run has
    learnt is wrong for the clips that it is tested on (`of_own_run`).

    >>> doubt([0, 0, 1, 1], [3.0, 4.0, 1.0, 2.0])
    'The EER is 100.00 %, above 50 %: the score probably runs the other way (higher must mean more bona fide).'
    >>> doubt([0, 0, 1, 1], [3.0, 4.0, 1.0, 2.0], of_own_run=True)
    'The EER is 100.00 %, above 50 %: worse than chance here. What was learnt is wrong for these clips.'
    """
    curve = detection_error_curve(y_true, y_scores)
    return _doubt_of(equal_error_point(*curve)[0], curve[2], WORSE_THAN_CHANCE if of_own_run else OTHER_WAY)


def _doubt_of(eer: float, thresholds: FloatArray, above_half: str) -> str:
    n_distinct = 1 + np.count_nonzero(np.diff(thresholds[1:]))
    if n_distinct < 3:
        return (
            f"There are only {n_distinct} distinct score(s), so the EER of {100 * eer:.2f} % means nothing: "
            "give scores, not decisions."
        )
    return f"The EER is {100 * eer:.2f} %, above 50 %: {above_half}." if eer > 0.5 else ""
