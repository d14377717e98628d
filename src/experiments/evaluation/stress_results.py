"""The results of a stress test: one EER for each distortion, out of the scores that were kept, and their mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.experiments.evaluation.held_out import HeldOutClips
from src.experiments.evaluation.stress_grid import whole_grid
from src.experiments.runs.artefacts import (
    STRESS,
    STRESS_PICTURE,
    STRESS_RESULTS,
    STRESS_TABLE,
    read_scores,
    save_figure,
    score_table,
)
from src.experiments.runs.provenance import now
from src.experiments.training.trained import Trained
from src.metrics.bootstrap import CONFIDENCE, N_RESAMPLINGS, Trials, interval
from src.metrics.eer import eer_of
from src.metrics.resampled import resample_eer
from src.metrics.verdict import as_metric
from src.utils.clip_table import ClipTable
from src.utils.csv_tables import write_table
from src.utils.files import write_json
from src.utils.labels import BONAFIDE, SPOOF, parse_label

CLEAN = "clean.csv"
COLUMNS = ("effect", "strength", "eer", "low", "high", "false_acceptance", "false_rejection", "clips")


@dataclass(frozen=True)
class StressResult:
    """What a stress test found, and where it lies."""

    folder: Path
    table: pd.DataFrame
    """The columns of COLUMNS; rates in [0, 1], NaN for unknown bounds."""
    clean: float
    """EER of the clips as they are."""
    mean: float
    """Mean EER of all distortions."""

    def __str__(self) -> str:
        names = [f"{effect} {strength}" for effect, strength in self.table[["effect", "strength"]].to_numpy()]
        width = max(map(len, names))
        rates = self.table[["eer", "low", "high"]].to_numpy(float)
        lines = [f"{name:{width}}  {_percents(*row)}".rstrip() for name, row in zip(names, rates, strict=True)]
        return "\n".join([*lines, f"Mean EER of {len(lines)} distortions: {self.mean:.2%}; of none: {self.clean:.2%}."])


def write_scores(path: Path, table: ClipTable, scores: Mapping[str, float]) -> None:
    """Write the scores of those clips that could be scored: file -> score."""
    rows = score_table(table, np.array([scores.get(file, np.nan) for file in table.files.tolist()]))
    write_table(path, rows[rows["score"].notna()])


def sum_up(trained: Trained, clips: HeldOutClips, seed: int) -> StressResult:
    """Make results, a table and a picture of all scores that a stress test has kept so far."""
    folder = trained.folder / STRESS
    done = [distortion for distortion in whole_grid() if (folder / distortion.file).is_file()]
    clean, _ = _judge(folder, CLEAN, trained.threshold)
    judged = [_judge(folder, distortion.file, trained.threshold) for distortion in done]
    named = [{"effect": each.effect, "strength": each.strength} for each in done]
    points = [{**name, **point} for name, (point, _) in zip(named, judged, strict=True)]
    mean = float(np.mean([point["eer"]["value"] for point in points]))
    drawn = np.mean([drawn for _, drawn in judged], axis=0)
    n_people = len(clips.table.people())
    results = {
        "clean_eer": clean["eer"],
        "mean_eer": as_metric(mean, interval(drawn, n_people)),
        "points": points,
        "about": {
            "corpus": clips.dataset.name,
            "path": clips.noted_path,
            "split_digest": clips.origin.get("split_digest"),
            "clips": len(clips.table),
            "n_people": n_people,
            "seed": seed,
            "resamplings": N_RESAMPLINGS,
            "confidence": CONFIDENCE,
            "tested": now(),
        },
    }
    table = pd.DataFrame([_row(point) for point in points], columns=list(COLUMNS))
    write_table(trained.folder / STRESS_TABLE, table)
    _draw(trained.folder / STRESS_PICTURE, table, clean["eer"]["value"])
    write_json(trained.folder / STRESS_RESULTS, results)
    return StressResult(trained.folder, table, clean["eer"]["value"], mean)


def _judge(folder: Path, name: str, threshold: float) -> tuple[dict[str, Any], np.ndarray]:
    """Return the EER of kept scores with its interval, the errors at a threshold, and the resampled EERs."""
    rows = read_scores(folder, name)
    labels = np.array([parse_label(label) for label in rows["label"]])
    scores = rows["score"].to_numpy(float)
    trials = Trials(labels, rows["speaker"].to_numpy(str), rows["system"].to_numpy(str))
    drawn = resample_eer(scores, trials.draw())
    accepted = scores >= threshold
    return {
        "eer": as_metric(eer_of(labels, scores), interval(drawn, trials.n_people)),
        "false_acceptance": float(accepted[labels == SPOOF].mean()),
        "false_rejection": float(1 - accepted[labels == BONAFIDE].mean()),
        "clips": len(rows),
    }, drawn


def _row(point: Mapping[str, Any]) -> dict[str, Any]:
    eer = {"eer": point["eer"]["value"], "low": point["eer"]["low"], "high": point["eer"]["high"]}
    return {**point, **{name: np.nan if value is None else value for name, value in eer.items()}}


def _draw(path: Path, table: pd.DataFrame, clean: float) -> None:
    from src.visualize.stress import StressCurve, stress_figure

    curves = [
        StressCurve(str(effect), rows["strength"].tolist(), rows["eer"], rows["low"], rows["high"])
        for effect, rows in table.groupby("effect", sort=False)
    ]
    save_figure(path, stress_figure(curves, clean))


def _percents(eer: float, low: float, high: float) -> str:
    return f"{100 * eer:5.2f} %" + ("" if np.isnan(low) else f"   {100 * low:5.2f} to {100 * high:.2f}")
