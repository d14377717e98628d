"""One trainer for all models: training and validation clips in, a run folder out.

Validation chooses the epoch, where there are epochs, and gives the calibration and the threshold that tests use. The
reported validation EER is that of the weights saved. `metrics.json` is written last: without it a run did not finish.
"""

import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.experiments.inputs.contract import TRAIN, VAL, TrainingData, read_training_data
from src.experiments.runs.artefacts import (
    CALIBRATION,
    HYPERPARAMETERS,
    LAYER_PLOT,
    LAYER_WEIGHTS,
    LOSS_PLOT,
    METRICS,
    PROVENANCE,
    read_array,
    save_array,
    save_figure,
)
from src.experiments.runs.folders import new_numbered_folder
from src.experiments.runs.lineage import describe_corpus
from src.experiments.runs.names import RUN, RunName
from src.experiments.runs.provenance import describe_origin, now
from src.experiments.training.recipe import Recipe
from src.metrics.calibration import fit_calibration
from src.metrics.eer import doubt, operating_threshold
from src.metrics.report import evaluate
from src.models import classifier_class
from src.models.contract import Classifier, History, Watch, keep_going
from src.utils.clip_table import ClipTable
from src.utils.dataset import write_table
from src.utils.files import write_json
from src.utils.paths import runs_folder

CURVES = ("train_losses", "val_losses", "val_eers")


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


def train_model(recipe: Recipe, *, root: Path) -> Run:
    """Train one model into `runs/run<m>`.

    Parameters
    ----------
    recipe : Recipe
    root : Path
        Holds what the project computed, and `runs/`.

    Raises
    ------
    ValueError, FileNotFoundError
        When the input cannot be used; then no folder is made.
    """
    opened = recipe.input.open(recipe.dataset, root)
    opened.check(TRAIN, VAL)
    data = read_training_data(opened)
    run = train_run(recipe, data, new_numbered_folder(runs_folder(root), RUN))
    draw_losses(run.folder)
    if run.doubt:
        warnings.warn(run.doubt, stacklevel=2)
    return run


def train_run(recipe: Recipe, data: TrainingData, folder: Path, *, watch: Watch = keep_going) -> Run:
    """Train what `recipe` says into a folder that was made for it.

    Parameters
    ----------
    recipe : Recipe
    data : TrainingData
    folder : Path
    watch : callable
        Called after every epoch; it may stop the training, and `metrics.json` then says `"pruned": true`.
    """
    started = now()
    hyperparameters = recipe.as_json(data.described)
    write_json(folder / HYPERPARAMETERS, hyperparameters)
    model = classifier_class(recipe.model)(recipe.config, seed=recipe.seed)
    stops: list[bool] = []

    def noting(epoch: int, best_eer: float) -> bool:
        stops.append(watch(epoch, best_eer))
        return stops[-1]

    history = model.fit(data.train, data.val, noting)
    model.save(folder)
    note_layer_weights(folder, model, data)
    for name in CURVES:
        save_array(folder / f"{name}.npy", getattr(history, name))
    write_json(folder / PROVENANCE, _origin(recipe, data, started))
    scores = model.scores(data.val.inputs)
    calibration = fit_calibration(data.val.labels, scores)
    write_json(folder / CALIBRATION, asdict(calibration))
    metrics = validate(calibration.apply(scores), history, data.val) | ({"pruned": True} if any(stops) else {})
    write_json(folder / METRICS, metrics)
    return Run(folder, model, history, metrics, hyperparameters, doubt(data.val.labels, scores))


def note_layer_weights(folder: Path, model: Classifier, data: TrainingData) -> None:
    """Write how much each layer counts in the mix that a model has learnt; most learn none."""
    weights = getattr(model, "layer_weights", None)
    if weights is not None:
        write_table(folder / LAYER_WEIGHTS, pd.DataFrame({"layer": data.origins[TRAIN]["layers"], "weight": weights}))


def draw_losses(folder: Path) -> None:
    """Draw the curves of a finished run, of which one of a single epoch has none, and the weights of its layers."""
    from src.visualize.curves import loss_figure
    from src.visualize.layers import weights_figure

    if (folder / LAYER_WEIGHTS).is_file():
        weights = pd.read_csv(folder / LAYER_WEIGHTS)
        save_figure(folder / LAYER_PLOT, weights_figure(weights["layer"], weights["weight"]))

    curves = [read_array(folder / f"{name}.npy") for name in CURVES]
    if len(curves[0]) > 1:
        save_figure(folder / LOSS_PLOT, loss_figure(*curves))


def validate(scores: np.ndarray, history: History, val: ClipTable) -> dict[str, Any]:
    """Return every metric of the weights kept on the validation table, decisions at the threshold of its EER."""
    report = evaluate(val.labels, scores, threshold=operating_threshold(val.labels, scores))
    return {"split": VAL, "best_epoch": history.best, **report}


def data_origin(recipe: Recipe, data: TrainingData) -> dict[str, Any]:
    """Return what provenance says of the data: the corpus, the input's origin by its kind, and the people, by split."""
    return {
        "corpus": describe_corpus(data.corpus, data.origins[TRAIN].get("corpus_digest")),
        recipe.input.kind: dict(data.origins),
        "people": data.people(),
    }


def _origin(recipe: Recipe, data: TrainingData, started: str) -> dict[str, Any]:
    return describe_origin(seed=recipe.seed, data=data_origin(recipe, data), started=started)
