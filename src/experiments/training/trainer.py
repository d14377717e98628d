"""One trainer for all models: training and validation clips in, a run folder out.

Validation chooses the epoch, where there are epochs, and gives the calibration and the threshold that tests use. The
reported validation EER is that of the weights saved. `metrics.json` is written last: without it a run did not finish.
"""

import shutil
import warnings
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.experiments.inputs.contract import TRAIN, VAL, TrainingData, read_training_data
from src.experiments.runs.artefacts import (
    CALIBRATION,
    CHECKPOINTS,
    HYPERPARAMETERS,
    LAYER_PLOT,
    LAYER_WEIGHTS,
    LOSS_PLOT,
    METRICS,
    PROVENANCE,
    VAL_SCORES,
    read_array,
    save_array,
    save_figure,
    score_table,
)
from src.experiments.runs.commands import how_to_resume_training
from src.experiments.runs.folders import alone, new_folder_of_all, telling_how_to_resume
from src.experiments.runs.names import RUN, RunName
from src.experiments.training.across_domains import disagreement_in, leave_out_domains, tell, write_across
from src.experiments.training.localization import FRAME_THRESHOLD, localize
from src.experiments.training.models import model_class
from src.experiments.training.origin import begun, facts_of, origin
from src.experiments.training.recipe import Recipe
from src.learning.checkpoints import has_checkpoint
from src.metrics.calibration import fit_calibration
from src.metrics.eer import doubt, operating_threshold
from src.metrics.report import evaluate
from src.models.contract import Classifier, History, Resumable, Watch, Workspace, keep_going
from src.utils.clip_table import ClipTable
from src.utils.dataset import write_table
from src.utils.files import read_json, write_json
from src.utils.paths import runs_folder
from src.utils.processes import is_first, own_place

CURVES = ("train_losses", "val_losses", "val_eers")


@dataclass(frozen=True)
class Aids:
    """What helps a training of hours along; none of it changes its numbers."""

    log: str = ""
    """Where curves go while they grow: "tensorboard", or nowhere."""
    workers: int = 0
    """Processes that read recordings; 0 = the training itself."""
    run: Path | None = None
    """The folder whose checkpoints several processes share, of which only the first writes its results there."""

    def __post_init__(self) -> None:
        if self.log not in ("", "tensorboard"):
            raise ValueError(f"`log` must be tensorboard, or left out, not '{self.log}'.")
        if self.log and find_spec("tensorboard") is None:
            raise ValueError("TensorBoard is not installed: pip install -e '.[tensorboard]', or leave out `log`.")
        if self.workers < 0:
            raise ValueError(f"`workers` must be 0 or more, not {self.workers}.")


@dataclass(frozen=True)
class Run:
    """A run that has just been trained, and where it lies."""

    folder: Path
    model: Classifier
    history: History
    metrics: dict[str, Any]
    hyperparameters: dict[str, Any]

    doubt: str = ""
    """Why its validation EER should be doubted; empty where there is no reason to."""

    @property
    def name(self) -> RunName:
        """The name of the run."""
        return RunName.of(self.folder)

    def __str__(self) -> str:
        return f"{self.folder}: validation EER {self.metrics['eer']:.2%}"


def train_model(recipe: Recipe, *, root: Path, aids: Aids | None = None) -> Run:
    """Train one model into `runs/run<m>`.

    Parameters
    ----------
    recipe : Recipe
    root : Path
        Holds what the project computed, and `runs/`.
    aids : Aids, optional
        Of a training of hours.

    Raises
    ------
    ValueError, FileNotFoundError
        When the input cannot be used, or the model refuses its hyperparameters; then no folder is left.
    """
    opened = recipe.input.open(recipe.dataset, root)
    opened.check(TRAIN, VAL)
    data = read_training_data(opened)
    if recipe.hold_out:
        tell(leave_out_domains(recipe.dataset, data, recipe.hold_out))
    folder = new_folder_of_all(runs_folder(root), RUN)
    try:
        return train_alone(recipe, data, folder, aids)
    except (ValueError, FileNotFoundError):
        if is_first() and not (folder / CHECKPOINTS).is_dir():  # refused before its first checkpoint
            shutil.rmtree(folder, ignore_errors=True)
        raise


def train_alone(recipe: Recipe, data: TrainingData, folder: Path, aids: Aids | None = None) -> Run:
    """Train a run that belongs to no study, while no other process may touch its folder; draw its curves.

    Raises
    ------
    KeyboardInterrupt, ValueError
        When it is stopped, or the disk is full, with the command that resumes it where it can be resumed.
    """
    try:
        with telling_how_to_resume(folder, _how_to_resume), own_place(folder) as place, alone(place):
            run = train_run(recipe, data, place, aids=replace(aids or Aids(), run=folder))
            draw_losses(place)
    except ValueError:
        if is_first() and not has_checkpoint(folder / CHECKPOINTS):  # nothing is lost: type the same command again
            shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
        raise
    if run.doubt:
        warnings.warn(run.doubt, stacklevel=2)
    return replace(run, folder=folder)


def _how_to_resume(folder: Path) -> str:
    return how_to_resume_training(RunName.of(folder))


def train_run(
    recipe: Recipe, data: TrainingData, folder: Path, *, watch: Watch = keep_going, aids: Aids | None = None
) -> Run:
    """Train what `recipe` says into a folder that was made for it.

    Parameters
    ----------
    recipe : Recipe
    data : TrainingData
    folder : Path
    watch : callable
        Called after every epoch; it may stop the training, and `metrics.json` then says `"pruned": true`.
    aids : Aids, optional
        Of a training of hours, which keeps checkpoints in the folder and resumes from them.
    """
    started = begun(folder)
    hyperparameters = recipe.as_json(data.described)
    write_json(folder / HYPERPARAMETERS, hyperparameters)
    model = model_class(recipe.model)(recipe.config, seed=recipe.seed)
    if isinstance(model, Resumable):  # it may be killed: what it is made from is noted at its start
        model.workspace = _workspace(folder, aids or Aids())
        write_json(folder / PROVENANCE, {**origin(recipe, data, started), "ended": None})
    stops: list[bool] = []

    def noting(epoch: int, best_eer: float) -> bool:
        stops.append(watch(epoch, best_eer))
        return stops[-1]

    history = model.fit(data.train, data.val, noting)
    _write_model(folder, model, history, data)
    write_json(folder / PROVENANCE, {**origin(recipe, data, started), **facts_of(model)})
    scores = model.scores(data.val.inputs)
    aids = aids or Aids()
    across = write_across(recipe, data, folder, aids.run or folder, aids.workers)
    metrics = _write_validation(folder, scores, history, data.val, across) | ({"pruned": True} if any(stops) else {})
    if found := localize(model, data.val):
        metrics |= {**found.errors(), FRAME_THRESHOLD: found.threshold()}
    write_json(folder / METRICS, metrics)
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    doubts = [doubt(data.val.labels, scores, of_own_run=True), disagreement_in(metrics)]
    return Run(folder, model, history, metrics, hyperparameters, " ".join(filter(None, doubts)))


def _workspace(folder: Path, aids: Aids) -> Workspace:
    """Return what a training of hours finds around it."""
    place = aids.run or folder
    return Workspace(place / CHECKPOINTS, place / aids.log if aids.log else None, aids.workers)


def _write_model(folder: Path, model: Classifier, history: History, data: TrainingData) -> None:
    """Write the weights, the curves and, where a model has learnt one, the mix of layers."""
    model.save(folder)
    note_layer_weights(folder, model, data)
    for name in CURVES:
        save_array(folder / f"{name}.npy", getattr(history, name))


def note_layer_weights(folder: Path, model: Classifier, data: TrainingData) -> None:
    """Write how much each layer counts in the mix that a model has learnt; most learn none."""
    weights = getattr(model, "layer_weights", None)
    if weights is not None:
        write_table(folder / LAYER_WEIGHTS, pd.DataFrame({"layer": data.origins[TRAIN]["layers"], "weight": weights}))


def _write_validation(
    folder: Path, scores: np.ndarray, history: History, val: ClipTable, across: dict[str, Any]
) -> dict[str, Any]:
    """Write calibration and calibrated scores of the validation clips; return their metrics and those `across`."""
    calibration = fit_calibration(val.labels, scores)
    write_json(folder / CALIBRATION, asdict(calibration))
    calibrated = calibration.apply(scores)
    write_table(folder / VAL_SCORES, score_table(val, calibrated))
    return validate(calibrated, history, val, across.get("threshold")) | across


def draw_losses(folder: Path) -> None:
    """Draw the curves of a finished run, of which one of a single epoch has none, and the weights of its layers."""
    from src.visualize.curves import loss_figure
    from src.visualize.layers import weights_figure

    if (folder / LAYER_WEIGHTS).is_file():
        weights = pd.read_csv(folder / LAYER_WEIGHTS)
        save_figure(folder / LAYER_PLOT, weights_figure(weights["layer"], weights["weight"]))

    curves = [read_array(folder / f"{name}.npy") for name in CURVES]
    if len(curves[0]) > 1:
        save_figure(folder / LOSS_PLOT, loss_figure(*curves, kept=read_json(folder / METRICS)["best_epoch"]))


def validate(scores: np.ndarray, history: History, val: ClipTable, threshold: float | None = None) -> dict[str, Any]:
    """Return every metric of the weights kept on the validation table, decisions at a threshold, or that of its EER."""
    limit = operating_threshold(val.labels, scores) if threshold is None else threshold
    report = evaluate(val.labels, scores, threshold=limit)
    return {"split": VAL, "best_epoch": history.best, **report}
