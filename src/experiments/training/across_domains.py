"""How a recipe does on what it has not heard: trained once more without each domain in turn, and judged on that.

For every spoof system (or corpus) of the validation people, a model is trained on the training people without that
domain, chooses its epoch on the validation people without it, and is judged on the validation people's clips of the
domain: their spoofs of the system with all their bona fide clips, or all their clips of the corpus. Voices of training
that spoke for this system alone are judged as well, since nothing of them is left in training. So nobody, and nothing
of the domain, is on both sides. What is minimised is the mean EER over domains, each with the same weight.

Scores are calibrated on each model's own validation clips, so those of all domains are on one scale: the threshold at
which they make both errors equally often is that of a run for which domains were left out. The run itself is trained
on all domains; only what it is chosen by, and where it decides, comes from models that had not heard everything.
"""

import shutil
import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from src.experiments.corpus.held_out_domains import (
    LEAST_CLIPS,
    PLURALS,
    SYSTEM,
    disagreement,
    domains_of,
    kinds_in,
    names_of,
    too_few_to_choose_by,
)
from src.experiments.corpus.splits import read_split
from src.experiments.inputs.contract import TRAIN, TrainingData
from src.experiments.runs.artefacts import CHECKPOINTS, HELD_OUT, read_array, save_array
from src.experiments.training.models import model_class
from src.experiments.training.recipe import Recipe
from src.metrics.across import Scored, eers_across
from src.metrics.bootstrap import Trials
from src.metrics.calibration import fit_calibration
from src.metrics.eer import operating_threshold
from src.metrics.verdict import Metric
from src.models.contract import Resumable, Workspace
from src.utils.clip_table import ClipTable
from src.utils.copies import without_copies
from src.utils.dataset import write_table
from src.utils.labels import BONAFIDE, SPOOF
from src.utils.processes import from_first, is_first

MEANS = {by: f"eer_across_{by}" for by in PLURALS}
"""Kind of domain -> the metric that is the mean EER over those left out."""
FOLDER = "left_out"
"""Of the trainings without a domain, within the folder of a run, while they are under way."""


@dataclass(frozen=True)
class WithoutDomain:
    """Training and validation without a domain, and what is then judged."""

    by: str
    """The kind of domain."""
    name: str
    data: TrainingData
    judged: ClipTable


@dataclass(frozen=True)
class LeftOut:
    """The domains that can be left out of a corpus's training, one after another."""

    folds: tuple[WithoutDomain, ...]
    notes: tuple[str, ...]
    """What must be known of the choice: domains that cannot be left out, and how few there are."""


@dataclass(frozen=True)
class AcrossDomains:
    """How a recipe did on what was left out."""

    table: pd.DataFrame
    """A row for each domain: by, domain, clips judged, EER and its bounds."""
    means: dict[str, Metric]
    """Kind of domain -> the mean EER."""
    threshold: float
    """In log-likelihood ratios: where both errors on all that was left out are equally frequent."""

    def metrics(self) -> dict[str, Any]:
        """Return what the metrics of a run say of it."""
        return {**{MEANS[by]: mean for by, mean in self.means.items()}, "threshold": self.threshold}


def leave_out_domains(dataset: Path, data: TrainingData, hold_out: str) -> LeftOut:
    """Return every domain of training and validation data that can be left out.

    Parameters
    ----------
    dataset : Path
        The corpus, whose tables name the domains.
    data : TrainingData
    hold_out : str
        The kinds of domains: system, corpus, or both with a comma.

    Raises
    ------
    ValueError
        When the tables do not name them, or fewer than two of a kind can be left out.
    """
    found = [_of_kind(dataset, data, by) for by in kinds_in(hold_out)]
    return LeftOut(tuple(fold for each in found for fold in each.folds), tuple(n for each in found for n in each.notes))


def _as_recorded(dataset: Path, train: ClipTable) -> np.ndarray:
    """Return which clips of a training are no augmented copies, shape (n,); those of a store follow their originals."""
    originals = without_copies(read_split(dataset, TRAIN))["file"].to_numpy(str)
    is_first = np.zeros(len(train), bool)
    is_first[np.unique(train.files, return_index=True)[1]] = True
    return is_first & np.isin(train.files, originals)


def _of_kind(dataset: Path, data: TrainingData, by: str) -> LeftOut:
    """Return the domains of one kind that can be left out."""
    both = type(data.train).one_after_another([data.train, data.val])
    domains = domains_of(dataset, both, by)
    of_train, of_val = domains[: len(data.train)], domains[len(data.train) :]
    as_recorded = _as_recorded(dataset, data.train) if by == SYSTEM else np.ones(len(data.train), bool)
    folds, notes = [], []
    for name in names_of(domains):
        is_judged = of_val == name
        if by == SYSTEM:
            is_judged = is_judged | (data.val.labels == BONAFIDE)
        train, val = data.train.take(of_train != name), data.val.take(of_val != name)
        judged = data.val.take(is_judged)
        if by == SYSTEM:
            voices = as_recorded & (of_train == name) & ~np.isin(data.train.speakers, train.speakers)
            judged = type(judged).one_after_another([judged, data.train.take(voices)])
        if why := _why_not(train, val, judged):
            notes.append(f"The {by} {name} is not left out: {why}.")
        else:
            folds.append(WithoutDomain(by, name, replace(data, train=train, val=val), judged))
    if len(folds) < 2:
        raise ValueError(
            f"Fewer than two {PLURALS[by]} of {dataset} can be left out of training. {' '.join([*notes, ''])}"
            "Give validation more people, or do without `hold_out`."
        )
    few = too_few_to_choose_by(len(folds), by)
    return LeftOut(tuple(folds), (*notes, *filter(None, [few])))


def tell(left_out: LeftOut) -> None:
    """Warn of what must be known of the choice."""
    for note in left_out.notes:
        warnings.warn(note, stacklevel=3)


def _why_not(train: ClipTable, val: ClipTable, judged: ClipTable) -> str:
    """Say why a domain cannot be left out; empty where it can."""
    for label, name in ((BONAFIDE, "bona fide"), (SPOOF, "spoofed")):
        n_judged = int(np.count_nonzero(judged.labels == label))
        if n_judged < LEAST_CLIPS:
            return f"validation people have {n_judged} {name} clips to judge by, fewer than {LEAST_CLIPS}"
        for table, part in ((train, "training"), (val, "validation")):
            if not np.count_nonzero(table.labels == label):
                return f"no {name} clip would be left in {part}"
    return ""


def disagreement_in(metrics: Mapping[str, Any]) -> str:
    """Return a warning where the metrics of a run are better in domain than across what was left out; else nothing."""
    across = {by: metrics[key] for by, key in MEANS.items() if key in metrics}
    return disagreement(metrics["eer"], {by: (eer["value"], eer["low"], eer["high"]) for by, eer in across.items()})


def objective(metrics: Mapping[str, Any], hold_out: str) -> float:
    """Return the EER that a run is chosen by: the mean across what was left out, or else that of its validation."""
    means = [float(metrics[MEANS[by]]["value"]) for by in kinds_in(hold_out)]
    return sum(means) / len(means) if means else float(metrics["eer"])


def write_across(recipe: Recipe, data: TrainingData, folder: Path, place: Path, workers: int) -> dict[str, Any]:
    """Judge a run on the domains that are left out, if any; write the EER of each, return mean and threshold.

    What the trainings keep lies in `place`, which processes that train together share; each writes to its `folder`.
    """
    if not recipe.hold_out:
        return {}
    left_out = leave_out_domains(recipe.dataset, data, recipe.hold_out)
    across = judge_across(recipe, left_out, place / FOLDER, workers)
    write_table(folder / HELD_OUT, across.table)
    if is_first():
        shutil.rmtree(place / FOLDER, ignore_errors=True)
    return across.metrics()


def judge_across(recipe: Recipe, left_out: LeftOut, folder: Path | None = None, workers: int = 0) -> AcrossDomains:
    """Train without each domain in turn, and judge each model on what it did not hear.

    Parameters
    ----------
    recipe : Recipe
    left_out : LeftOut
    folder : Path, optional
        Where a training of hours keeps its checkpoints and finished scores; a killed one resumes from there.
    workers : int
        Processes that read recordings.
    """
    with nullcontext(folder) if folder else TemporaryDirectory() as place:
        scores = [
            scores_without(recipe, fold, Path(place) / str(number), workers)
            for number, fold in enumerate(left_out.folds)
        ]
    rows, means = [], {}
    for by in dict.fromkeys(fold.by for fold in left_out.folds):
        scored = {
            fold.name: Scored(Trials(fold.judged.labels, fold.judged.speakers), found)
            for fold, found in zip(left_out.folds, scores, strict=True)
            if fold.by == by
        }
        each, means[by] = eers_across(scored)
        for name, eer in each.items():
            bounds = {"low": eer["low"], "high": eer["high"]}
            clips = len(scored[name].scores)
            rows.append({"by": by, "domain": name, "clips": clips, "eer": eer["value"], **bounds})
    labels = np.concatenate([fold.judged.labels for fold in left_out.folds])
    return AcrossDomains(pd.DataFrame(rows), means, operating_threshold(labels, np.concatenate(scores)))


def scores_without(recipe: Recipe, fold: WithoutDomain, folder: Path | None = None, workers: int = 0) -> np.ndarray:
    """Return the calibrated scores of what is judged, by a model that was trained without the domain.

    Parameters
    ----------
    recipe, fold
    folder : Path, optional
        Keeps the checkpoints of a training of hours until the scores are there, and then these alone.
    workers : int
        Processes that read recordings.
    """
    kept = folder / "scores.npy" if folder else None
    finished = from_first(lambda: read_array(kept) if kept and kept.is_file() else None)
    if finished is not None:
        return finished
    model = model_class(recipe.model)(recipe.config, seed=recipe.seed)
    if isinstance(model, Resumable) and folder:
        model.workspace = Workspace(folder / CHECKPOINTS, workers=workers)
    model.fit(fold.data.train, fold.data.val)
    calibration = fit_calibration(fold.data.val.labels, model.scores(fold.data.val.inputs))
    scores = calibration.apply(model.scores(fold.judged.inputs))
    if kept and is_first():
        kept.parent.mkdir(parents=True, exist_ok=True)
        save_array(kept, scores)
        shutil.rmtree(kept.with_name(CHECKPOINTS), ignore_errors=True)
    return scores
