"""What the cheap cues alone achieve where a run is tested, so that it stands beside what the run achieves.

The cue baseline is fitted to the training clips of the run (those of the people whom the run noted, should the corpus
have been split anew) and scores the clips of the test; so does one on each cue by itself. Of more than 4,000 clips a
random choice stands for all: eleven numbers need no more, and a test must not wait for the decoding of a large corpus.
The cues are kept with their corpus, so that the next test waits for nothing. Where the recordings are gone there is no
baseline; the reason is noted, and the test goes on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.audio.cues import CUES
from src.experiments.corpus.cue_baseline import CueBaseline
from src.experiments.corpus.cue_table import join_cues, read_cues
from src.experiments.corpus.shortcuts import break_ties
from src.experiments.corpus.splits import read_split
from src.experiments.inputs.contract import TRAIN
from src.experiments.training.trained import Trained
from src.metrics.bootstrap import Trials
from src.metrics.eer import eer_of
from src.metrics.verdict import Metric, as_metric, eer_with_interval, parts_by_system
from src.utils.clip_table import ClipTable
from src.utils.dataset import person_of, read_rejected

KEY = "cue_baseline_eer"
EACH = "cues"
"""What results hold of each cue by itself."""
MOST_CLIPS = 4000
SEED = 0


@dataclass(frozen=True)
class CueVerdict:
    """What the cue baseline of a run achieves on the clips of a test."""

    eer: Metric | None = None
    by_system: dict[str, Metric] = field(default_factory=dict)
    """Of each system's spoofs against all bona fide clips."""
    by_cue: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Cue -> what it achieves by itself: `eer`, and `systems`, system -> its EER."""
    note: str = ""
    """Why there is none, or of how many clips it is; empty where it is of all."""


class CueJudge:
    """The cue baseline of a run, fitted once, where clips are judged for the first time."""

    def __init__(self, trained: Trained) -> None:
        self.trained = trained

    @cached_property
    def _fitted(self) -> tuple[CueBaseline, dict[str, CueBaseline]] | str:
        """The baseline on all cues, and cue -> that on this cue alone; or why there is none."""
        try:
            clips = _training_clips(self.trained)
            return CueBaseline.fit(clips), {cue: CueBaseline.fit(clips, [cue]) for cue in CUES}
        except (OSError, ValueError) as error:
            return why_none(error)

    def judge(self, dataset: Path, table: ClipTable) -> CueVerdict:
        """Return what it achieves on clips of a corpus."""
        if isinstance(self._fitted, str):
            return CueVerdict(note=self._fitted)
        baseline, alone = self._fitted
        chosen = choice(len(table))
        try:
            cues = read_cues(dataset, table.files[chosen].tolist())
        except OSError as error:
            return CueVerdict(note=why_none(error))
        usable = (cues["reason"] == "").to_numpy()
        chosen = chosen[usable]
        trials = Trials(table.labels[chosen], table.speakers[chosen], table.systems[chosen])
        if len(np.unique(trials.labels)) < 2:
            return CueVerdict(note="There is no cue baseline: these clips are of one class.")
        clips = cues[usable]
        scores = baseline.scores(clips)
        parts = parts_by_system(trials.labels, table.systems[chosen])
        by_system = {name: eer_of_cues(trials.only(part), scores[part]) for name, part in parts.items()}
        by_cue = {cue: _alone(trials, parts, one.scores(clips)) for cue, one in alone.items()}
        note = f"The cue baseline is of {len(chosen)} of the {len(table)} clips." if len(chosen) < len(table) else ""
        return CueVerdict(eer_of_cues(trials, scores), by_system, by_cue, note)


def _training_clips(trained: Trained) -> pd.DataFrame:
    """Return the training clips of a run with their cues, or a random choice of them."""
    dataset = trained.recipe.dataset
    rows = read_split(dataset, TRAIN)
    known = person_of(rows).isin(trained.provenance["data"]["people"].get(TRAIN, []))
    rows = rows[known & ~rows["file"].isin(read_rejected(dataset).keys())]
    rows = rows.iloc[choice(len(rows))]
    clips = join_cues(rows, read_cues(dataset, rows["file"].tolist()))
    if clips["label"].nunique() < 2:
        raise ValueError(f"the recordings of {TRAIN} in {dataset} that the run was trained on cannot be read any more")
    return clips


def eer_of_cues(trials: Trials, scores: np.ndarray) -> Metric:
    """Return the EER of scores (n,), with its interval; equal scores, such as those of a cue that all share, guess."""
    return eer_with_interval(trials, break_ties(scores))


def _alone(trials: Trials, parts: Mapping[str, np.ndarray], scores: np.ndarray) -> dict[str, Any]:
    """Return what one cue achieves, of all spoofs with an interval and of each system's without one."""
    ranks = break_ties(scores)
    of_systems = {name: as_metric(eer_of(trials.labels[part], ranks[part])) for name, part in parts.items()}
    return {"eer": eer_with_interval(trials, ranks), "systems": of_systems}


def choice(n_clips: int) -> np.ndarray:
    """Return the numbers of all clips, or of a random choice of them, in order."""
    if n_clips <= MOST_CLIPS:
        return np.arange(n_clips)
    return np.sort(np.random.default_rng(SEED).choice(n_clips, MOST_CLIPS, replace=False))


def why_none(error: Exception) -> str:
    """Say in one sentence why there is no baseline."""
    said = " ".join(str(error).split()).rstrip(".")
    return f"There is no cue baseline: {said}."
