"""Which known systems a spoof resembles: the systems of its nearest training spoofs.

Only what the run calls a spoof is traced. The shares are those of the 10 nearest references of spoofs, each of which
stands for about as many training spoofs (`neighbours.py`), so a system that training holds more of is found more often.
Somebody is always nearest: where the clip lies farther from all of them than 95 % of the validation's spoofs do, none
is near, and the shares say nothing. A system that nobody heard in training can only be told so, never be named.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from src.audio.io import UnusableAudio
from src.deploy.distances import OF_BONAFIDE, UNKNOWN, Distances
from src.deploy.doubt import FAR
from src.deploy.judge import Judge
from src.deploy.neighbours import percentiles
from src.metrics.conformal import BONAFIDE, SPOOF


@dataclass(frozen=True)
class Traced:
    """What is found of one recording."""

    file: str
    score: float | None = None
    decision: str = ""
    """bona fide or spoof, at the threshold of the run; empty where there is an error."""
    far: float | None = None
    """Percentile of the distance from known spoofs, among those of validation; of spoofs only."""
    shares: dict[str, float] = field(default_factory=dict)
    """System -> its share of the nearest training spoofs, the largest first; of spoofs only."""
    error: str = ""

    @property
    def is_near(self) -> bool:
        """Whether a known system is near."""
        return self.far is not None and self.far < FAR

    @property
    def answer(self) -> str:
        """Return what is found, in words."""
        if self.error or self.far is None:
            return self.error or "bona fide: not traced"
        nearest = ", ".join(f"{name} {share:.0%}" for name, share in self.shares.items())
        return nearest if self.is_near else f"none is near (percentile {self.far:.0f}; nearest of all: {nearest})"


def check_traceable(distances: Distances, name: str) -> None:
    """Raise ValueError when the training of a run names no spoof system."""
    if not set(distances.names) - {OF_BONAFIDE, UNKNOWN}:
        raise ValueError(
            f"{name} was trained on spoofs whose systems nobody named (column `system` of the tables): there is none "
            "to be found."
        )


def trace_files(judge: Judge, distances: Distances, paths: Iterable[Path]) -> Iterator[Traced]:
    """Trace recordings one after another; one that cannot be used has an error, and the others go on.

    Parameters
    ----------
    judge : Judge
    distances : Distances
        Of the same run.
    paths : iterable of Path
    """
    for path in paths:
        try:
            yield _trace(judge, distances, path)
        except FileNotFoundError:
            yield Traced(str(path), error="there is no such file")
        except (UnusableAudio, OSError) as error:
            yield Traced(str(path), error=" ".join(str(error).split()))


def _trace(judge: Judge, distances: Distances, path: Path) -> Traced:
    scores, seen = judge.judge([path])
    score = float(scores[0])
    if score >= judge.threshold:
        return Traced(str(path), score, BONAFIDE)
    far, shares = nearest_systems(distances, distances.vectors_of([path], seen))
    return Traced(str(path), score, SPOOF, float(far[0]), shares[0])


def nearest_systems(distances: Distances, vectors: np.ndarray) -> tuple[np.ndarray, list[dict[str, float]]]:
    """Return how far clips lie from known spoofs, and whose are the nearest.

    Parameters
    ----------
    distances : Distances
    vectors : np.ndarray, shape (n, d)

    Returns
    -------
    np.ndarray, shape (n,)
        Percentiles among the validation's spoofs.
    list of n dict
        System -> share of the nearest references, the largest first.
    """
    found, groups = distances.spoofs.nearest(distances.scaled(vectors))
    shares = []
    for row in groups:
        numbers, counts = np.unique(row, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        shares.append({distances.names[numbers[place]]: float(counts[place] / len(row)) for place in order})
    return percentiles(distances.of_validation_spoofs, found), shares
