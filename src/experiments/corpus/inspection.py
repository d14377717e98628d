"""Inspect a corpus: what it holds, and which properties other than speech reveal the class of a clip.

The cheap cues of `src/audio/cues.py` are measured on every clip (`cue_table.py` keeps them), judged one by one
(`shortcuts.py`) and together (`cue_baseline.py`).
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pandas as pd

from src.experiments.corpus.cue_baseline import rates_by_system, scores_across_people
from src.experiments.corpus.cue_table import join_cues, read_cues
from src.experiments.corpus.notes import people_notes, source_notes
from src.experiments.corpus.shortcuts import (
    Cue,
    find_cues,
    find_cues_of_systems,
    known_systems,
    only_of_systems,
    table_of_rates,
)
from src.experiments.corpus.splits import split_notes
from src.experiments.corpus.transforms import was_evened
from src.utils.dataset import person_of, read_files, read_rejected, without
from src.utils.labels import LABEL_NAMES, SPOOF

ENOUGH_CLIPS = 20
N_REJECTED_SHOWN = 5


@dataclass(frozen=True)
class Inspection:
    """The result of `inspect_dataset`."""

    totals: str
    table: pd.DataFrame
    """One row for each label and gender: clips, people, hours and the median of every property."""
    systems: pd.DataFrame
    """The same for each system that made spoofs; no row where none is known."""
    cues: list[Cue]
    """One for every property, and those of single systems that get a warning when all systems together do not."""
    rejected: dict[str, str]
    """The clips that cannot be used, file -> reason: those of `rejected-files.csv` and those found now."""
    clips: pd.DataFrame
    """The usable rows of the files table with the measurements of each clip."""
    notes: tuple[str, ...] = ()
    """What looks like a mistake in people, splits or systems; one sentence each."""
    rates: pd.DataFrame = field(default_factory=pd.DataFrame)
    """EER of every cue and of all together, over all spoofs and those of each system; empty for one class alone."""
    together: float | None = None
    """EER of the cue baseline, over all spoofs; None where there are too few people to learn it from."""

    @property
    def n_rejected(self) -> int:
        """How many clips cannot be used."""
        return len(self.rejected)

    def __str__(self) -> str:
        remarks = [f"Warning: {cue.warning}" for cue in self.cues if cue.telling]
        if self.table.groupby("label")["clips"].sum().min() < ENOUGH_CLIPS:
            remarks.append(
                f"A class has fewer than {ENOUGH_CLIPS} clips: too few to find every property that reveals it."
            )
        elif not remarks:
            remarks.append("None of these properties alone tells the classes apart.")
        if self.together is not None:
            remarks.insert(
                0,
                f"All of them together (a logistic regression, each person's clips by one of the others) have an EER "
                f"of {self.together:.1%}: a detector of this corpus has to be judged beside that.",
            )
        tables = [table.to_string(index=False) for table in (self.table, self.systems, self.rates) if len(table)]
        notes = [f"Note: {note}" for note in self.notes]
        return "\n".join([self.totals, *tables, *self._rejected_lines(), *notes, *remarks])

    def _rejected_lines(self) -> list[str]:
        """Count the clips that cannot be used, and list the first of them with their reasons."""
        if not self.rejected:
            return []
        shown = [f"  {file}: {reason}" for file, reason in list(self.rejected.items())[:N_REJECTED_SHOWN]]
        more = self.n_rejected - len(shown)
        return [
            f"{self.n_rejected} {'clip' if self.n_rejected == 1 else 'clips'} cannot be used:",
            *shown,
            *([f"  and {more} more"] if more else []),
        ]


def inspect_dataset(dataset: Path, jobs: int = 0) -> Inspection:
    """Measure every clip of a corpus, whose tables stay as they are; the cues are kept in a table of their own.

    Raises
    ------
    FileNotFoundError, ValueError
        When the tables are missing or invalid.
    """
    files = read_files(dataset)
    measured = read_cues(dataset, files["file"].tolist(), jobs)
    reasons = dict(zip(measured["file"], measured["reason"], strict=True))
    reasons = {file: reason for file, reason in reasons.items() if reason}
    clips = join_cues(without(files, reasons, dataset), measured)
    cues, of_systems = find_cues(clips), find_cues_of_systems(clips)
    together, is_evened = _rates_together(clips) if cues else {}, was_evened(dataset)
    totals = f"{len(clips)} clips, {clips['duration'].sum() / 3600:.2f} h, {person_of(clips).nunique()} people"
    return Inspection(
        totals,
        _summary(clips, ["label", "gender"]),
        summarise_systems(clips),
        cues=[replace(cue, is_evened=is_evened) for cue in [*cues, *only_of_systems(cues, of_systems)]],
        rejected={**read_rejected(dataset), **reasons},
        clips=clips,
        notes=(*people_notes(files), *source_notes(dataset, files), *split_notes(dataset)),
        rates=table_of_rates(cues, of_systems, together) if cues else pd.DataFrame(),
        together=together.get(""),
    )


def summarise_systems(clips: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each system that made spoofs; spoofs of unknown systems come last."""
    if not known_systems(clips):
        return pd.DataFrame()
    spoofs = clips[clips["label"] == LABEL_NAMES[SPOOF]]
    rows = _summary(spoofs, ["system"]).sort_values("system", key=lambda names: names == "", kind="stable")
    return rows.replace({"system": {"": "unknown"}}).reset_index(drop=True)


def _rates_together(clips: pd.DataFrame) -> dict[str, float]:
    """Return the EER of the cue baseline, of all spoofs by "" and of each system; empty where people are too few."""
    scores = scores_across_people(clips)
    return {} if scores is None else rates_by_system(clips, scores)


def _summary(clips: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    groups = clips.groupby(by)
    return pd.DataFrame(
        [dict(zip(by, cast(tuple[str, ...], name), strict=True)) | _row(group) for name, group in groups]
    )


def _row(clips: pd.DataFrame) -> dict[str, object]:
    return {
        "clips": len(clips),
        "people": person_of(clips).nunique(),
        "hours": round(clips["duration"].sum() / 3600, 2),
        "duration (s)": round(clips["duration"].median(), 2),
        "peak (dBFS)": round(clips["peak level"].median(), 1),
        "RMS (dBFS)": round(clips["RMS level"].median(), 1),
        "leading silence (s)": round(clips["leading silence"].median(), 2),
        "rate (Hz)": _kinds(clips["sample rate"].astype(int)),
        "format": _kinds(clips["file format"]),
    }


def _kinds(values: pd.Series) -> str:
    """List the values that occur, the most frequent first."""
    counts = values.value_counts()
    return (
        str(counts.index[0]) if len(counts) == 1 else ", ".join(f"{kind} x {count}" for kind, count in counts.items())
    )
