"""Error rates of decisions at a given threshold, also where there are trials of one class alone.

False acceptance is the share of spoofs that are called bona fide, false rejection the share of bona fide trials that
are called spoofs. A corpus of spoofs alone has no EER, but its rate of right decisions at a threshold from elsewhere
(1 - false acceptance) can be told; of a corpus of bona fide speech alone, 1 - false rejection.
"""

from collections.abc import Mapping

import numpy as np

from src.metrics.bootstrap import INTERVAL_SEED, Trials, interval
from src.metrics.verdict import Metric, as_metric

FALSE_ACCEPTANCE, FALSE_REJECTION, RIGHT = "false_acceptance", "false_rejection", "right"


def error_rates(
    trials: Trials, scores: np.ndarray, threshold: float, *, seed: int = INTERVAL_SEED
) -> dict[str, Metric]:
    """Return the rates of wrong and right decisions, with 95 % intervals over people (and spoof systems).

    Parameters
    ----------
    trials : Trials
        Of one class or both.
    scores : np.ndarray, shape (n,)
        Higher = more bona fide.
    threshold : float
        Decide bona fide where score >= threshold.
    seed : int
        Of the resampling.

    Returns
    -------
    dict
        `false_acceptance` where there are spoofs, `false_rejection` where there are bona fide trials, and `right`, the
        share of all trials that are decided correctly.

    Examples
    --------
    >>> trials = Trials(np.array([0, 0, 0, 0]), np.array(["ann", "ann", "bob", "bob"]))
    >>> found = error_rates(trials, np.array([2.0, -1.0, -3.0, -1.0]), 0.0)
    >>> {name: rate["value"] for name, rate in found.items()}
    {'false_acceptance': 0.25, 'right': 0.75}
    """
    accepted, bonafide = scores >= threshold, trials.labels == 1
    events = {
        FALSE_ACCEPTANCE: (~bonafide, accepted),
        FALSE_REJECTION: (bonafide, ~accepted),
        RIGHT: (np.full(len(scores), True), accepted == bonafide),
    }
    return shares_with_intervals(trials, events, seed=seed)


def shares_with_intervals(
    trials: Trials, events: Mapping[str, tuple[np.ndarray, np.ndarray]], *, seed: int = INTERVAL_SEED
) -> dict[str, Metric]:
    """Return how large a share of some trials an event happens to, with 95 % intervals over people (and spoof systems).

    Parameters
    ----------
    trials : Trials
    events : mapping
        Name -> among which trials, and to which of them it happens: two masks of shape (n,). Those among no trial are
        left out.
    seed : int
        Of the resampling.

    Examples
    --------
    >>> trials = Trials(np.array([0, 0]), np.array(["ann", "bob"]))
    >>> shares_with_intervals(trials, {"heard": (np.array([True, True]), np.array([True, False]))})
    {'heard': {'value': 0.5, 'low': 0.0, 'high': 1.0}}
    """
    there = {name: (among, event) for name, (among, event) in events.items() if among.any()}
    among = np.column_stack([members for members, _ in there.values()]).astype(np.float64)
    events_of = np.column_stack([members & event for members, event in there.values()]).astype(np.float64)
    with np.errstate(invalid="ignore"):  # where no such trial was drawn: NaN
        blocks = [
            weights @ events_of / (weights @ among)
            for weights in trials.draw(seed).blocks(np.arange(len(trials.labels)))
        ]
    drawn = np.concatenate(blocks)
    values = events_of.sum(axis=0) / among.sum(axis=0)
    return {
        name: as_metric(float(value), interval(drawn[:, column], trials.n_people))
        for column, (name, value) in enumerate(zip(there, values, strict=True))
    }
