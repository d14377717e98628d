"""How far a metric may be trusted: intervals by resampling people, not clips.

Clips of one person are not independent: 1,000 clips of 20 people hold little more information than 20 people do. An
interval that resamples clips one by one is too narrow, and finds differences between detectors that other people would
not confirm. Here whole people are drawn with replacement, and each clip counts as often as its person was drawn. Where
the systems that made the spoofs are known, they are drawn as well, independently, and a spoof counts as often as the
product of both: the interval then covers other people and other systems (the pigeonhole bootstrap).

Percentile intervals are too narrow when there are few people; they are widened by the factor by which a t interval is
wider than a normal one without the correction n / (n - 1). Two or three systems are too few to represent others: the
interval then covers other people, and these systems in other proportions.

Two detectors are compared on the same draws: the difference of their metrics, draw by draw, has an interval of its
own. It is narrower than the two separate intervals suggest, because the same people are easy or hard for both.

Sources: A. B. Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 2007; T. Hesterberg, "What teachers should
know about the bootstrap", The American Statistician 2015 (expanded percentiles).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, t

from src.metrics.checks import FloatArray

N_RESAMPLINGS = 1000
CONFIDENCE = 0.95
INTERVAL_SEED = 7
"""The seed of every interval, whatever the seed of the run is: equal scores have equal intervals."""
VALUES_AT_ONCE = 400_000
"""Weights that are held at once: 3 MB, which stay in the processor's cache, so that it takes half as long as 30 MB."""


@dataclass(frozen=True)
class Interval:
    """Lower and upper bound of a value; NaN where there is no interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Trials:
    """Labels (n,), people (n,) and, where they are known, the systems of the spoofs (n,) that scores belong to.

    A system is empty for bona fide trials, and for spoofs whose system is unknown.
    """

    labels: np.ndarray
    people: np.ndarray
    systems: np.ndarray | None = None

    @property
    def n_people(self) -> int:
        """Return how many people the trials come from."""
        return len(np.unique(self.people))

    def people_of(self, label: int) -> set[str]:
        """Return the people who have trials of a class."""
        return set(map(str, self.people[self.labels == label]))

    @property
    def known_systems(self) -> list[str]:
        """Return the systems of the spoofs; empty unless every spoof has one and there are at least two."""
        names = [] if self.systems is None else sorted(set(map(str, self.systems[self.labels == 0])))
        return names if len(names) > 1 and "" not in names else []

    def only(self, wanted: np.ndarray) -> "Trials":
        """Return the trials that a boolean mask (n,) selects."""
        systems = None if self.systems is None else self.systems[wanted]
        return Trials(self.labels[wanted], self.people[wanted], systems)

    def draw(
        self, seed: int | np.random.Generator = INTERVAL_SEED, n_resamplings: int = N_RESAMPLINGS
    ) -> "Resamplings":
        """Draw people with replacement, and systems too where all are known; `seed` may be a generator.

        >>> trials = Trials(np.array([1, 0, 1, 0]), np.array(["ann", "ann", "bob", "bob"]))
        >>> trials.draw(n_resamplings=2).weights_of_people.tolist()
        [[1, 1], [2, 0]]
        """
        rng = np.random.default_rng(seed)
        _, person = np.unique(self.people, return_inverse=True)
        of_people = _draw_counts(person.max() + 1, n_resamplings, rng)
        names = self.known_systems
        if not names or self.systems is None:
            return Resamplings(self.labels, person, of_people)
        spoof = self.labels == 0
        system = np.full(len(spoof), len(names))  # one more, for the bona fide: it always counts once
        system[spoof] = np.searchsorted(names, self.systems[spoof].astype(str))
        of_systems = _draw_counts(len(names), n_resamplings, rng)
        return Resamplings(
            self.labels, person, of_people, system, np.pad(of_systems, ((0, 0), (0, 1)), constant_values=1)
        )


@dataclass(frozen=True)
class Resamplings:
    """How often each person (and system) was drawn, from which follows how often each trial counts."""

    labels: np.ndarray
    person: np.ndarray
    """Index of each trial's person, shape (n,)."""
    weights_of_people: np.ndarray
    """Shape (resamplings, people)."""
    system: np.ndarray | None = None
    """Index of each trial's system, shape (n,); None where systems are not drawn."""
    weights_of_systems: np.ndarray | None = None
    """Shape (resamplings, systems + 1); the last column, 1 throughout, is that of the bona fide trials."""

    def blocks(self, order: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the weights of the trials in the given order, in blocks of shape (some resamplings, n), float64."""
        size = max(1, VALUES_AT_ONCE // len(order))
        for start in range(0, len(self.weights_of_people), size):
            weights = self.weights_of_people[start : start + size, self.person[order]].astype(np.float64)
            if self.system is not None and self.weights_of_systems is not None:
                weights *= self.weights_of_systems[start : start + size, self.system[order]]
            yield weights


def interval(values: npt.ArrayLike, n_people: int, confidence: float = CONFIDENCE) -> Interval:
    """Return the interval between the expanded percentiles of resampled values; those that are NaN are left out.

    There is none (NaN) for a single person, nor where every draw gives the same value: that twenty people cause no
    error does not mean that the twenty-first causes none.

    Parameters
    ----------
    values : array-like, shape (resamplings,)
    n_people : int
        How many people were drawn from.
    confidence : float
        In (0, 1).

    >>> round(interval(np.linspace(0, 1, 101), n_people=1000).low, 3)
    0.025
    >>> interval(np.zeros(101), n_people=1000)
    Interval(low=nan, high=nan)
    """
    drawn: FloatArray = np.asarray(values, dtype=np.float64)
    drawn = drawn[np.isfinite(drawn)]
    if n_people < 2 or len(drawn) == 0 or np.ptp(drawn) == 0:
        return Interval(float("nan"), float("nan"))
    outside = t.ppf((1 - confidence) / 2, n_people - 1) * np.sqrt(n_people / (n_people - 1))
    low, high = np.quantile(drawn, [norm.cdf(outside), norm.cdf(-outside)])
    return Interval(float(low), float(high))


def _draw_counts(n_groups: int, n_resamplings: int, rng: np.random.Generator) -> np.ndarray:
    """Return how often each of n groups is drawn in n draws, for every resampling: shape (resamplings, groups).

    In the smallest type of integer that holds the counts: where each of a million clips counts as a person of its own,
    a thousand resamplings take 1 GB and not 8.
    """
    at_once, shares = max(1, VALUES_AT_ONCE // n_groups), np.full(n_groups, 1 / n_groups)
    drawn = []
    for start in range(0, n_resamplings, at_once):
        counts = rng.multinomial(n_groups, shares, size=min(at_once, n_resamplings - start))
        drawn.append(counts.astype(np.min_scalar_type(counts.max())))
    return np.concatenate(drawn)
