"""Inspect a corpus: what it holds, and which properties other than speech reveal the class of a clip.

Duration, level, sample rate, file format and the silence before the speech are measured on every clip. Each property
that separates the classes by itself gets a warning with its EER, because a detector trained on such a corpus may learn
nothing else. A property that reveals the spoofs of one system can be hidden among those of the others, so each system
is also tested alone.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu

from src.audio.framing import leading_silence
from src.audio.io import SPEECH_RATE, load_waveform, read_header
from src.audio.normalize import rms
from src.experiments.corpus.catalogue import usable_or_reason
from src.experiments.corpus.notes import people_notes, source_notes
from src.experiments.corpus.splits import split_notes
from src.metrics.eer import eer_of
from src.utils.dataset import person_of, read_files, read_rejected, without
from src.utils.labels import LABEL_NAMES, SPOOF, parse_label
from src.utils.parallel import map_clips

TELLING_EER = 0.40
"""A cue gets a warning when its EER is below this and its p-value is below `CHANCE`."""
CHANCE = 1e-3
ENOUGH_CLIPS = 20
N_REJECTED_SHOWN = 5
ADVICE = {
    "duration": "cut or choose clips of similar length",
    "peak level": "fab NormalizeDataset --method=peak equalises it",
    "RMS level": "fab NormalizeDataset --method=rms equalises it",
    "sample rate": "fab NormalizeDataset writes all clips at one rate, though differences in bandwidth remain",
    "file format": "fab NormalizeDataset writes all clips in one format, though traces of a lossy one remain",
    "leading silence": "fab NormalizeDataset --trim removes it",
}


@dataclass(frozen=True)
class Cue:
    """A property of the clips that is not speech, and how well it separates the classes."""

    name: str
    eer: float
    """EER of a detector that uses this property alone, in the better of both directions."""
    telling: bool
    """Whether it gets a warning."""
    system: str = ""
    """The system whose spoofs were compared; empty = all systems."""

    @property
    def warning(self) -> str:
        """The warning to show to the user, one sentence."""
        whom = f"the spoofs of {self.system} from bona fide speech" if self.system else "the classes apart"
        return f"{self.name} alone tells {whom} with an EER of {self.eer:.1%}: {ADVICE[self.name]}."


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
        tables = [table.to_string(index=False) for table in (self.table, self.systems) if len(table)]
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
    """Measure every clip of a corpus, which is only read: its tables stay as they are.

    Raises
    ------
    FileNotFoundError, ValueError
        When the tables are missing or invalid.
    """
    files = read_files(dataset)
    paths = [dataset / file for file in files["file"]]
    measured = map_clips(partial(usable_or_reason, _measure), paths, jobs=jobs, description="clips")
    reasons = {file: reason for file, (_, reason) in zip(files["file"], measured, strict=True) if reason}
    usable = without(files, reasons, dataset)
    clips = pd.concat([usable, pd.DataFrame([values for values, reason in measured if not reason])], axis=1)
    clips = clips.loc[:, ~clips.columns.duplicated(keep="last")]
    totals = f"{len(clips)} clips, {clips['duration'].sum() / 3600:.2f} h, {person_of(clips).nunique()} people"
    return Inspection(
        totals,
        _summary(clips, ["label", "gender"]),
        summarise_systems(clips),
        cues=[*find_cues(clips), *find_system_cues(clips)],
        rejected={**read_rejected(dataset), **reasons},
        clips=clips,
        notes=(*people_notes(files), *source_notes(dataset, files), *split_notes(dataset)),
    )


def find_cues(clips: pd.DataFrame, *, chance: float = CHANCE) -> list[Cue]:
    """Measure how well each property of the clips separates the classes by itself.

    Parameters
    ----------
    clips : pd.DataFrame
        Columns label and those that `inspect_dataset` measures.
    chance : float
        Largest p-value (Mann-Whitney U test) at which a property can get a warning.
    """
    labels = np.array([parse_label(label) for label in clips["label"]])
    if len(set(labels)) < 2:
        return []
    numbers = {name: clips[name].to_numpy(float) for name in ("duration", "peak level", "RMS level", "leading silence")}
    categories = {name: _share_of_bonafide(clips[name], labels) for name in ("sample rate", "file format")}
    return [
        *(_judge(name, labels, values, chance=chance) for name, values in numbers.items()),
        *(_judge(name, labels, values, chance=chance, even_if_few=True) for name, values in categories.items()),
    ]


def find_system_cues(clips: pd.DataFrame) -> list[Cue]:
    """Find properties that separate one system's spoofs from all bona fide clips, but not all spoofs from them.

    The p-value allowed is divided by the number of systems (Bonferroni correction).
    """
    is_spoof = clips["label"] == LABEL_NAMES[SPOOF]
    systems = _known_systems(clips)
    known = {cue.name for cue in find_cues(clips) if cue.telling}
    found = []
    for system in systems:
        cues = find_cues(clips[~is_spoof | (clips["system"] == system)], chance=CHANCE / len(systems))
        found += [replace(cue, system=system) for cue in cues if cue.telling and cue.name not in known]
    return found


def summarise_systems(clips: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each system that made spoofs; spoofs of unknown systems come last."""
    if not _known_systems(clips):
        return pd.DataFrame()
    spoofs = clips[clips["label"] == LABEL_NAMES[SPOOF]]
    rows = _summary(spoofs, ["system"]).sort_values("system", key=lambda names: names == "", kind="stable")
    return rows.replace({"system": {"": "unknown"}}).reset_index(drop=True)


def _known_systems(clips: pd.DataFrame) -> list[str]:
    is_spoof = clips["label"] == LABEL_NAMES[SPOOF]
    return sorted(set(clips.loc[is_spoof, "system"]) - {""}) if "system" in clips else []


def _judge(name: str, labels: np.ndarray, values: np.ndarray, *, chance: float, even_if_few: bool = False) -> Cue:
    if np.ptp(values) == 0:
        return Cue(name, 0.5, False)
    eer = min(_eer_between_ties(labels, values), _eer_between_ties(labels, -values))
    by_chance = mannwhitneyu(values[labels == 1], values[labels == 0]).pvalue
    sure = by_chance < chance or (even_if_few and eer == 0 and np.bincount(labels).min() >= 5)
    return Cue(name, eer, bool(eer < TELLING_EER and sure))


def _eer_between_ties(labels: np.ndarray, values: np.ndarray) -> float:
    """Compute the EER of values with many ties, which are broken at random."""
    order = np.random.default_rng(0).permutation(len(values))
    ranks = np.empty(len(values))
    ranks[order] = np.argsort(np.argsort(values[order], kind="stable"), kind="stable")
    return eer_of(labels, ranks)


def _share_of_bonafide(values: pd.Series, labels: np.ndarray) -> np.ndarray:
    """Score a category by the share of bona fide clips in it: no rule on the category alone does better."""
    return pd.Series(labels).groupby(values.to_numpy()).transform("mean").to_numpy(float)


def _measure(path: Path) -> dict[str, float | int | str]:
    header, waveform = read_header(path), load_waveform(path)
    return {
        "duration": header.duration,
        "peak level": 20 * np.log10(np.abs(waveform).max()),
        "RMS level": 20 * np.log10(rms(waveform)),
        "sample rate": header.rate,
        "file format": header.encoding,
        "leading silence": leading_silence(waveform, SPEECH_RATE),
    }


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
        "rate (Hz)": _kinds(clips["sample rate"]),
        "format": _kinds(clips["file format"]),
    }


def _kinds(values: pd.Series) -> str:
    """List the values that occur, the most frequent first."""
    counts = values.value_counts()
    return (
        str(counts.index[0]) if len(counts) == 1 else ", ".join(f"{kind} x {count}" for kind, count in counts.items())
    )
