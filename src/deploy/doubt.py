"""What a run does not know: how far a clip lies from its training data, how usual its score is, and when to decide.

    doubt = read_doubt(trained, root)
    judged = judge.judge(clips)
    doubt.far(doubt.vectors_of(clips, judged.vectors))  # percentiles among the validation clips
    doubt.decide(judged.scores, reject=0.05)  # "bona fide", "spoof" or "uncertain"

Distance and score doubt different things. A clip far from anything in training may have a confident score, which then
means little; a clip near the training data may lie between the classes. The promise of `decide` holds for clips like
those of validation (`metrics/conformal.py`), which the distance can deny and never prove.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from src.deploy.distances import Distances, read_distances
from src.experiments.evaluation.rejection import rejection_of, validation_scores
from src.experiments.training.trained import Trained
from src.metrics.conformal import DEFAULT_ERROR, Rejection, p_values

FAR = 95.0
"""The percentile from which on a clip is told as far; of clips like validation 5 % are."""


@dataclass(frozen=True)
class Doubt:
    """What a run does not know of clips."""

    trained: Trained
    distances: Distances | None
    """None where the training data are not there any more."""
    note: str = ""
    """Why there are no distances."""

    def far(self, vectors: np.ndarray) -> np.ndarray:
        """Return the percentile of the clips' distance from the training data, shape (n,); NaN where it is unknown.

        Parameters
        ----------
        vectors : np.ndarray, shape (n, d) or (n, layers, d)
            As `vectors_of` returns them.
        """
        return np.full(len(vectors), np.nan) if self.distances is None else self.distances.far(vectors)

    def vectors_of(self, clips: Sequence[np.ndarray | Path], seen: np.ndarray | None) -> np.ndarray:
        """Return what distances are measured by, shape (n, ...): `seen` by a classifier, or statistics of the sound.

        Parameters
        ----------
        clips : sequence of np.ndarray or Path
            Waveforms at 16 kHz, or recordings; of a run with vectors they are not looked at.
        seen : np.ndarray or None
            `Judged.vectors` of these clips.
        """
        return np.zeros((len(clips), 0)) if self.distances is None else self.distances.vectors_of(clips, seen)

    def p_values(self, scores: np.ndarray) -> np.ndarray:
        """Return the conformal p-values of scores (n,), shape (n, 2): as a spoof, as bona fide.

        NaN where the run kept no scores of its validation.
        """
        try:
            return p_values(*self._validation, scores)
        except ValueError:
            return np.full((len(scores), 2), np.nan)

    def rejection(self, reject: float = DEFAULT_ERROR) -> Rejection:
        """Return threshold and margin of the decisions that promise an error rate; its `note` says where none can."""
        return rejection_of(self.trained, reject)

    def decide(self, scores: np.ndarray, reject: float = DEFAULT_ERROR) -> np.ndarray:
        """Return "bona fide", "spoof" or "uncertain" for scores (n,): of the decisions at most `reject` are wrong."""
        return self.rejection(reject).decide(scores)

    @cached_property
    def _validation(self) -> tuple[np.ndarray, np.ndarray]:
        return validation_scores(self.trained)


def read_doubt(trained: Trained, root: Path) -> Doubt:
    """Read what a run does not know; distances are computed and kept when they are first asked for.

    Parameters
    ----------
    trained : Trained
    root : Path
        Holds `embeddings/`.

    Notes
    -----
    Where the training data are gone there are no distances, and `note` says why; decisions need the run's folder alone.
    """
    try:
        return Doubt(trained, read_distances(trained, root))
    except (OSError, ValueError) as error:
        return Doubt(trained, None, f"How far clips lie from the training data is not known: {error}")
