"""Whether two sets of clips are distributed alike, by the energy distance of their vectors, people resampled.

    E(X, Y) = 2 E|x - y| - E|x - x'| - E|y - y'|

is 0 where both come from one distribution and above 0 elsewhere; pairs of a clip with itself are left out, so that the
estimate is 0 on average in the first case, whatever the number of clips. Clips of one person are alike, so even two
halves of one set lie apart when they hold different people. What is large is therefore said by the known set itself:
its people are dealt into two parts, over and over, and the energy distance between one part and new clips, of as many
people as the other part has, is compared with that between the parts.

Source: Székely and Rizzo, "Energy statistics: a class of statistics based on distances", 2013.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from src.metrics.bootstrap import INTERVAL_SEED
from src.metrics.checks import FloatArray

N_DEALS = 200
LEAST_PEOPLE = 4
"""People of the known set below which its halves say nothing."""


@dataclass(frozen=True)
class Gap:
    """How far new clips lie from known ones."""

    value: float
    """Mean energy distance from halves of the known clips."""
    usual: float
    """What 95 % of the distances between two parts of the known clips stay below."""
    p: float
    """Share of the deals in which two parts of the known clips lie at least as far apart."""


def energy_gap(known: np.ndarray, people: np.ndarray, new: np.ndarray, new_people: np.ndarray) -> Gap | None:
    """Compare new clips with known ones.

    Parameters
    ----------
    known, new : np.ndarray, shapes (n, d) and (m, d)
        Vectors of about unit variance; distances are divided by the root of d.
    people, new_people : np.ndarray, shapes (n,) and (m,)

    Returns
    -------
    Gap or None
        None where the known clips are of fewer than four people.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> people = np.arange(60) // 2
    >>> near, far = rng.standard_normal((60, 3)), rng.standard_normal((60, 3)) + 1
    >>> gap = energy_gap(rng.standard_normal((60, 3)), people, far, people)
    >>> gap.value > gap.usual, gap.p < 0.05
    (True, True)
    >>> energy_gap(rng.standard_normal((60, 3)), people, near, people).p > 0.05
    True
    """
    names, strangers = np.unique(people), np.unique(new_people)
    if len(names) < LEAST_PEOPLE:
        return None
    both = np.concatenate([known, new])
    distances = cdist(both, both) / np.sqrt(both.shape[1])
    n_first = len(names) // 2
    n_second = min(len(names) - n_first, len(strangers))
    rng = np.random.default_rng(INTERVAL_SEED)
    drawn = []
    for _ in range(N_DEALS):
        dealt = rng.permutation(names)
        first = np.flatnonzero(np.isin(people, dealt[:n_first]))
        second = np.flatnonzero(np.isin(people, dealt[n_first : n_first + n_second]))
        third = len(known) + np.flatnonzero(np.isin(new_people, rng.permutation(strangers)[:n_second]))
        drawn.append([_energy(distances, first, second), _energy(distances, first, third)])
    between, away = np.array(drawn).T
    value = float(away.mean())
    p = (1 + int((between >= value).sum())) / (N_DEALS + 1)
    return Gap(value, float(np.quantile(between, 0.95)), p)


def _energy(distances: FloatArray, first: np.ndarray, second: np.ndarray) -> float:
    across = distances[np.ix_(first, second)].mean()
    return float(2 * across - _within(distances, first) - _within(distances, second))


def _within(distances: FloatArray, chosen: np.ndarray) -> float:
    """Return the mean distance of two different clips; 0 of a single one."""
    n = len(chosen)
    return float(distances[np.ix_(chosen, chosen)].sum() / (n * (n - 1))) if n > 1 else 0.0
