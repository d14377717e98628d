"""A run's answer for recordings from anywhere, one after another: a score, what it means, and why it may be wrong.

    score          natural log-likelihood ratio, higher = more bona fide, as TestModel gives it
    probability    that the recording is bona fide, where it was so with the prior P before anybody listened:
                   sigmoid(score + log(P / (1 - P))); None for runs of the first versions, which are not calibrated
    decision       bona fide where score >= the run's threshold (of its validation EER), else spoof; with rejection also
                   uncertain. It does not follow the prior: that is for whoever weighs what an error costs
    far            how far the recording lies from the training data, as a percentile of the validation clips' distances
    reasons        to doubt the score (`reasons.py`)

A recording that cannot be used has an error in place of these, and the others go on. Memory does not grow with the
length of a recording: embeddings are pooled over its windows, which are read a few at a time, and a detector's scores
are averaged over them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from scipy.special import expit, logit

from src.audio.io import UnusableAudio
from src.deploy.judge import Judge
from src.deploy.reasons import measure, reasons_of, training_ranges
from src.utils.labels import BONAFIDE, SPOOF

WORDS = {BONAFIDE: "bona fide", SPOOF: "spoof"}


class FarFrom(Protocol):
    """What knows how far vectors lie from those of a training."""

    def far(self, vectors: np.ndarray) -> np.ndarray:
        """Return a percentile for each vector, shape (n,)."""


class Decider(Protocol):
    """What decides, or leaves undecided."""

    def decide(self, scores: np.ndarray) -> np.ndarray:
        """Return "bona fide", "spoof" or "uncertain" for each score, shape (n,)."""


@dataclass(frozen=True)
class Asked:
    """What an answer needs beside the judge."""

    prior: float = 0.5
    """Probability that a recording is bona fide before anybody listened."""
    doubt: FarFrom | None = None
    """Tells how far recordings lie from the training data; None where nothing does."""
    decider: Decider | None = None
    """Decides with rejection; None = by the threshold alone."""

    def __post_init__(self) -> None:
        if not 0 < self.prior < 1:
            raise ValueError(f"`prior` must lie between 0 and 1, both excluded, not {self.prior:g}.")


@dataclass(frozen=True)
class Prediction:
    """What a run says of one recording."""

    file: str
    score: float | None = None
    probability: float | None = None
    decision: str = ""
    """bona fide, spoof or uncertain; empty where there is an error."""
    far: float | None = None
    """Percentile; None where nothing is known."""
    reasons: tuple[str, ...] = ()
    error: str = ""
    """Why it cannot be used; empty where it can."""

    def as_json(self) -> dict[str, Any]:
        """Return its fields."""
        return {**asdict(self), "reasons": list(self.reasons)}


def predict_files(judge: Judge, paths: Iterable[Path], asked: Asked | None = None) -> Iterator[Prediction]:
    """Judge recordings one after another.

    Parameters
    ----------
    judge : Judge
    paths : iterable of Path
    asked : Asked, optional
        By default a prior of 0.5, and decisions by the threshold alone.

    Yields
    ------
    Prediction
        One for each path, in their order.
    """
    asked = asked or Asked()
    ranges = training_ranges(judge.trained)
    for path in paths:
        try:
            sound = measure(path)
            scores, vectors = judge.judge([path])
        except (UnusableAudio, OSError) as error:
            yield Prediction(str(path), error=_in_words(error))
            continue
        far = asked.doubt.far(vectors) if asked.doubt and vectors is not None else [None]
        yield Prediction(
            str(path),
            float(scores[0]),
            probability_of(float(scores[0]), asked.prior) if judge.trained.is_calibrated else None,
            str(decide(judge, scores, asked)[0]),
            None if far[0] is None else float(far[0]),
            reasons_of(sound, ranges),
        )


def decide(judge: Judge, scores: np.ndarray, asked: Asked) -> np.ndarray:
    """Return "bona fide", "spoof" or "uncertain" for each score, shape (n,)."""
    if asked.decider:
        return asked.decider.decide(scores)
    return np.where(scores >= judge.threshold, WORDS[BONAFIDE], WORDS[SPOOF])


def probability_of(score: float, prior: float = 0.5) -> float:
    """Return the probability of bona fide, by Bayes' rule: the posterior log-odds are the score and the prior ones.

    >>> probability_of(0.0, 0.5), round(probability_of(2.0, 0.01), 3)
    (0.5, 0.069)
    """
    return float(expit(score + logit(prior)))


def _in_words(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read ({error.strerror})"
    return " ".join(str(error).split())
