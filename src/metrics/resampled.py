"""Every metric of the report on resampled trials: trials that count more than once, or not at all.

No trial is copied. The trials are sorted once, in the order in which a rising threshold rejects them; the cumulative
weights of a resampling in that order give both error rates at every threshold, and from them everything else. With all
weights 1 each metric is what its own function computes.

A resampling that holds no trial of one class has no metric: NaN.
"""

import numpy as np
import numpy.typing as npt

from src.metrics.bootstrap import Resamplings
from src.metrics.calibration import bits_lost
from src.metrics.checks import FloatArray, check_scores
from src.metrics.classification import rates_of_counts
from src.metrics.dcf import bayes_threshold, normalised_cost


def resample_metrics(
    scores: npt.ArrayLike, resamplings: Resamplings, threshold: float | None = None
) -> dict[str, FloatArray]:
    """Compute the metrics of every resampling.

    Parameters
    ----------
    scores : array-like, shape (n,)
        Higher = more bona fide; act DCF and Cllr are meaningful for log-likelihood ratios only.
    resamplings : Resamplings
        Of the trials that the scores belong to.
    threshold : float, optional
        For accuracy and its relatives, as in `report.evaluate`.

    Returns
    -------
    dict of str to np.ndarray, shape (resamplings,)
        `eer, auc, min_dcf, act_dcf, cllr`, and with a threshold `accuracy, balanced_accuracy, precision, recall, f1`.

    Examples
    --------
    >>> from src.metrics.bootstrap import Trials
    >>> trials = Trials(np.array([1, 0, 1, 0]), np.array(["ann", "ann", "bob", "bob"]))
    >>> drawn = trials.draw(n_resamplings=2)
    >>> resample_metrics([2.0, -1.0, 0.5, 1.0], drawn)["auc"].tolist()
    [0.75, 1.0]
    """
    labels, values = check_scores(resamplings.labels, scores)
    ranked = _Ranked(labels, values)
    blocks = []
    with np.errstate(invalid="ignore", divide="ignore"):  # where a class was not drawn: NaN
        for weights in resamplings.blocks(ranked.order):
            blocks.append(_metrics(ranked, weights, threshold))
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def resample_eer(scores: npt.ArrayLike, resamplings: Resamplings) -> FloatArray:
    """Compute the EER alone of every resampling, shape (resamplings,): what intervals of many comparisons need.

    >>> from src.metrics.bootstrap import Trials
    >>> trials = Trials(np.array([1, 0, 1, 0]), np.array(["ann", "ann", "bob", "bob"]))
    >>> resample_eer([2.0, -1.0, 0.5, 1.0], trials.draw(n_resamplings=2)).tolist()
    [0.5, 0.0]
    """
    labels, values = check_scores(resamplings.labels, scores)
    ranked = _Ranked(labels, values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.concatenate([_eers(*_error_rates(ranked, block)) for block in resamplings.blocks(ranked.order)])


class _Ranked:
    """Trials in the order in which a rising threshold rejects them; of equal scores, the bona fide first."""

    def __init__(self, labels: np.ndarray, scores: FloatArray) -> None:
        self.order = np.lexsort((-labels, scores))
        self.scores = scores[self.order]
        self.bonafide = labels[self.order] == 1
        self.end_of_tie = np.searchsorted(self.scores, self.scores, side="right")
        self.bits = bits_lost(labels[self.order], self.scores)

    def rejected_below(self, threshold: float) -> int:
        """Return how many trials have a score < threshold."""
        return int(np.searchsorted(self.scores, threshold, side="left"))


def _error_rates(ranked: _Ranked, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return FRR and FAR, shape (resamplings, n + 1): point i rejects the i first trials."""
    missed = _cumulated(np.where(ranked.bonafide, weights, 0.0))
    stopped = _cumulated(np.where(ranked.bonafide, 0.0, weights))
    missed /= missed[:, -1:].copy()
    n_spoof = stopped[:, -1:].copy()
    np.subtract(n_spoof, stopped, out=stopped)
    stopped /= n_spoof
    return missed, stopped


def _cumulated(weights: FloatArray) -> FloatArray:
    sums = np.empty((len(weights), weights.shape[1] + 1))
    sums[:, 0] = 0
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums


def _metrics(ranked: _Ranked, weights: FloatArray, threshold: float | None) -> dict[str, FloatArray]:
    frr, far = _error_rates(ranked, weights)
    bonafide = np.where(ranked.bonafide, weights, 0.0)
    n_bonafide, n_all = bonafide.sum(axis=1), weights.sum(axis=1)
    n_spoof = n_all - n_bonafide
    bayes = ranked.rejected_below(bayes_threshold())
    bits_bonafide, bits_spoof = bonafide @ ranked.bits, (weights - bonafide) @ ranked.bits
    # A bona fide trial wins against the spoofs below it, and half against those of its own score.
    losing = 1 - (far[:, :-1] + far[:, ranked.end_of_tie]) / 2
    found = {
        "eer": _eers(frr, far),
        "auc": (bonafide * losing).sum(axis=1) / n_bonafide,
        "min_dcf": normalised_cost(frr, far).min(axis=1),
        "act_dcf": normalised_cost(frr[:, bayes], far[:, bayes]),
        "cllr": (bits_bonafide / n_bonafide + bits_spoof / n_spoof) / 2,
    }
    if threshold is not None:
        rejected = ranked.rejected_below(threshold)
        missed, accepted = frr[:, rejected] * n_bonafide, far[:, rejected] * n_spoof
        found |= rates_of_counts(n_bonafide - missed, accepted, missed, n_spoof - accepted)
    defined = (n_bonafide > 0) & (n_spoof > 0)
    return {name: np.where(defined, values, np.nan) for name, values in found.items()}


def _eers(frr: FloatArray, far: FloatArray) -> FloatArray:
    """Return the EER of every row: FRR - FAR rises from -1 to 1, and the closest point is next to its zero."""
    found = np.full(len(frr), np.nan)
    for row, (misses, alarms) in enumerate(zip(frr, far, strict=True)):
        if np.isnan(misses[-1]) or np.isnan(alarms[-1]):
            continue
        gap = misses - alarms
        crossing = int(np.searchsorted(gap, 0.0))
        closest = min((max(crossing - 1, 0), crossing), key=lambda point: abs(gap[point]))
        found[row] = (misses[closest] + alarms[closest]) / 2
    return found
