"""A run's answer for recordings from anywhere, one after another: a score, what it means, and why it may be wrong.

    score          natural log-likelihood ratio, higher = more bona fide, as TestModel gives it
    probability    that the recording is bona fide, where it was so with the prior P before anybody listened:
                   sigmoid(score + log(P / (1 - P))); None for runs of the first versions, which are not calibrated
    decision       bona fide where score >= the run's threshold (of its validation EER), else spoof; with rejection also
                   uncertain. It does not follow the prior: that is for whoever weighs what an error costs
    far            how far the recording lies from the training data, as a percentile of the validation clips' distances
                   (`doubt.py`); of clips like these, one in twenty is at the 95th or beyond
    reasons        to doubt the score (`reasons.py`)
    p_spoof        how usual such a score is among the validation's spoofs, and among its bona fide clips: conformal
    p_bona_fide    p-values (`metrics/conformal.py`). Where both are small, it is like neither

A recording that cannot be used has an error in place of these, and the others go on. Memory does not grow with the
length of a recording: embeddings are pooled over its windows, which are read a few at a time, and a detector's scores
are averaged over them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit, logit

from src.audio.io import UnusableAudio
from src.deploy.doubt import FAR, Doubt
from src.deploy.judge import Judge
from src.deploy.reasons import Range, measure, reasons_of, training_ranges
from src.metrics.conformal import BONAFIDE, SPOOF, Rejection
from src.utils.files import finite_or_none


@dataclass(frozen=True)
class Asked:
    """What an answer needs beside the judge."""

    prior: float = 0.5
    """Probability that a recording is bona fide before anybody listened."""
    doubt: Doubt | None = None
    """Tells how far recordings lie from the training data; None = nobody asked."""
    rejection: Rejection | None = None
    """Decides with rejection, such as `doubt.rejection(0.05)`; None = by the threshold alone."""

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
    p_spoof: float | None = None
    p_bona_fide: float | None = None
    """None where nobody asked for doubt, or the run kept no scores of its validation."""
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
    ranges = training_ranges(judge.trained)
    for path in paths:
        try:
            yield _predict(judge, path, asked or Asked(), ranges)
        except (UnusableAudio, OSError) as error:
            yield Prediction(str(path), error=_in_words(error))


def _predict(judge: Judge, path: Path, asked: Asked, ranges: Mapping[str, Range]) -> Prediction:
    sound = measure(path)
    scores, seen = judge.judge([path])
    far = _percentile(asked.doubt, path, seen) if asked.doubt else None
    reasons = reasons_of(sound, ranges)
    if far is not None and far >= FAR:
        reasons = (f"far from the training data ({ordinal(int(far))} percentile)", *reasons)
    p_spoof, p_bona_fide = map(finite_or_none, asked.doubt.p_values(scores)[0]) if asked.doubt else (None, None)
    words = asked.rejection.decide(scores) if asked.rejection else decide(scores, judge.threshold)
    return Prediction(
        str(path),
        float(scores[0]),
        probability_of(float(scores[0]), asked.prior) if judge.trained.is_calibrated else None,
        str(words[0]),
        far,
        reasons,
        p_spoof,
        p_bona_fide,
    )


def _percentile(doubt: Doubt, path: Path, seen: np.ndarray | None) -> float | None:
    return finite_or_none(doubt.far(doubt.vectors_of([path], seen))[0])


def decide(scores: np.ndarray, threshold: float) -> np.ndarray:
    """Return "bona fide" or "spoof" for each score, shape (n,)."""
    return np.where(scores >= threshold, BONAFIDE, SPOOF)


def ordinal(number: int) -> str:
    """Write a number as a place in an order.

    >>> ordinal(99), ordinal(91), ordinal(12), ordinal(3)
    ('99th', '91st', '12th', '3rd')
    """
    ending = "th" if number // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


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
