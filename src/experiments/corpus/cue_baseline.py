"""The cue baseline: what a detector achieves that knows the cheap cues of a clip, or one of them, and nothing else.

A logistic regression on the cues of `src/audio/cues.py`, trained on the clips that a run was trained on and tested on
those that the run is tested on. What a run achieves beyond it, it has not learnt from level, silence or file format. A
corpus by itself is judged in five parts: the clips of each part's people are scored by a regression on the others.

Numbers are standardised by the training clips. The file format stands as the share of bona fide clips among the
training clips of that format, drawn towards a half by one clip of either class, so that a format never heard says
nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from src.audio.cues import CATEGORY, CUES
from src.metrics.eer import eer_of
from src.metrics.verdict import parts_by_system
from src.models.logistic_regression import LogisticRegression, LogisticRegressionConfig
from src.utils.clip_table import clip_columns
from src.utils.embeddings import EmbeddingTable
from src.utils.people import person_of

CONFIG = LogisticRegressionConfig(C=1.0)
N_PARTS, SEED = 5, 0


@dataclass(frozen=True)
class CueBaseline:
    """A logistic regression on cues, fitted."""

    model: LogisticRegression
    formats: Mapping[str, float]
    """File format -> share of bona fide clips in training."""
    cues: tuple[str, ...]
    """Those that it knows."""

    @classmethod
    def fit(cls, clips: pd.DataFrame, cues: Sequence[str] = CUES) -> Self:
        """Fit it to some cues of clips of both classes: rows of a files table with their cues."""
        columns = clip_columns(clips)
        by_format = pd.Series(columns["labels"]).groupby(clips[CATEGORY].to_numpy()).agg(["sum", "count"])
        formats = {str(name): (row["sum"] + 1) / (row["count"] + 2) for name, row in by_format.iterrows()}
        table = EmbeddingTable(vectors=_vectors(clips, formats, cues), **columns)
        model = LogisticRegression(CONFIG, seed=SEED)
        model.fit(table, table)
        return cls(model, formats, tuple(cues))

    def scores(self, clips: pd.DataFrame) -> np.ndarray:
        """Return the log-odds of bona fide of clips with their cues, shape (n,)."""
        return self.model.scores(_vectors(clips, self.formats, self.cues))


def scores_across_people(clips: pd.DataFrame) -> np.ndarray | None:
    """Score each clip by a baseline fitted to the clips of other people.

    Parameters
    ----------
    clips : pd.DataFrame
        Rows of a files table with their cues.

    Returns
    -------
    np.ndarray, shape (n,), or None
        None where there are too few people to learn both classes from.
    """
    people = person_of(clips).to_numpy(str)
    names = np.random.default_rng(SEED).permutation(np.unique(people))
    part = pd.Series(np.arange(len(names)) % N_PARTS, index=names)[people].to_numpy()
    scores = np.full(len(clips), np.nan)
    for number in np.unique(part):
        others = clips[part != number]
        if others["label"].nunique() < 2:
            return None
        scores[part == number] = CueBaseline.fit(others).scores(clips[part == number])
    return scores


def rates_by_system(clips: pd.DataFrame, scores: np.ndarray) -> dict[str, float]:
    """Return the EER of scores (n,) of all spoofs, by "", and of each system's against all bona fide clips."""
    columns = clip_columns(clips)
    labels = columns["labels"]
    parts = {"": np.full(len(labels), True), **parts_by_system(labels, columns["systems"])}
    return {name: eer_of(labels[wanted], scores[wanted]) for name, wanted in parts.items()}


def _vectors(clips: pd.DataFrame, formats: Mapping[str, float], cues: Sequence[str]) -> np.ndarray:
    """Return cues as numbers, shape (n, cues)."""
    shares = [formats.get(name, 0.5) for name in clips[CATEGORY]]
    return np.column_stack([shares if cue == CATEGORY else clips[cue].to_numpy(float) for cue in cues])
