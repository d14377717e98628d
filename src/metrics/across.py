"""The EER across domains: the mean over spoof systems, or corpora, each scored by a detector that never heard it.

Every domain has an EER of its own, against the bona fide trials of its detector; the mean gives each the same weight,
however many trials it has. The interval of an EER is over people. That of the mean draws people and domains, people the
same for all domains, so that it covers other people and other domains; two or three domains are too few to stand for
others.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from src.metrics.bootstrap import INTERVAL_SEED, N_RESAMPLINGS, Resamplings, Trials, interval
from src.metrics.checks import FloatArray
from src.metrics.eer import eer_of
from src.metrics.resampled import resample_eer
from src.metrics.verdict import Metric, as_metric


@dataclass(frozen=True)
class Scored:
    """Trials of one domain and the scores (n,) of a detector that never heard it; higher = more bona fide."""

    trials: Trials
    scores: np.ndarray


def eers_across(domains: Mapping[str, Scored]) -> tuple[dict[str, Metric], Metric]:
    """Return the EER of every domain, and their mean, with 95 % intervals.

    Parameters
    ----------
    domains : mapping of str to Scored
        At least one; each with trials of both classes.

    Examples
    --------
    >>> trials = Trials(np.array([1, 0, 1, 0]), np.array(["ann", "ann", "bob", "bob"]))
    >>> heard = {"xtts": np.array([2.0, -1.0, 3.0, 1.0]), "world": np.array([2.0, -1.0, 0.5, 1.0])}
    >>> each, mean = eers_across({name: Scored(trials, scores) for name, scores in heard.items()})
    >>> each["world"]["value"], mean["value"]
    (0.5, 0.25)
    """
    values = [eer_of(scored.trials.labels, scored.scores) for scored in domains.values()]
    resampled, n_people = _resampled(domains)
    each = {
        name: as_metric(value, interval(draws, scored.trials.n_people))
        for (name, scored), value, draws in zip(domains.items(), values, resampled, strict=True)
    }
    return each, as_metric(float(np.mean(values)), interval(_means(resampled), n_people))


def resampled_means(domains: Mapping[str, Scored]) -> FloatArray:
    """Return the mean EER in every draw of people and domains, shape (resamplings,).

    The draws are the same for two detectors of the same domains and people, so that their difference can be taken draw
    by draw.
    """
    return _means(_resampled(domains)[0])


def _resampled(domains: Mapping[str, Scored]) -> tuple[FloatArray, int]:
    """Return the EER of every domain in every draw of people, (domains, resamplings), and how many people there are."""
    people = np.unique(np.concatenate([scored.trials.people for scored in domains.values()]))
    drawn = Trials(np.zeros(len(people), int), people).draw().weights_of_people
    found = []
    for scored in domains.values():
        person = np.searchsorted(people, scored.trials.people)
        found.append(resample_eer(scored.scores, Resamplings(scored.trials.labels, person, drawn)))
    return np.stack(found), len(people)


def _means(resampled: FloatArray) -> FloatArray:
    """Return the mean over drawn domains of their EERs (domains, resamplings); those without an EER are left out."""
    n_domains = len(resampled)
    rng = np.random.default_rng(INTERVAL_SEED)
    weights = rng.multinomial(n_domains, np.full(n_domains, 1 / n_domains), size=N_RESAMPLINGS).T.astype(float)
    weights[np.isnan(resampled)] = 0.0
    with np.errstate(invalid="ignore"):  # where no drawn domain has an EER: NaN
        means: FloatArray = (weights * np.nan_to_num(resampled)).sum(axis=0) / weights.sum(axis=0)
    return means
