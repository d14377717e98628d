"""Cross-validation: every clip of a corpus is scored by a run that never saw its person, system or corpus.

A single test has the people of one split, often too few for a narrow interval. Here the people of all three downstream
splits are dealt into folds (`folds.py`), and each fold is a training like any other, with validation people of its own
for epoch, calibration and threshold. Scores are pooled as log-likelihood ratios by each fold's calibration; decisions
are made at each fold's threshold.

The interval is over people, as that of a test. It takes the runs as they are: that other training data would have given
other runs is not in it. Nothing is chosen here, and hyperparameters that were tuned on some of these people make the
result a little too good.

`runs/cross<k>` holds the folder of each fold, written by the trainer, with the scores of its clips; pooled scores; the
table of folds; and the verdict, written last. A killed cross-validation resumes: finished folds are kept, and a
detector's training carries on from its checkpoints.
"""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from tqdm import tqdm

from src.experiments.corpus.held_out_domains import LEAST_CLIPS, domains_of, names_of
from src.experiments.corpus.splits import read_split
from src.experiments.evaluation.crossed import MEANS_OF_CUES, CrossValidation
from src.experiments.evaluation.cue_verdict import KEY
from src.experiments.evaluation.cues_of_folds import CuesOfFolds, judge_cues_of_folds
from src.experiments.evaluation.folds import PERSON, Fold, make_folds, require_scheme
from src.experiments.evaluation.pooled_folds import LEFT_OUT, PooledFolds, pool_folds
from src.experiments.inputs.contract import TEST, TRAIN, VAL, Input, OpenInput, TrainingData
from src.experiments.runs.artefacts import (
    FOLDS,
    HYPERPARAMETERS,
    METRICS,
    PROVENANCE,
    SCORES,
    TEST_PROVENANCE,
    TEST_RESULTS,
    save_figure,
    score_table,
)
from src.experiments.runs.folders import alone, folder_to_resume
from src.experiments.runs.names import CROSS
from src.experiments.runs.provenance import describe_origin, now
from src.experiments.training.across_domains import MEANS
from src.experiments.training.origin import data_origin
from src.experiments.training.recipe import Recipe
from src.experiments.training.trained import read_trained_folder
from src.experiments.training.trainer import Aids, train_run
from src.metrics.bootstrap import CONFIDENCE, N_RESAMPLINGS
from src.metrics.classification import confusion_matrix
from src.metrics.eer import doubt
from src.utils.clip_table import ClipTable
from src.utils.copies import are_copies
from src.utils.dataset import write_table
from src.utils.files import text_digest, write_json
from src.utils.labels import BONAFIDE, LABEL_NAMES, SPOOF
from src.utils.paths import runs_folder

INPUTS = "cross.json"
SPLITS = (TRAIN, VAL, TEST)


@dataclass(frozen=True)
class Scheme:
    """How a cross-validation divides its clips."""

    by: str = PERSON
    folds: int = 5
    """Shares of the people."""

    def __post_init__(self) -> None:
        require_scheme(self.by, self.folds)


def cross_validate(recipe: Recipe, scheme: Scheme, *, root: Path, aids: Aids | None = None) -> CrossValidation:
    """Train a run for every fold, score what it did not see, and write the pooled verdict into `runs/cross<k>`.

    Parameters
    ----------
    recipe : Recipe
        What is trained in every fold.
    scheme : Scheme
    root : Path
        Holds `embeddings/` and `runs/`.
    aids : Aids, optional
        Of a training of hours.

    Raises
    ------
    ValueError, FileNotFoundError
        When the clips cannot be divided so, or their input cannot be used; then no folder is left.
    """
    started = now()
    recipe = replace(recipe, hold_out="", input=_of_the_clips_alone(recipe.input))  # nothing is chosen here
    opened = recipe.input.open(recipe.dataset, root)
    opened.check(*SPLITS)
    table = ClipTable.one_after_another([opened.read(split) for split in SPLITS])
    rows = pd.concat([read_split(recipe.dataset, split) for split in SPLITS])
    table = table.take(~np.isin(table.files, rows["file"][are_copies(rows)].to_numpy(str)))
    domains = None if scheme.by == PERSON else domains_of(recipe.dataset, table, scheme.by)
    folds = make_folds(table, domains, by=scheme.by, n_folds=scheme.folds, seed=recipe.seed)
    _tell_of_few_clips(domains, scheme.by)
    data = TrainingData(
        table, table, {split: opened.origin(split) for split in SPLITS}, opened.describe(), opened.noted_path
    )
    inputs = {**recipe.as_json(data.described), "by": scheme.by, "folds": scheme.folds}
    dealt = [sorted(table.files[fold.test].tolist()) for fold in folds]  # by what the tables say of domains now
    asked = {**inputs, "data": opened.identity(*SPLITS), "dealt": text_digest(repr(dealt))}
    folder = folder_to_resume(runs_folder(root), CROSS, asked, note=INPUTS, last=TEST_RESULTS)
    write_json(folder / HYPERPARAMETERS, inputs)
    with alone(folder):
        for number, fold in enumerate(tqdm(folds, desc=folder.name, unit="fold", disable=None)):
            _run_fold(recipe, data, fold, folder / f"fold{number}", aids)
        pooled = pool_folds(table, folds, folder)
        cues = judge_cues_of_folds(recipe.dataset, table, rows, folds)
        people = {"people": {"every fold": table.people()}}
        origin = describe_origin(seed=recipe.seed, data=data_origin(recipe, data) | people, started=started)
        return _write(folder, pooled, cues, scheme, opened, origin)


def _of_the_clips_alone(eaten: Input) -> Input:
    """Return an input without augmented copies and without a teacher: they know people whom a fold scores."""
    without: dict[str, Any] = {"augment": "", "copies": 0, "teacher": ""}
    named = {key: value for key, value in without.items() if getattr(eaten, key, value) != value}
    if not named:
        return eaten
    warnings.warn(f"Cross-validated without {' and '.join(named)}: people of the test are known to it.", stacklevel=3)
    cleared: Any = eaten
    return cast(Input, replace(cleared, **named))


def _run_fold(recipe: Recipe, data: TrainingData, fold: Fold, folder: Path, aids: Aids | None) -> None:
    """Train the run of a fold and score its clips, unless that was done."""
    if (folder / SCORES).is_file():
        return
    folder.mkdir(exist_ok=True)
    table = data.train
    train, val, test = (table.take(rows) for rows in (fold.train, fold.val, fold.test))
    if not (folder / METRICS).is_file():
        train_run(recipe, TrainingData(train, val, data.origins, data.described, data.corpus), folder, aids=aids)
    trained = read_trained_folder(folder, folder, recipe.dataset)
    write_table(folder / SCORES, score_table(test, trained.scores(test)))


def _tell_of_few_clips(domains: np.ndarray | None, by: str) -> None:
    """Warn of systems and corpora whose error rate will say little."""
    if domains is None:
        return
    for name in names_of(domains):
        n_clips = int(np.count_nonzero(domains == name))
        if n_clips < LEAST_CLIPS:
            warnings.warn(f"The {by} {name} has {n_clips} clips only: its EER says little.", stacklevel=2)


def _write(
    folder: Path, pooled: PooledFolds, cues: CuesOfFolds, scheme: Scheme, opened: OpenInput, origin: dict[str, Any]
) -> CrossValidation:
    """Write scores, pictures, the table of folds and the verdict; the verdict last."""
    table, metrics = pooled.table, pooled.metrics()
    found = {MEANS.get(scheme.by): pooled.mean, KEY: cues.eer, MEANS_OF_CUES.get(scheme.by): cues.mean}
    metrics |= {name: metric for name, metric in found.items() if name and metric}
    scores = score_table(table, pooled.scores).assign(fold=pooled.fold, threshold=pooled.thresholds)
    write_table(folder / SCORES, scores)
    write_table(folder / FOLDS, pooled.folds)
    _draw(folder, pooled)
    about = {
        "corpus": opened.dataset.name,
        "path": opened.noted_path,
        "split": " + ".join(SPLITS),
        "by": scheme.by,
        "folds": len(pooled.folds),
        "threshold_from": "the validation people of each fold",
        "calibrated_on": "the validation people of each fold",
        **({"cue_baseline": cues.note} if cues.note else {}),
        "n_people": pooled.trials.n_people,
        "resampled": "people and spoof systems" if pooled.trials.known_systems else "people",
        "resamplings": N_RESAMPLINGS,
        "confidence": CONFIDENCE,
        "tested": now(),
    }
    for name in (PROVENANCE, TEST_PROVENANCE):
        write_json(folder / name, origin)
    breakdowns = pooled.breakdowns()
    for name, eer in cues.left_out.items():
        breakdowns[LEFT_OUT][name][KEY] = eer
    write_json(folder / TEST_RESULTS, {**metrics, "breakdowns": breakdowns, "about": about})
    if reason := doubt(table.labels, pooled.scores, of_own_run=True):
        warnings.warn(reason, stacklevel=2)
    return CrossValidation(folder, metrics, pooled.folds, pooled.left_out, cues.left_out, about)


def _draw(folder: Path, pooled: PooledFolds) -> None:
    """Draw the pooled scores; decisions are those at the threshold of each fold."""
    from src.visualize.curves import det_figure, roc_figure
    from src.visualize.decisions import confusion_figure

    labels = pooled.table.labels
    matrix = confusion_matrix(labels, pooled.scores - pooled.thresholds, 0.0)
    save_figure(folder / "det_curve.png", det_figure(labels, pooled.scores))
    save_figure(folder / "roc_curve.png", roc_figure(labels, pooled.scores))
    save_figure(folder / "confusion_matrix.png", confusion_figure(matrix, [LABEL_NAMES[SPOOF], LABEL_NAMES[BONAFIDE]]))
