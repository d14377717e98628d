"""What a test says of a detector: every metric with its interval, for all trials and for parts of them.

A metric is `{"value": v, "low": l, "high": h}`; the bounds are None where a value has none (counts, thresholds) or
where the data are too few (a single person). Every part of the trials is resampled separately.
"""

import math
from collections.abc import Mapping
from typing import TypedDict

import numpy as np

from src.metrics.bootstrap import INTERVAL_SEED, N_RESAMPLINGS, Interval, Trials, interval
from src.metrics.eer import eer_of
from src.metrics.report import evaluate
from src.metrics.resampled import resample_eer, resample_metrics
from src.metrics.table import shown_in


class Metric(TypedDict):
    """A value and its bounds, as results are stored."""

    value: float
    low: float | None
    high: float | None


DURATION_EDGES = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Lower edges of the bands, in seconds; the last band is open."""


def evaluate_with_intervals(
    trials: Trials,
    scores: np.ndarray,
    threshold: float,
    *,
    seed: int = INTERVAL_SEED,
    n_resamplings: int = N_RESAMPLINGS,
) -> dict[str, Metric]:
    """Compute every metric of `report.evaluate`, with 95 % intervals over people (and spoof systems).

    Parameters
    ----------
    trials : Trials
    scores : np.ndarray, shape (n,)
        Log-likelihood ratios, higher = more bona fide.
    threshold : float
        Decide bona fide where score >= threshold; comes from validation data.
    seed : int
        Of the resampling, not that of a run.

    Examples
    --------
    >>> trials = Trials(np.array([1, 0, 1, 0]), np.array(["ann", "ann", "bob", "bob"]))
    >>> evaluate_with_intervals(trials, np.array([2.0, -1.0, 0.5, 1.0]), 0.0)["eer"]
    {'value': 0.5, 'low': 0.0, 'high': 1.0}
    """
    report = evaluate(trials.labels, scores, threshold)
    drawn = resample_metrics(scores, trials.draw(seed, n_resamplings), threshold)
    n_people = trials.n_people
    bounds = {name: interval(values, n_people) for name, values in drawn.items()}
    return {name: as_metric(value, bounds.get(name)) for name, value in report.items()}


def eer_with_interval(trials: Trials, scores: np.ndarray) -> Metric:
    """Return the EER of scores (n,) alone, with its 95 % interval; the trials are of both classes.

    >>> trials = Trials(np.array([1, 0, 1, 0]), np.array(["ann", "ann", "bob", "bob"]))
    >>> eer_with_interval(trials, np.array([2.0, -1.0, 0.5, 1.0]))
    {'value': 0.5, 'low': 0.0, 'high': 1.0}
    """
    bounds = interval(resample_eer(scores, trials.draw()), trials.n_people)
    return as_metric(eer_of(trials.labels, scores), bounds)


def as_metric(value: float, bounds: Interval | None = None) -> Metric:
    """Return a metric in the form that is stored.

    >>> as_metric(0.1, Interval(0.05, 0.2))
    {'value': 0.1, 'low': 0.05, 'high': 0.2}
    """
    if bounds is None or math.isnan(bounds.low):
        return {"value": value, "low": None, "high": None}
    return {"value": value, "low": bounds.low, "high": bounds.high}


def break_down(
    trials: Trials,
    scores: np.ndarray,
    threshold: float,
    parts: Mapping[str, np.ndarray],
    *,
    seed: int = INTERVAL_SEED,
) -> dict[str, dict[str, Metric]]:
    """Compute the metrics of parts of the trials: those that `table.METRICS` shows in breakdowns.

    Parameters
    ----------
    trials, scores, threshold, seed
        As in `evaluate_with_intervals`.
    parts : mapping of str to np.ndarray, shape (n,)
        Name -> which trials belong to it; empty ones are left out. A part of one class has counts and accuracy only.
    """
    found = {}
    for name, wanted in parts.items():
        part, part_scores = trials.only(wanted), scores[wanted]
        n_bonafide, n_spoof = int((part.labels == 1).sum()), int((part.labels == 0).sum())
        if n_bonafide and n_spoof:
            metrics = evaluate_with_intervals(part, part_scores, threshold, seed=seed)
            found[name] = {row.key: metrics[row.key] for row in shown_in("breakdowns") if row.key in metrics}
        elif n_bonafide or n_spoof:
            correct = ((part_scores >= threshold) == (part.labels == 1)).mean()
            counts = {"accuracy": float(correct), "n_bonafide": n_bonafide, "n_spoof": n_spoof}
            found[name] = {metric: as_metric(value) for metric, value in counts.items()}
    return found


def parts_by_value(values: np.ndarray) -> dict[str, np.ndarray]:
    """Return one part for each distinct value (n,), sorted; "unknown" where it is empty.

    >>> {name: part.tolist() for name, part in parts_by_value(np.array(["F", "M", "F"])).items()}
    {'F': [True, False, True], 'M': [False, True, False]}
    """
    return {str(value) or "unknown": values == value for value in np.unique(values)}


def parts_by_system(labels: np.ndarray, systems: np.ndarray) -> dict[str, np.ndarray]:
    """Return one part for each system: its spoofs and all bona fide trials; empty where no system is known.

    >>> parts = parts_by_system(np.array([1, 0, 0]), np.array(["", "xtts", "world"]))
    >>> {name: part.tolist() for name, part in parts.items()}
    {'world': [True, False, True], 'xtts': [True, True, False]}
    """
    spoof = labels == 0
    if not (systems[spoof] != "").any():
        return {}
    return {str(system) or "unknown": spoof & (systems == system) | ~spoof for system in np.unique(systems[spoof])}


def parts_by_word(labels: np.ndarray, words: np.ndarray) -> dict[str, np.ndarray]:
    """Return one part for each word (n,): its clips, and all trials of the other class; "" is no word.

    >>> parts = parts_by_word(np.array([1, 1, 0]), np.array(["yes", "no", ""]))
    >>> {name: part.tolist() for name, part in parts.items()}
    {'no': [False, True, True], 'yes': [True, False, True]}
    """
    found = {}
    for word in np.unique(words[words != ""]):
        said = words == word
        found[str(word)] = said | ~np.isin(labels, labels[said])
    return found


def parts_by_duration(durations: np.ndarray) -> dict[str, np.ndarray]:
    """Return one part for each band of durations (n,) in s that holds a trial; NaN belongs to none.

    >>> list(parts_by_duration(np.array([0.5, 3.0, 20.0])))
    ['0-1 s', '2-4 s', '16 s and more']
    """
    found = {}
    for low, high in zip(DURATION_EDGES, [*DURATION_EDGES[1:], math.inf], strict=True):
        inside = (durations >= low) & (durations < high)
        if inside.any():
            found[f"{low:g} s and more" if math.isinf(high) else f"{low:g}-{high:g} s"] = inside
    return found
