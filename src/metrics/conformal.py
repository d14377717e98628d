"""Doubt in a score: conformal p-values, and decisions with rejection whose error rate is promised.

Both need nothing but the scores of validation clips, and hold for clips that are exchangeable with these: drawn the
same way, from the same mixture of classes, systems and people. Neither says anything of other clips; how far a clip
lies from the training data is another question (`src/deploy/doubt.py`).

**p-values** (split conformal, one for each class: "Mondrian"). Were a clip bona fide, how unusual would its score be?

    p_bona_fide(s) = (1 + #{bona fide validation scores <= s}) / (n_bona_fide + 1)
    p_spoof(s)     = (1 + #{spoof validation scores >= s})     / (n_spoof + 1)

For a clip of that class P(p <= a) <= a, whatever the distribution of the scores. The sets {classes with p > a} hold the
true class at a rate of 1 - a, but that promises little of the clips that get a single class: all errors may be there.

**Rejection.** Users ask for the error among the decisions that are made. A clip is left undecided ("uncertain") where
its score lies within a margin of the threshold. With R(m) the error rate among the clips beyond the margin m, the
margin is chosen by n validation clips so that

    P(R(margin) <= r) >= 95 %    over the draw of the validation clips.

The clips are taken in order of their distance from the threshold, the surest first. Of the k first ones w are wrong; if
R were r, w or fewer would be wrong with the probability P(Binomial(k, r) <= w), and R <= r is accepted where that is at
most 5 % (the bound of Clopper and Pearson). The walk begins with the surest quarter, goes on clip by clip and ends
where the test fails for the first time. No correction for the many tests is due: to end beyond the first margin at
which R exceeds r, the walk has to pass the test there, which happens with 5 % at most (fixed-sequence testing, as in
Learn then Test; the bound on the error rate of selected decisions is that of Geifman and El-Yaniv, whose search over
margins needs a correction by their number). The starting quarter is a rank, which the argument allows where errors do
not become rarer towards the threshold. The test is exact up to the steps of the binomial distribution, so the promise
holds in little more than 95 % of draws: on made-up scores in 95 to 98 %, more only where in most draws nothing can be
decided; with the threshold fitted to the same clips, which the argument takes as given (`benchmarks/rejection.py`).

What it costs: log(0.05) / log(1 - r) clips without an error are needed, 59 for r = 0.05. With fewer, or where even the
surest quarter has too many errors, every clip is uncertain: nothing can be promised. If all clips may be decided, the
margin is 0. Validation clips that also chose the epoch, the calibration and the threshold (of a fusion, the weights of
its runs too) flatter the run a little, and clips of one person are alike: the rates that a test of other people finds
(`coverage`, `decided_error`) are the check.

Sources: Vovk, Gammerman and Shafer, "Algorithmic learning in a random world", 2005 (p-values, Mondrian); Geifman and
El-Yaniv, "Selective classification for deep neural networks", NeurIPS 2017; Angelopoulos, Bates, Candès, Jordan and
Lei, "Learn then Test: calibrating predictive algorithms to achieve risk control", 2021.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from src.metrics.bootstrap import INTERVAL_SEED, Trials
from src.metrics.checks import FloatArray, check_scores, split_classes
from src.metrics.error_rates import shares_with_intervals
from src.metrics.verdict import Metric

BONAFIDE, SPOOF, UNCERTAIN = "bona fide", "spoof", "uncertain"
COVERAGE, DECIDED_ERROR = "coverage", "decided_error"
DEFAULT_ERROR = 0.05
PROMISE = 0.95
"""How sure the promise is."""
SUREST = 0.25
"""Share of the clips, the surest ones, with which the walk begins."""


def p_values(y_true: npt.ArrayLike, y_scores: npt.ArrayLike, scores: npt.ArrayLike) -> FloatArray:
    """Return how usual new scores would be for each class.

    Parameters
    ----------
    y_true, y_scores : array-like, shape (n,)
        Labels (1 bona fide, 0 spoof) and scores of validation; see `checks.check_scores` for its errors.
    scores : array-like, shape (m,)

    Returns
    -------
    np.ndarray, shape (m, 2)
        In (0, 1]: as a spoof (column 0), as bona fide (column 1).

    Examples
    --------
    >>> p_values([1, 1, 1, 0, 0, 0], [2.0, 3.0, 4.0, -1.0, -2.0, -3.0], [3.0, 0.0]).tolist()
    [[0.25, 0.75], [0.25, 0.25]]
    """
    bonafide, spoof = (np.sort(values) for values in split_classes(y_true, y_scores))
    new = np.asarray(scores, np.float64)
    as_spoof = (1 + len(spoof) - np.searchsorted(spoof, new, side="left")) / (len(spoof) + 1)
    as_bonafide = (1 + np.searchsorted(bonafide, new, side="right")) / (len(bonafide) + 1)
    return np.column_stack([as_spoof, as_bonafide])


@dataclass(frozen=True)
class Rejection:
    """Decisions at a threshold, but for scores within a margin of it."""

    threshold: float
    margin: float
    """0: every clip is decided; infinite: none is."""
    error: float
    """The promised error rate among the decisions."""
    n_clips: int
    """Of the validation."""

    @property
    def note(self) -> str:
        """Why nothing can be promised; empty where it can."""
        if math.isfinite(self.margin):
            return ""
        needed, rate = least_clips(self.error), f"{100 * self.error:g} %"
        if self.n_clips < needed:
            return f"No decision is sure to {rate}: that takes {needed} validation clips, and there are {self.n_clips}."
        return f"No decision is sure to {rate}: even the surest validation clips have more errors."

    def decide(self, scores: npt.ArrayLike) -> npt.NDArray[np.str_]:
        """Return "bona fide", "spoof" or "uncertain" for each score, shape (n,).

        >>> Rejection(0.0, 1.0, 0.05, 500).decide([2.0, -0.5, -1.0]).tolist()
        ['bona fide', 'uncertain', 'spoof']
        """
        values = np.asarray(scores, np.float64)
        decided = np.where(values >= self.threshold, BONAFIDE, SPOOF)
        return np.where(np.abs(values - self.threshold) >= self.margin, decided, UNCERTAIN)


def check_error(error: float) -> None:
    """Refuse an error rate that nobody can want, or that nothing can promise.

    >>> check_error(5)
    Traceback (most recent call last):
    ValueError: `reject` is the error rate among the decisions, above 0 and below 0.5, such as 0.05, not 5.
    """
    if not 0 < error < 0.5:
        raise ValueError(
            f"`reject` is the error rate among the decisions, above 0 and below 0.5, such as 0.05, not {error:g}."
        )


def least_clips(error: float) -> int:
    """Return how many validation clips without an error it takes to promise an error rate.

    >>> least_clips(0.05), least_clips(0.1)
    (59, 29)
    """
    return math.ceil(math.log(1 - PROMISE) / math.log1p(-error))


def fit_rejection(
    y_true: npt.ArrayLike, y_scores: npt.ArrayLike, threshold: float, error: float = DEFAULT_ERROR
) -> Rejection:
    """Choose the smallest margin whose decisions keep the promised error rate, see the module.

    Parameters
    ----------
    y_true, y_scores : array-like, shape (n,)
        Labels (1 bona fide, 0 spoof) and scores of validation; see `checks.check_scores` for its errors.
    threshold : float
        Decide bona fide where score >= threshold.
    error : float
        The error rate among the decisions that is promised, with a confidence of 95 %.

    Examples
    --------
    >>> labels, scores = np.tile([0, 1], 100), np.tile([-1.0, 1.0], 100)
    >>> fit_rejection(labels, scores, 0.0).margin
    0.0
    >>> fit_rejection(labels[:20], scores[:20], 0.0).note
    'No decision is sure to 5 %: that takes 59 validation clips, and there are 20.'
    """
    check_error(error)
    labels, scores = check_scores(y_true, y_scores)
    sureness = np.abs(scores - threshold)
    order = np.argsort(-sureness, kind="stable")
    n_wrong = np.cumsum(((scores >= threshold) != (labels == 1))[order])
    n_clips = np.arange(1, len(scores) + 1)
    passed = binom.cdf(n_wrong, n_clips, error) <= 1 - PROMISE
    # Clips of one sureness are decided together, so tests are made where such a group ends.
    sorted_sureness = sureness[order]
    ends = np.append(sorted_sureness[1:] < sorted_sureness[:-1], True)
    tested = np.flatnonzero(ends & (n_clips >= max(least_clips(error), math.ceil(SUREST * len(scores)))))
    n_passed = int(np.argmin(np.append(passed[tested], False)))  # up to the first that fails
    if n_passed == 0:
        margin = math.inf
    elif n_passed == len(tested):
        margin = 0.0
    else:
        margin = float(sorted_sureness[tested[n_passed - 1]])
    return Rejection(float(threshold), margin, error, len(scores))


def rejection_rates(
    trials: Trials, scores: np.ndarray, rejection: Rejection, *, seed: int = INTERVAL_SEED
) -> dict[str, Metric]:
    """Return the share of trials that are decided and the error rate among them, with 95 % intervals over people.

    Parameters
    ----------
    trials : Trials
        Of one class or both.
    scores : np.ndarray, shape (n,)
    rejection : Rejection
        Fitted on validation, never on these trials.
    seed : int
        Of the resampling.

    Returns
    -------
    dict
        `coverage`, and where a trial is decided `decided_error`.

    Examples
    --------
    >>> trials = Trials(np.array([0, 0, 1, 1]), np.array(["ann", "ann", "bob", "bob"]))
    >>> found = rejection_rates(trials, np.array([2.0, -2.0, 0.5, 3.0]), Rejection(0.0, 1.0, 0.05, 500))
    >>> {name: round(rate["value"], 3) for name, rate in found.items()}
    {'coverage': 0.75, 'decided_error': 0.333}
    """
    decisions = rejection.decide(scores)
    decided = decisions != UNCERTAIN
    wrong = decided & ((decisions == BONAFIDE) != (trials.labels == 1))
    return shares_with_intervals(
        trials, {COVERAGE: (np.full(len(scores), True), decided), DECIDED_ERROR: (decided, wrong)}, seed=seed
    )
