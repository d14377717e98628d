"""What the cheap cues alone achieve in a cross-validation: a cue baseline for every fold, pooled as its runs are.

Each baseline is fitted to the clips that its fold is trained on and scores those that the fold's run scores, so that
neither knows a person, a system or a corpus that the other does not. Of more than 4,000 clips a random choice stands
for all. Where the recordings are gone there is none; the reason is noted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from src.experiments.corpus.cue_baseline import CueBaseline
from src.experiments.corpus.cue_table import join_cues, read_cues
from src.experiments.evaluation.cue_verdict import choice, eer_of_cues, why_none
from src.experiments.evaluation.folds import Fold
from src.experiments.evaluation.pooled_folds import Heard, eers_of_left_out
from src.metrics.bootstrap import Trials
from src.metrics.verdict import Metric
from src.utils.clip_table import ClipTable


@dataclass(frozen=True)
class CuesOfFolds:
    """What the cue baselines of all folds achieve together."""

    eer: Metric | None = None
    """Of the pooled scores."""
    left_out: dict[str, Metric] = field(default_factory=dict)
    """System or corpus -> the EER of the baselines that never met it; empty by person."""
    mean: Metric | None = None
    """Over those left out."""
    note: str = ""
    """Why there is none, or of how many clips it is; empty where it is of all."""


def judge_cues_of_folds(dataset: Path, table: ClipTable, rows: pd.DataFrame, folds: Sequence[Fold]) -> CuesOfFolds:
    """Fit and test a cue baseline for every fold.

    Parameters
    ----------
    dataset : Path
    table : ClipTable
        All clips of the cross-validation.
    rows : pd.DataFrame
        Rows of the files table, of these clips and maybe more.
    folds : sequence of Fold
    """
    chosen = choice(len(table))
    try:
        clips = join_cues(rows, read_cues(dataset, table.files[chosen].tolist()))
        if clips.empty:
            raise ValueError(f"the recordings of {dataset} cannot be read any more")
        return _pooled(table, clips, folds, f"The cue baseline is of {len(clips)} of the {len(table)} clips.")
    except (OSError, ValueError) as error:
        return CuesOfFolds(note=why_none(error))


def _pooled(table: ClipTable, clips: pd.DataFrame, folds: Sequence[Fold], if_fewer: str) -> CuesOfFolds:
    """Fit and test the baselines on the clips whose cues are known; rows of `clips` are matched by their files."""
    place = pd.Series(np.arange(len(table)), index=table.files)
    clip = place[clips["file"]].to_numpy()
    pooled = np.full(len(table), np.nan)
    heard: Heard = {}
    for fold in folds:
        baseline = CueBaseline.fit(clips[np.isin(clip, fold.train)])
        is_tested = np.isin(clip, fold.test)
        tested, scores = clip[is_tested], baseline.scores(clips[is_tested])
        counted = np.isin(tested, fold.counted)
        pooled[tested[counted]] = scores[counted]
        heard.setdefault(fold.left_out, []).append((tested, scores))
    scored = ~np.isnan(pooled)
    trials = Trials(table.labels, table.speakers, table.systems).only(scored)
    left_out, mean = eers_of_left_out(table, heard)
    return CuesOfFolds(eer_of_cues(trials, pooled[scored]), left_out, mean, if_fewer if len(clips) < len(table) else "")
