"""One evaluator for all models: a finished run and a split in, scores, metrics and pictures out.

Scores are log-likelihood ratios by the calibration, and decisions are made at the threshold, that the run got from its
validation data; nothing is fitted here. Every metric has an interval over people, and is given for each gender, spoof
system and duration. A downstream_test of the run's corpus, or of one derived from it, is refused when it holds people
of the run's training or validation; any other test says how many it holds.

The results of the usual test (the run's corpus, downstream_test, all genders) lie in the run folder itself, those of
any other test in a folder of their own inside it.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.experiments.evaluation.cue_verdict import EACH, KEY, CueJudge, CueVerdict
from src.experiments.evaluation.held_out import USUAL, HeldOut, HeldOutClips, read_held_out
from src.experiments.evaluation.in_tandem import judge_in_tandem
from src.experiments.evaluation.rejection import judge_with_rejection, promise_in_words
from src.experiments.evaluation.spoofed_spans import locate_spoofs
from src.experiments.inputs.contract import VAL
from src.experiments.runs.artefacts import SCORES, TEST_PROVENANCE, TEST_RESULTS, save_figure, score_table
from src.experiments.runs.lineage import describe_corpus
from src.experiments.runs.names import RunName
from src.experiments.runs.provenance import describe_origin, now
from src.experiments.training.trained import Trained, read_trained
from src.metrics.bootstrap import CONFIDENCE, N_RESAMPLINGS, Trials
from src.metrics.classification import confusion_matrix
from src.metrics.conformal import DEFAULT_ERROR, check_error
from src.metrics.eer import doubt
from src.metrics.verdict import (
    Metric,
    break_down,
    evaluate_with_intervals,
    parts_by_duration,
    parts_by_system,
    parts_by_value,
    parts_by_word,
)
from src.utils.classes import WORD, classes_in_words
from src.utils.clip_table import ClipTable
from src.utils.dataset import FILES_TABLE, NUMBER_COLUMNS, read_files, write_table
from src.utils.files import write_json
from src.utils.labels import LABEL_NAMES

Breakdowns = dict[str, dict[str, dict[str, Metric]]]
"""Property (gender, system, duration) -> group -> its metrics."""


@dataclass(frozen=True)
class Verdict:
    """What a test found, and where it lies."""

    folder: Path
    run: Path
    metrics: dict[str, Metric]
    about: dict[str, Any]
    n_known: int
    """People of the split whose names are in training or validation."""
    is_own_corpus: bool = True

    @property
    def note_on_cues(self) -> str:
        """What a reader must know of the cheap cues: that they do as well as the run, or why they were not judged."""
        cues = self.metrics.get(KEY)
        if cues and cues["value"] <= self.metrics["eer"]["value"]:
            return (
                f"Cheap cues alone (level, silence, noise floor, ...) have an EER of {cues['value']:.1%} here: "
                "the run is no better than that."
            )
        return str(self.about.get("cue_baseline", ""))

    @property
    def note_on_rejection(self) -> str:
        """What is promised of the decisions, or why nothing is."""
        return promise_in_words(self.about)

    @property
    def note_on_people(self) -> str:
        """What a reader must know of people whose names are in training or validation."""
        if self.is_own_corpus:
            return f"{self.n_known} of these people were in training or validation: this is no independent test."
        return (
            f"{self.n_known} of these people have names that are in training or validation, of another corpus, or of "
            "one before it was merged: if they are the same people, this is no independent test."
        )


def evaluate_run(
    name: RunName,
    test: HeldOut = USUAL,
    *,
    root: Path,
    expected: Mapping[str, str] | None = None,
    reject: float = DEFAULT_ERROR,
) -> Verdict:
    """Score a split with a run and write results, scores and pictures.

    Parameters
    ----------
    name : RunName
        A study alone stands for its best trial.
    test : HeldOut
        By default the test split of the run's own corpus.
    root : Path
        Holds `embeddings/` and `runs/`.
    expected : mapping, optional
        What the run is expected to be, such as {"backbone": "lfcc"}.
    reject : float
        The error rate that decisions with rejection promise, see `metrics/conformal.py`.

    Raises
    ------
    ValueError
        When the clips cannot test the run: they are of one class, another model, or people of its training, or changed.
    """
    started = now()
    check_error(reject)
    trained = read_trained(root, name)
    trained.require(**expected or {})
    clips = read_held_out(trained, test, root)
    scores = trained.scores(clips.table)
    trials = Trials(clips.table.labels, clips.table.speakers, clips.table.systems)
    metrics = evaluate_with_intervals(trials, scores, trained.threshold)
    if reason := doubt(trials.labels, scores, of_own_run=True):
        warnings.warn(reason, stacklevel=2)
    about = {
        "corpus": clips.dataset.name,
        "path": clips.noted_path,
        "split": test.split,
        "gender": test.gender or "all",
        **({"classes": classes} if (classes := classes_in_words(clips.dataset)) else {}),
        "split_digest": clips.origin.get("split_digest"),
        "people_seen_in_training": clips.n_known,
        **_how_judged(trained, trials),
    }
    cues = CueJudge(trained).judge(clips.dataset, clips.table)
    about |= {"cue_baseline": cues.note} if cues.note else {}
    data = {
        "corpus": describe_corpus(clips.noted_path, clips.digest),
        trained.recipe.input.kind: {test.split: clips.origin},
    }
    origin = describe_origin(seed=trained.recipe.seed, data=data, started=started)
    breakdowns = _with_cues(_break_down(trained, clips, trials, scores), cues)
    tandem, asv = judge_in_tandem(clips.dataset, clips.table, scores)
    decided, promise = judge_with_rejection(trained, trials, scores, reject)
    about |= asv | promise
    folder = trained.folder / clips.folder_name(test)
    (folder / TEST_RESULTS).unlink(missing_ok=True)  # its presence says that the rest belongs to it
    _write_evidence(folder, clips.table, scores, trained.threshold)
    metrics |= locate_spoofs(trained, clips.table, folder) | tandem | decided
    metrics |= {KEY: cues.eer} if cues.eer else {}
    write_json(folder / TEST_PROVENANCE, origin)
    write_json(folder / TEST_RESULTS, {**metrics, EACH: cues.by_cue, "breakdowns": breakdowns, "about": about})
    return Verdict(folder, trained.folder, metrics, about, clips.n_known, clips.is_own_corpus)


def _break_down(trained: Trained, clips: HeldOutClips, trials: Trials, scores: np.ndarray) -> Breakdowns:
    """Return the metrics of each gender, spoof system and band of durations, and of each word where there are some."""
    table = clips.table
    parts = {
        "gender": parts_by_value(table.genders),
        "system": parts_by_system(table.labels, table.systems),
        "duration": parts_by_duration(_column(clips.dataset, table, "duration").astype(float)),
    }
    words = _column(clips.dataset, table, WORD)
    if words.any():
        parts[WORD] = parts_by_word(table.labels, words)
    return {what: break_down(trials, scores, trained.threshold, groups) for what, groups in parts.items()}


def _with_cues(breakdowns: Breakdowns, cues: CueVerdict) -> Breakdowns:
    """Return the breakdowns with the cue baseline of each system beside that of the run."""
    for system, eer in cues.by_system.items():
        if system in breakdowns.get("system", {}):
            breakdowns["system"][system][KEY] = eer
    return breakdowns


def _how_judged(trained: Trained, trials: Trials) -> dict[str, Any]:
    """Return where threshold, calibration and intervals come from, and when."""
    return {
        "threshold_from": VAL,
        "calibrated_on": VAL if trained.is_calibrated else None,
        "n_people": trials.n_people,
        "resampled": "people and spoof systems" if trials.known_systems else "people",
        "resamplings": N_RESAMPLINGS,
        "confidence": CONFIDENCE,
        "tested": now(),
    }


def bounds_of(metrics: Mapping[str, Metric]) -> dict[str, tuple[float, float]]:
    """Return the bounds of the metrics that have some."""
    both = {name: (metric["low"], metric["high"]) for name, metric in metrics.items()}
    return {name: (low, high) for name, (low, high) in both.items() if low is not None and high is not None}


def _column(dataset: Path, table: ClipTable, name: str) -> np.ndarray:
    """Return a column of the files table for clips, shape (n,); where there is none, NaN of `duration`, else ""."""
    nothing = np.nan if name in NUMBER_COLUMNS else ""
    files = read_files(dataset) if (dataset / FILES_TABLE).is_file() else pd.DataFrame()
    if name not in files:
        return np.full(len(table), nothing)
    return files.set_index("file")[name].reindex(table.files, fill_value=nothing).to_numpy()


def _write_evidence(folder: Path, table: ClipTable, scores: np.ndarray, threshold: float) -> None:
    """Write scores and pictures."""
    from src.visualize.curves import det_figure, roc_figure
    from src.visualize.decisions import confusion_figure, score_histogram

    write_table(folder / SCORES, score_table(table, scores))
    matrix = confusion_matrix(table.labels, scores, threshold)
    save_figure(folder / "confusion_matrix.png", confusion_figure(matrix, [LABEL_NAMES[0], LABEL_NAMES[1]]))
    save_figure(folder / "roc_curve.png", roc_figure(table.labels, scores))
    save_figure(folder / "det_curve.png", det_figure(table.labels, scores))
    save_figure(folder / "score_histogram.png", score_histogram(table.labels, scores, threshold))
