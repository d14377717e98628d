"""How much a detector loses when a part of what it hears is taken away: rises of EER and Cllr, with intervals.

The scores before and after are of the same clips, so both metrics are computed on the same draws of people, and the
rise of each draw is taken before the interval: it is narrower than the two separate intervals suggest. What was taken
away by chance (a permutation) is taken away several times, and the rise is the mean over these.

EER moves in steps of one clip and not at all while the order of the scores is kept; Cllr, in bits, moves with every
score, and tells of parts on which a detector leans though it would decide right without them.
"""

from collections.abc import Sequence

import numpy as np

from src.metrics.bootstrap import INTERVAL_SEED, N_RESAMPLINGS, Trials, interval
from src.metrics.report import evaluate
from src.metrics.resampled import resample_metrics
from src.metrics.verdict import Metric, as_metric

WATCHED = ("eer", "cllr")


class Rises:
    """The rises of metrics over those of the same trials with nothing taken away.

    Parameters
    ----------
    trials : Trials
    scores : np.ndarray, shape (n,)
        Log-likelihood ratios, with nothing taken away.
    n_resamplings : int
    """

    def __init__(self, trials: Trials, scores: np.ndarray, n_resamplings: int = N_RESAMPLINGS) -> None:
        self._trials = trials
        self._draws = trials.draw(INTERVAL_SEED, n_resamplings)
        self._value, self._drawn = self._measure(scores)

    def before(self) -> dict[str, Metric]:
        """Return the metrics with nothing taken away."""
        return {name: self._as_metric(self._value[name], self._drawn[name]) for name in WATCHED}

    def of(self, scores: Sequence[np.ndarray]) -> dict[str, Metric]:
        """Return by how much each metric rises.

        Parameters
        ----------
        scores : sequence of np.ndarray, shape (n,)
            Of the same trials with something taken away, once or several times.

        Examples
        --------
        >>> trials = Trials(np.array([1, 0, 1, 0]), np.array(["ann", "ann", "bob", "bob"]))
        >>> rises = Rises(trials, np.array([2.0, -1.0, 0.5, -2.0]))
        >>> rises.of([np.array([-1.0, 2.0, 0.5, -2.0])])["eer"]["value"]
        0.5
        """
        after = [self._measure(each) for each in scores]
        return {
            name: self._as_metric(
                float(np.mean([value[name] for value, _ in after])) - self._value[name],
                np.mean([drawn[name] for _, drawn in after], axis=0) - self._drawn[name],
            )
            for name in WATCHED
        }

    def _measure(self, scores: np.ndarray) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        return evaluate(self._trials.labels, scores), resample_metrics(scores, self._draws)

    def _as_metric(self, value: float, drawn: np.ndarray) -> Metric:
        return as_metric(value, interval(drawn, self._trials.n_people))
