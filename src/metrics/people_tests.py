"""Whether two groups of clips differ in a property, by tests that resample people, not clips.

How far the groups lie apart is told by the area under the curve: the probability that a clip of the first group has a
larger value than one of the second (ties count half). 0.5 is no difference, 0 and 1 are perfect separation. Its
interval draws people with replacement (`bootstrap.py`).

The p-value comes from a permutation test whose unit is the person. Where five people or more have clips of both groups,
each of these gives the difference between the means of the two, and its sign is drawn anew; else each person gives one
mean, and the groups are dealt to the people anew. The share of draws at least as extreme as what was found, the data
themselves included, is the p-value (Phipson and Smyth 2010). With k people it cannot be smaller than about 2 / 2^k.

Several comparisons at once are told with Holm's correction (1979): a difference that passes 0.05 after it is not owed
to their number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from src.metrics.bootstrap import INTERVAL_SEED, Interval, Trials, interval
from src.metrics.checks import FloatArray
from src.metrics.resampled import resample_metrics
from src.metrics.roc import compute_auc

N_DRAWS = 2000
MIN_PAIRED = 5
"""People with clips of both groups from which on they are compared with themselves."""


@dataclass(frozen=True)
class Difference:
    """How two groups of clips differ in one property."""

    auc: float
    bounds: Interval
    p: float
    """Of the permutation over people; NaN where fewer than two people tell anything."""
    p_smallest: float
    """Below which it cannot fall with as many people; NaN where `p` is."""
    paired: bool
    """Whether people were compared with themselves."""


def difference(values: np.ndarray, is_first: np.ndarray, people: np.ndarray, *, n_resamplings: int = 500) -> Difference:
    """Compare the values of two groups of clips.

    Parameters
    ----------
    values : np.ndarray, shape (n,)
        The property, finite.
    is_first : np.ndarray, shape (n,)
        Whether a clip belongs to the first group; both groups hold clips.
    people : np.ndarray, shape (n,)
    n_resamplings : int
        Of the interval.

    Examples
    --------
    >>> people = np.repeat([f"p{number}" for number in range(8)], 2)
    >>> found = difference(np.arange(16.0), np.arange(16) % 2 == 1, people)
    >>> round(found.auc, 3), found.paired, found.p < 0.05
    (0.562, True, True)
    """
    trials = Trials(is_first.astype(int), people)
    drawn = resample_metrics(values, trials.draw(INTERVAL_SEED, n_resamplings))["auc"]
    tested = _p_value(values, is_first, people)
    return Difference(compute_auc(trials.labels, values), interval(drawn, trials.n_people), *tested)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number; those that are NaN stay so and do not count.

    >>> holm([0.01, 0.04, 0.03, float("nan")])
    [0.03, 0.06, 0.06, nan]
    """
    known = sorted((place for place, p in enumerate(p_values) if np.isfinite(p)), key=p_values.__getitem__)
    corrected = [float("nan")] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p_values[place]))
        corrected[place] = largest
    return corrected


def _p_value(values: np.ndarray, is_first: np.ndarray, people: np.ndarray) -> tuple[float, float, bool]:
    """Return the p-value, the smallest that is possible, and whether people were compared with themselves."""
    names, person = np.unique(people, return_inverse=True)
    first, second = (_means(values[group], person[group], len(names)) for group in (is_first, ~is_first))
    differences = (first - second)[np.isfinite(first - second)]
    rng = np.random.default_rng(INTERVAL_SEED)
    if len(differences) >= MIN_PAIRED:
        signs = rng.choice([-1.0, 1.0], (N_DRAWS, len(differences)))
        return _share(np.abs(signs @ differences), abs(float(differences.sum()))), 2 / 2 ** len(differences), True
    means = _means(values, person, len(names))
    in_first = _means(is_first.astype(float), person, len(names)) > 0.5
    if in_first.all() or not in_first.any() or len(names) < 3:
        return float("nan"), float("nan"), False
    n_first = int(in_first.sum())
    smallest = (1 + (2 * n_first == len(names))) / comb(len(names), n_first)  # equal groups can change places
    dealt = rng.permuted(np.tile(in_first, (N_DRAWS, 1)), axis=1)
    return _share(_gap(means, dealt), float(_gap(means, in_first[None])[0])), smallest, False


def _gap(means: FloatArray, dealt: np.ndarray) -> FloatArray:
    """Return how far the means of two groups of people lie apart, for each row of `dealt` (draws, people)."""
    n_first = dealt.sum(axis=1)
    gap: FloatArray = np.abs(dealt @ means / n_first - ~dealt @ means / (dealt.shape[1] - n_first))
    return gap


def _share(drawn: FloatArray, found: float) -> float:
    """Return the share of draws at least as extreme as what was found, which counts as one of them."""
    return float((np.sum(drawn >= found * (1 - 1e-9)) + 1) / (len(drawn) + 1))


def _means(values: np.ndarray, person: np.ndarray, n_people: int) -> FloatArray:
    """Return the mean of each person's values, shape (people,); NaN where there are none."""
    with np.errstate(invalid="ignore"):
        sums: FloatArray = np.bincount(person, values, n_people) / np.bincount(person, minlength=n_people)
    return sums
