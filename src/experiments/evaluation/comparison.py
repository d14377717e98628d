"""Tested runs side by side, and whether the difference of two is established or may be chance.

Two runs are compared on the same clips by a paired bootstrap: both are scored on the same draws of people (and spoof
systems), so the difference of their EERs has an interval. It is established where that interval leaves out zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.experiments.inputs import input_class_of
from src.experiments.inputs.contract import TEST
from src.experiments.runs.artefacts import SCORES, TEST_PROVENANCE, TEST_RESULTS, read_hyperparameters, read_scores
from src.experiments.runs.commands import how_to_test
from src.experiments.runs.folders import find_run
from src.experiments.runs.names import RunName
from src.metrics.bootstrap import Interval, Trials, interval
from src.metrics.resampled import resample_eer
from src.metrics.table import METRICS, shown_in, written, written_bounds
from src.utils.files import read_record
from src.utils.labels import BONAFIDE, SPOOF, parse_label

FEWEST_PEOPLE = 6
"""Of each class, for a difference to be established: with k people all of them lie on one side by chance in 2 / 2^k of
cases, which the extremes of the draws do not exceed."""
FINE_TUNED = ("backbone", "head")
"""Hyperparameters without which all fine-tuned models would look alike."""


@dataclass(frozen=True)
class TestedRun:
    """A run and what its usual test found."""

    name: str
    """As it was given, with the trial of a study filled in: `mlp_study0/run3`."""
    hyperparameters: Mapping[str, Any]
    corpus_digest: str | None
    """Of the recordings that it was tested on, where it is known."""
    metrics: Mapping[str, Any]
    scores: pd.DataFrame
    """`scores.csv`, sorted by file."""


@dataclass(frozen=True)
class Difference:
    """How far the EERs of two runs lie apart."""

    first: str
    second: str
    difference: float
    """EER of the first minus that of the second."""
    bounds: Interval
    n_people: int
    n_clips: int
    n_of_rarer_class: int
    """People with clips of the class that fewer people have."""

    @property
    def is_established(self) -> bool:
        """Whether the whole interval lies on the same side of zero as the difference, and enough people were drawn."""
        on_one_side = self.difference > 0 < self.bounds.low or self.difference < 0 > self.bounds.high
        return bool(on_one_side and self.n_of_rarer_class >= FEWEST_PEOPLE)

    def __str__(self) -> str:
        if np.isnan(self.bounds.low):
            why = "there is a single person" if self.n_people < 2 else "every bootstrap draw gives the same value"
            return f"{self.first} and {self.second}: no difference can be established, as {why}."
        better, worse, low, high = self.second, self.first, self.bounds.low, self.bounds.high
        if self.difference <= 0:
            better, worse, low, high = self.first, self.second, 0.0 - high, 0.0 - low  # never -0.00
        words = f"{better} has a lower EER than {worse}, by {100 * abs(self.difference):.2f} percentage points"
        if self.difference == 0:
            words = f"{better} and {worse} have the same EER"
        verdict = "established" if self.is_established else "not established"
        if self.n_of_rarer_class < FEWEST_PEOPLE:
            verdict += f", as fewer than {FEWEST_PEOPLE} people have clips of one class"
        counts = f"{self.n_people} people, {self.n_clips} clips"
        return f"{words} (95 %: {100 * low:.2f} to {100 * high:.2f}; {counts}): the difference is {verdict}."

    def as_json(self) -> dict[str, Any]:
        """Return the same for a file; bounds are None where they are unknown."""
        bounds = {name: None if np.isnan(bound) else bound for name, bound in asdict(self.bounds).items()}
        return {**asdict(self), "bounds": bounds, "established": self.is_established, "in_words": str(self)}


@dataclass(frozen=True)
class Comparison:
    """Tested runs and the difference of each pair."""

    runs: list[TestedRun]
    differences: list[Difference]
    other_clips: list[tuple[str, str]]
    """Pairs that were tested on different clips, and so cannot be compared."""

    def __str__(self) -> str:
        lines = [_table(self.runs), "", *map(str, self.differences)]
        lines += [
            f"{first} and {second} were tested on different clips: test both on the same split."
            for first, second in self.other_clips
        ]
        if len(self.differences) > 1:
            lines.append(
                f"By chance, one in 20 pairs that do not differ is called established; compared here: "
                f"{len(self.differences)} pairs."
            )
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Return the same for a file."""
        return {
            "runs": [{"run": run.name, **run.hyperparameters, **_shown(run)} for run in self.runs],
            "differences": [pair.as_json() for pair in self.differences],
            "tested_on_different_clips": self.other_clips,
        }


def compare_runs(names: str, *, root: Path) -> Comparison:
    """Compare tested runs.

    Parameters
    ----------
    names : str
        Runs, separated by commas: `run0,mlp_study0/run3`; a study alone stands for its best trial.
    root : Path
        Holds `runs/`.

    Raises
    ------
    ValueError
        When fewer than two runs are named, or one twice.
    FileNotFoundError
        When one is missing, or was not tested.
    """
    wanted = [name.strip().strip("/") for name in names.split(",") if name.strip()]
    if len(wanted) < 2:
        raise ValueError(f"`runs` takes two runs or more, such as run0,mlp_study0/run3; given: '{names}'.")
    runs = [read_tested_run(RunName.parse(name), root) for name in wanted]
    seen = [run.name for run in runs]
    twice = [name for name in seen if seen.count(name) > 1]
    if twice:
        raise ValueError(f"`runs` names {twice[0]} twice.")
    differences, other_clips = [], []
    for first, second in combinations(runs, 2):
        if _same_clips(first, second):
            differences.append(_difference(first, second))
        else:
            other_clips.append((first.name, second.name))
    return Comparison(runs, differences, other_clips)


def read_tested_run(name: RunName, root: Path) -> TestedRun:
    """Read a run by its name, with the results of its usual test."""
    folder = find_run(root, name)
    name = RunName.of(folder)
    for file in (TEST_RESULTS, SCORES):
        if not (folder / file).is_file():
            raise FileNotFoundError(f"{name} was not tested (no {file}): run {how_to_test(name)}.")
    results = read_record(folder / TEST_RESULTS, "eer")
    if not isinstance(results["eer"], dict) or not isinstance(results["eer"].get("value"), float):
        raise ValueError(
            f"{name} was tested by an earlier version, without intervals: test it again, {how_to_test(name)}."
        )
    digest = _digest_of_test(folder)
    return TestedRun(str(name), read_hyperparameters(folder), digest, results, read_scores(folder).sort_values("file"))


def _digest_of_test(folder: Path) -> str | None:
    """Return the digest of the recordings of a test's corpus, if noted: names alone do not identify a corpus."""
    origin = read_record(folder / TEST_PROVENANCE) if (folder / TEST_PROVENANCE).is_file() else {}
    for splits in origin.get("data", {}).values():
        tested = splits.get(TEST) if isinstance(splits, Mapping) else None
        if isinstance(tested, Mapping):
            return tested.get("corpus_digest")
    return None


def _same_clips(first: TestedRun, second: TestedRun) -> bool:
    known = (first.corpus_digest, second.corpus_digest)
    same_corpus = first.hyperparameters["corpus"] == second.hyperparameters["corpus"]
    if None not in known:
        same_corpus = known[0] == known[1]
    clips = [run.scores[["file", "label", "speaker", "system"]].to_numpy().tolist() for run in (first, second)]
    return same_corpus and clips[0] == clips[1]


def _difference(first: TestedRun, second: TestedRun) -> Difference:
    clips = first.scores
    labels = np.array([parse_label(label) for label in clips["label"]])
    trials = Trials(labels, clips["speaker"].to_numpy(str), clips["system"].to_numpy(str))
    drawn = trials.draw()
    of_first, of_second = (resample_eer(run.scores["score"].to_numpy(float), drawn) for run in (first, second))
    difference = first.metrics["eer"]["value"] - second.metrics["eer"]["value"]
    bounds = interval(of_first - of_second, trials.n_people)
    rarer = min(len(trials.people_of(label)) for label in (SPOOF, BONAFIDE))
    return Difference(first.name, second.name, difference, bounds, trials.n_people, len(clips), rarer)


def _shown(run: TestedRun) -> dict[str, Any]:
    return {metric.key: run.metrics[metric.key] for metric in shown_in("comparison") if metric.key in run.metrics}


def _table(runs: list[TestedRun]) -> str:
    """Return the runs as a table, the lowest EER first."""
    context_keys = _context_keys(runs)
    others = [metric for metric in shown_in("comparison") if metric.key != "eer"]
    titles = ["run", *context_keys, METRICS["eer"].title, "95 %", *(metric.title for metric in others)]
    rows = []
    for run in sorted(runs, key=lambda run: run.metrics["eer"]["value"]):
        eer = run.metrics["eer"]
        bounds = "" if eer.get("low") is None else written_bounds(eer["low"], eer["high"], "rate")
        context = [_in_a_cell(run.hyperparameters.get(key, "")) for key in context_keys]
        values = [written(run.metrics[row.key]["value"], row.unit) if row.key in run.metrics else "" for row in others]
        rows.append([run.name, *context, written(eer["value"], "rate"), bounds, *values])
    widths = [max(len(row[column]) for row in [titles, *rows]) for column in range(len(titles))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [titles, *rows]]
    return "\n".join(line.rstrip() for line in lines)


def _in_a_cell(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _context_keys(runs: Sequence[TestedRun]) -> list[str]:
    """Return what is told of every run: its corpus, what its input or its network is made of, its classifier."""
    of_inputs = [key for run in runs for key in input_class_of(run.hyperparameters).keys if key != "model"]
    fine_tuned = [key for key in FINE_TUNED if any(key in run.hyperparameters for run in runs)]
    augmented = ["augment"] if any(run.hyperparameters.get("augment") for run in runs) else []
    return ["corpus", *dict.fromkeys(of_inputs + fine_tuned), "classifier", *augmented]
