"""What the scores of all folds of a cross-validation say together.

Scores are pooled as log-likelihood ratios, each clip once; decisions are those at the threshold of each clip's own
fold. Where systems or corpora were left out, each has an EER of its own, of the runs that never heard it, and the mean
over them gives each the same weight.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.experiments.evaluation.folds import Fold
from src.experiments.runs.artefacts import METRICS, read_scores
from src.metrics.across import Scored, eers_across
from src.metrics.bootstrap import Trials
from src.metrics.classification import decision_metrics
from src.metrics.table import shown_in
from src.metrics.verdict import Metric, eer_with_interval, evaluate_with_intervals, parts_by_system, parts_by_value
from src.utils.clip_table import ClipTable
from src.utils.files import read_record
from src.utils.labels import BONAFIDE, SPOOF

LEFT_OUT = "domain left out"
Metrics = dict[str, Metric]
Heard = dict[str, list[tuple[np.ndarray, np.ndarray]]]
"""What was left out, "" = people alone -> rows of the clips and their scores, fold by fold."""


@dataclass(frozen=True)
class PooledFolds:
    """Scores of all clips by runs that did not know them, and what they say."""

    table: ClipTable
    scores: np.ndarray
    """Shape (n,): log-likelihood ratios."""
    thresholds: np.ndarray
    """Shape (n,): of each clip's fold."""
    fold: np.ndarray
    """Shape (n,): number of the fold whose score is pooled."""
    folds: pd.DataFrame
    """A row for each fold."""
    left_out: Metrics
    """System or corpus -> its EER; empty by person."""
    mean: Metric | None
    """Over those left out."""

    @property
    def trials(self) -> Trials:
        """The trials that the scores belong to."""
        return Trials(self.table.labels, self.table.speakers, self.table.systems)

    def metrics(self, wanted: np.ndarray | None = None) -> Metrics:
        """Return every metric with its interval, of all clips or of those that a mask (n,) selects."""
        rows = np.ones(len(self.table), bool) if wanted is None else wanted
        trials, scores = self.trials.only(rows), self.scores[rows]
        pooled = evaluate_with_intervals(trials, scores, 0.0)
        decided = evaluate_with_intervals(trials, scores - self.thresholds[rows], 0.0)
        decisions = decision_metrics(trials.labels, scores, 0.0).keys()
        return {key: decided[key] if key in decisions else pooled[key] for key in pooled if key != "threshold"}

    def breakdowns(self) -> dict[str, dict[str, Metrics]]:
        """Return the metrics of each gender and spoof system, and of each domain that was left out."""
        labels = self.table.labels
        parts = {"gender": parts_by_value(self.table.genders), "system": parts_by_system(labels, self.table.systems)}
        keys = [row.key for row in shown_in("breakdowns")]
        found: dict[str, dict[str, Metrics]] = {LEFT_OUT: {name: {"eer": eer} for name, eer in self.left_out.items()}}
        for what, groups in parts.items():
            of_both = {name: rows for name, rows in groups.items() if len(np.unique(labels[rows])) == 2}
            metrics = {name: self.metrics(rows) for name, rows in of_both.items()}
            found[what] = {name: {key: each[key] for key in keys if key in each} for name, each in metrics.items()}
        return {what: groups for what, groups in found.items() if groups}


def pool_folds(table: ClipTable, folds: Sequence[Fold], folder: Path) -> PooledFolds:
    """Pool the scores that the run of each fold left in `<folder>/fold<m>`."""
    place = {file: row for row, file in enumerate(table.files.tolist())}
    pooled, thresholds, number_of = (np.full(len(table), np.nan) for _ in range(3))
    rows: list[dict[str, Any]] = []
    heard: Heard = {}
    for number, fold in enumerate(folds):
        own = folder / f"fold{number}"
        found = read_scores(own)
        tested, scores = np.array([place[file] for file in found["file"]]), found["score"].to_numpy(float)
        validation = read_record(own / METRICS, "threshold", "eer")
        counted = np.isin(tested, fold.counted)
        pooled[tested[counted]] = scores[counted]
        thresholds[tested[counted]], number_of[tested[counted]] = validation["threshold"], number
        heard.setdefault(fold.left_out, []).append((tested, scores))
        rows.append({"fold": number, "left_out": fold.left_out, **_row(table, fold, tested, scores, validation)})
    each, mean = eers_of_left_out(table, heard)
    return PooledFolds(table, pooled, thresholds, number_of.astype(int), pd.DataFrame(rows), each, mean)


def eers_of_left_out(table: ClipTable, heard: Heard) -> tuple[Metrics, Metric | None]:
    """Return the EER of every domain that was left out, of all clips that its folds scored, and their mean."""
    domains = {}
    for name, parts in heard.items():
        tested, scores = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        if name and len(np.unique(table.labels[tested])) == 2:
            domains[name] = Scored(Trials(table.labels[tested], table.speakers[tested]), scores)
    return eers_across(domains) if domains else ({}, None)


def _row(
    table: ClipTable, fold: Fold, tested: np.ndarray, scores: np.ndarray, validation: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the table of folds says of one: people, clips, and its errors at its own threshold."""
    labels, threshold = table.labels[tested], float(validation["threshold"])
    people = {part: len(set(table.speakers[rows])) for part, rows in (("train", fold.train), ("val", fold.val))}
    genuine, spoofed = labels == BONAFIDE, labels == SPOOF
    return {
        "people": len(set(table.speakers[tested])),
        "n_bonafide": int(genuine.sum()),
        "n_spoof": int(spoofed.sum()),
        "people_train": people["train"],
        "people_val": people["val"],
        "validation_eer": float(validation["eer"]),
        "threshold": threshold,
        **_eer_of(table, tested, scores),
        "false_rejection": float((scores[genuine] < threshold).mean()) if genuine.any() else np.nan,
        "false_acceptance": float((scores[spoofed] >= threshold).mean()) if spoofed.any() else np.nan,
    }


def _eer_of(table: ClipTable, tested: np.ndarray, scores: np.ndarray) -> dict[str, float | None]:
    """Return the EER of the clips of a fold and its bounds; None where they are of one class."""
    if len(np.unique(table.labels[tested])) < 2:
        return {"eer": None, "low": None, "high": None}
    found = eer_with_interval(Trials(table.labels[tested], table.speakers[tested]), scores)
    return {"eer": found["value"], "low": found["low"], "high": found["high"]}
