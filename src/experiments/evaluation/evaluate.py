"""One evaluator for all classifiers: a finished run and a split in, scores, metrics and pictures out.

Calibration and threshold are the validation's, so the scores are log-likelihood ratios as far as validation can tell.
Every metric has an interval over people, and is given for each gender, spoof system and duration. People whose clips
chose the weights may not judge them: a downstream_test that holds one of them is refused; a test on any other split
says how many it holds. Nothing here chooses anything.

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

from src.experiments.inputs.embeddings import (
    people_in,
    read_split_embeddings,
    require_both_classes,
    require_same_model,
    require_unchanged_recordings,
)
from src.experiments.runs.folders import (
    CALIBRATION,
    METRICS,
    PROVENANCE,
    SCORES,
    TEST_PROVENANCE,
    TEST_RESULTS,
    find_run,
    read_hyperparameters,
    save_figure,
)
from src.experiments.runs.provenance import describe_origin, now
from src.experiments.training.trainer import load_calibration, load_run
from src.metrics.bootstrap import CONFIDENCE, N_RESAMPLINGS, Trials
from src.metrics.classification import confusion_matrix
from src.metrics.eer import doubt
from src.metrics.verdict import (
    Metric,
    break_down,
    evaluate_with_intervals,
    parts_by_duration,
    parts_by_system,
    parts_by_value,
)
from src.utils.dataset import FILES_TABLE, read_files, write_table
from src.utils.embeddings import EmbeddingTable
from src.utils.files import read_record, write_json
from src.utils.labels import LABEL_NAMES

TEST_SPLIT = "downstream_test"


@dataclass(frozen=True)
class Verdict:
    """What a test found, and where it lies."""

    folder: Path
    run: Path
    metrics: dict[str, Metric]
    about: dict[str, Any]
    n_known: int
    """People of the split who were in training or validation; above 0 it is no test."""


def evaluate_run(
    dataset: Path,
    *,
    root: Path,
    run_number: int = -1,
    study_number: int = -1,
    backbone: str = "",
    classifier: str = "",
    gender: str = "",
    split: str = TEST_SPLIT,
) -> Verdict:
    """Score a split with a run's classifier and write results, scores and pictures.

    Parameters
    ----------
    dataset : Path
        The corpus that the split is of.
    root : Path
        Holds `embeddings/` and `runs/`.
    run_number, study_number : int
        Which run; a study without a run number stands for its best trial.
    backbone, classifier : str
        What the run is expected to be; empty = whatever it is. A study is found by its classifier's name.
    gender : str
        F or M: only clips of these people; empty = all.
    split : str
    """
    started = now()
    run = find_run(root, run_number, study_number, classifier)
    trained = read_hyperparameters(run)
    for key, wanted in (("backbone", backbone), ("classifier", classifier)):
        if wanted and trained[key] != wanted:
            raise ValueError(f"{run} was trained with the {key} {trained[key]}, not {wanted}.")
    table, meta, known = _read_clips(run, trained, dataset, root, split=split, gender=gender)
    scores = load_calibration(run).apply(load_run(run).scores(table.vectors))
    threshold = read_record(run / METRICS, "threshold")["threshold"]
    trials = Trials(table.labels, table.speakers, table.systems)
    metrics = evaluate_with_intervals(trials, scores, threshold)
    if said := doubt(trials.labels, scores):
        warnings.warn(said, stacklevel=2)
    parts = {
        "gender": parts_by_value(table.genders),
        "system": parts_by_system(table.labels, table.systems),
        "duration": parts_by_duration(_durations(dataset, table)),
    }
    breakdowns = {what: break_down(trials, scores, threshold, groups) for what, groups in parts.items()}
    usual = (dataset.name, split, gender) == (trained["corpus"], TEST_SPLIT, "")
    folder = run if usual else run / "-".join(filter(None, ["test", dataset.name, split, gender]))
    about = {
        "corpus": dataset.name,
        "split": split,
        "gender": gender or "all",
        "split_digest": meta["split_digest"],
        "people_seen_in_training": len(known),
        **_how_judged(run, trials),
    }
    origin = describe_origin(root, seed=trained["seed"], data={"embeddings": {split: meta}}, started=started)
    (folder / TEST_RESULTS).unlink(missing_ok=True)  # its presence says that the rest belongs to it
    _write_evidence(folder, table, scores, threshold)
    write_json(folder / TEST_PROVENANCE, origin)
    write_json(folder / TEST_RESULTS, {**metrics, "breakdowns": breakdowns, "about": about})
    return Verdict(folder, run, metrics, about, len(known))


def _read_clips(
    run: Path, trained: Mapping[str, Any], dataset: Path, root: Path, *, split: str, gender: str
) -> tuple[EmbeddingTable, dict[str, Any], list[str]]:
    """Return the clips of a split, what their store says, and the people among them whom the run's training had seen.

    Raises
    ------
    ValueError
        When they cannot judge the run: of one class, another model or changed recordings, or the test split holds
        people of the training.
    """
    place = (trained["backbone"], split, trained["layer"], trained["pooling"], gender)
    table, meta = read_split_embeddings(root, dataset, *place)
    require_both_classes(table, f"{split} of {dataset}" + (f", gender {gender}," if gender else ""))
    trained_on = read_record(run / PROVENANCE, "data")["data"]
    require_same_model(
        trained_on["embeddings"]["downstream_train"],
        meta,
        f"The embeddings that {run} was trained on and those of {split}",
    )
    require_unchanged_recordings(root, dataset, trained["backbone"], split)
    return table, meta, _known_people(run, trained_on["people"], table, split)


def _how_judged(run: Path, trials: Trials) -> dict[str, Any]:
    """Return where threshold, calibration and intervals come from, and when."""
    return {
        "threshold_from": "downstream_val",
        "calibrated_on": "downstream_val" if (run / CALIBRATION).is_file() else None,
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


def _durations(dataset: Path, table: EmbeddingTable) -> np.ndarray:
    """Return the durations of clips in s, shape (n,); NaN where nobody measured them."""
    files = read_files(dataset) if (dataset / FILES_TABLE).is_file() else pd.DataFrame()
    if "duration" not in files:
        return np.full(len(table), np.nan)
    return files.set_index("file")["duration"].astype(float).reindex(table.files).to_numpy()


def _write_evidence(folder: Path, table: EmbeddingTable, scores: np.ndarray, threshold: float) -> None:
    """Write scores and pictures."""
    from src.visualize.curves import det_figure, roc_figure
    from src.visualize.decisions import confusion_figure, score_histogram

    write_table(folder / SCORES, score_table(table, scores))
    matrix = confusion_matrix(table.labels, scores, threshold)
    save_figure(folder / "confusion_matrix.png", confusion_figure(matrix, [LABEL_NAMES[0], LABEL_NAMES[1]]))
    save_figure(folder / "roc_curve.png", roc_figure(table.labels, scores))
    save_figure(folder / "det_curve.png", det_figure(table.labels, scores))
    save_figure(folder / "score_histogram.png", score_histogram(table.labels, scores, threshold))


def score_table(table: EmbeddingTable, scores: np.ndarray) -> pd.DataFrame:
    """Return the rows of `scores.csv`; a score is a log-likelihood ratio, higher = more bona fide."""
    return pd.DataFrame(
        {
            "file": table.files,
            "label": [LABEL_NAMES[int(label)] for label in table.labels],
            "score": scores,
            "speaker": table.speakers,
            "gender": table.genders,
            "system": table.systems,
        }
    )


def _known_people(run: Path, trained_on: dict[str, list[str]], table: EmbeddingTable, split: str) -> list[str]:
    """Return the people of a split who were in training or validation; refuse them in the test split."""
    known = sorted({person for people in trained_on.values() for person in people} & set(people_in(table)))
    if known and split == TEST_SPLIT:
        raise ValueError(
            f"{len(known)} people of {split} were in the training of {run} (first: {known[0]}): "
            "the corpus has been split another way since; train again."
        )
    return known
