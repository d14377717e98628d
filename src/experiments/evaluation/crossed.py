"""A finished cross-validation: where it lies, what it found, and how that is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from src.experiments.corpus.held_out_domains import SYSTEM
from src.experiments.evaluation.cue_verdict import KEY
from src.experiments.training.across_domains import MEANS
from src.metrics.table import written, written_bounds
from src.metrics.verdict import Metric

MEANS_OF_CUES = {by: f"cue_baseline_{mean}" for by, mean in MEANS.items()}
"""Kind of domain -> the metric that is the mean EER of the cue baselines over those left out."""


@dataclass(frozen=True)
class CrossValidation:
    """A finished cross-validation, and where it lies."""

    folder: Path
    metrics: Mapping[str, Metric]
    """Of the pooled scores."""
    folds: pd.DataFrame
    left_out: Mapping[str, Metric]
    """System or corpus -> its EER, scored by runs that never heard it; empty by person."""
    cues_left_out: Mapping[str, Metric]
    """The same of cheap cues alone; empty where the recordings are gone, too."""
    about: Mapping[str, Any]

    def __str__(self) -> str:
        rows: list[Any] = self.folds.to_dict("records")
        lines = list(map(_fold_line, rows if self.about["by"] != SYSTEM else []))  # of systems they are too many
        if self.left_out:
            by = self.about["by"]
            found = {name: (eer, self.cues_left_out.get(name)) for name, eer in self.left_out.items()}
            found["mean"] = (self.metrics[MEANS[by]], self.metrics.get(MEANS_OF_CUES[by]))
            lines += ["EER of what was left out:", *(f"  {name:20} {_beside(*eers)}" for name, eers in found.items())]
        n_clips = sum(int(self.metrics[name]["value"]) for name in ("n_bonafide", "n_spoof"))
        eer = _beside(self.metrics["eer"], self.metrics.get(KEY))
        pooled = f"Pooled: {n_clips} clips of {self.about['n_people']} people, EER {eer}"
        lines.append(f"{pooled}; 95 % over {self.about['resampled']}.")
        return "\n".join([*lines, *filter(None, [self.about.get("cue_baseline")])])


def _fold_line(row: Mapping[str, Any]) -> str:
    left_out = f" without {row['left_out']}" if row["left_out"] else ""
    eer = "" if pd.isna(row["eer"]) else f", EER {_written(row)}"
    counts = f"{row['people']} people, {row['n_bonafide']} bona fide and {row['n_spoof']} spoofed clips"
    return f"fold {row['fold']}{left_out}: {counts}; validation EER {written(row['validation_eer'], 'rate')}{eer}"


def _beside(eer: Metric, of_cues: Metric | None) -> str:
    """Write an EER with its bounds, and that of cheap cues, where there is one."""
    return _written(eer) + (f", cheap cues alone {_written(of_cues)}" if of_cues else "")


def _written(eer: Mapping[str, Any]) -> str:
    """Write an EER with its bounds, of a metric or of a row of the table of folds."""
    value = eer["value"] if "value" in eer else eer["eer"]
    low, high = eer["low"], eer["high"]
    return written(value, "rate") + ("" if pd.isna(low) else f" ({written_bounds(low, high, 'rate')})")
