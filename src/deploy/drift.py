"""How far a whole corpus lies from the training corpus of a run.

Two questions are asked of its clips, neither of which needs a label.

- How many lie beyond the 95th percentile of the validation clips' distances from the training data (`distances.py`)?
  Of clips like validation 5 % do. The share has an interval over people; it is given for each class and each system as
  well, where the tables name them.
- Are they distributed as the validation clips of their class are (`metrics/two_samples.py`)? A corpus of one microphone
  may lie well within the training data and yet not spread over them as validation does. Here the classes are compared
  one by one, for another share of spoofs is no drift of speech. Of more than 1,000 clips of a class a random choice
  stands for all.

Embeddings that are missing are computed as Benchmark does, and kept. For detectors and fusions the sound is compared,
of 4,000 clips drawn at random where there are more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src.deploy.distances import (
    MOST_RECORDINGS,
    MOST_VALIDATION,
    Distances,
    random_choice,
    read_distances,
    with_vectors,
)
from src.deploy.doubt import FAR
from src.experiments.corpus.splits import ALL, read_split
from src.experiments.evaluation.scoring import extract_missing
from src.experiments.inputs.contract import TRAIN
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.inputs.waveforms import Waveforms
from src.experiments.training.trained import Trained
from src.metrics.bootstrap import Trials
from src.metrics.error_rates import shares_with_intervals
from src.metrics.two_samples import Gap, energy_gap
from src.metrics.verdict import Metric
from src.utils.clip_table import ClipTable

EXPECTED = 1 - FAR / 100
LEVEL = 0.05
"""Of the comparison of distributions."""
MOSTLY = 0.5
CLASSES = {"bona fide": 1, "spoof": 0}


@dataclass(frozen=True)
class Part:
    """All clips of a corpus, or those of a class or a system."""

    name: str
    n_clips: int
    n_people: int
    beyond: Metric
    """Share of the clips beyond the 95th percentile of validation, with its interval over people."""
    gap: Gap | None = None
    """From the validation clips of the class; None for other parts, and where there are too few to tell."""


@dataclass(frozen=True)
class Drift:
    """How far a corpus lies from the training corpus of a run."""

    parts: tuple[Part, ...]
    """All clips first, then each class, then each system."""

    @property
    def verdict(self) -> str:
        """Return what it means, in words."""
        beyond = self.parts[0].beyond
        least = beyond["value"] if beyond["low"] is None else beyond["low"]
        unlike = [part.name for part in self.parts if part.gap and part.gap.p <= LEVEL]
        share = f"{beyond['value']:.1%} of its clips lie beyond the 95th percentile of validation, {EXPECTED:.0%} would"
        if least > MOSTLY:
            return f"Unlike the training data: {share} be usual. Scores say little there; train on such clips as well."
        if least > EXPECTED:
            return (
                f"Drifted: {share} be usual. Threshold and promises of validation do not hold there; judge the run by "
                "fab Benchmark."
            )
        if unlike:
            return (
                f"Within reach of the training data, but distributed otherwise than validation ({', '.join(unlike)}): "
                "threshold and promises may not hold there; judge the run by fab Benchmark."
            )
        return "Nothing tells it from the validation clips. That is no proof that the run does as well there."


def measure_drift(trained: Trained, dataset: Path, *, root: Path) -> Drift:
    """Measure how far a corpus lies from the training corpus of a run.

    Parameters
    ----------
    trained : Trained
    dataset : Path
        With tables; splits are not needed.
    root : Path
        Holds `embeddings/`.

    Raises
    ------
    FileNotFoundError, ValueError
        When the corpus has no tables, or the training data of the run are not there any more.
    """
    read_split(dataset, ALL)  # refuses what is not there before any work
    distances = read_distances(trained, root)
    table, vectors = _read(trained, dataset, root)
    scaled = distances.scaled(vectors)
    far = distances.far(vectors) >= FAR
    return Drift(tuple(_parts(distances, table, scaled, far)))


def _read(trained: Trained, dataset: Path, root: Path) -> tuple[ClipTable, np.ndarray]:
    """Return the clips of a corpus and their vectors (n, d)."""
    eaten = trained.recipe.input
    if not isinstance(eaten, Embeddings):
        recordings = Waveforms().open(dataset, root)
        recordings.check(ALL)
        return with_vectors(random_choice(recordings.read(ALL), MOST_RECORDINGS))
    extract_missing(trained, eaten, dataset, ALL, root)
    opened = trained.open(dataset, root)
    opened.check(ALL)
    what = f"The embeddings that {trained.folder} was trained on and those of {dataset}"
    eaten.require_like(trained.origin(TRAIN), opened.origin(ALL), what)
    return with_vectors(opened.read(ALL))


def _parts(distances: Distances, table: ClipTable, scaled: np.ndarray, far: np.ndarray) -> Iterator[Part]:
    yield _part("all", table, np.full(len(table), True), far)
    for name, label in CLASSES.items():
        wanted = table.labels == label
        if wanted.any():
            chosen = np.flatnonzero(wanted)
            if len(chosen) > MOST_VALIDATION:
                chosen = np.random.default_rng(0).choice(chosen, MOST_VALIDATION, replace=False)
            known = distances.labels == label
            of_known = distances.validation[known], distances.people[known]
            yield _part(name, table, wanted, far, energy_gap(*of_known, scaled[chosen], table.speakers[chosen]))
    for system in np.unique(table.systems[table.systems != ""]):
        yield _part(str(system), table, table.systems == system, far)


def _part(name: str, table: ClipTable, wanted: np.ndarray, far: np.ndarray, gap: Gap | None = None) -> Part:
    trials = Trials(table.labels[wanted], table.speakers[wanted])
    beyond = shares_with_intervals(trials, {"beyond": (np.full(wanted.sum(), True), far[wanted])})["beyond"]
    return Part(name, int(wanted.sum()), trials.n_people, beyond, gap)
