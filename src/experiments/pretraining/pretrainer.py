"""Speech without labels in, the folder of a pretraining out.

runs/pretraining<k>/
  hyperparameters.json   what it is made from
  provenance.json        data, code, machine; written when it begins, and again when it ends
  start/                 the encoder before its first step, by save_pretrained
  half/                  the encoder after half of the steps
  signs.csv, signs.png   the signs of its health, row by row (`src/pretraining/health.py`)
  checkpoints/           while it is under way
  model/                 the encoder with the lowest loss on held-out speech, as `--model=` reads it, and what its
                         pretraining goes on from (`src/pretraining/onwards.py`)
  changes.csv, .png      how far each layer has moved, of a model that was carried on (`changes.py`)
  probe.csv, .png        what its layers are worth, where there are downstream splits (`probe.py`)
  metrics.json           losses and signs before and after, and what these two found; written last
"""

import json
import math
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from src.experiments.pretraining.data import PretrainingData, read_speech
from src.experiments.pretraining.recipe import PRETRAINING, PretrainingRecipe, how_to_resume_pretraining
from src.experiments.pretraining.review import (
    MODEL,
    SIGNS,
    START,
    draw_signs,
    in_words,
    is_due,
    keep_encoder,
    keep_half,
    review,
)
from src.experiments.runs.artefacts import CHECKPOINTS, HYPERPARAMETERS, METRICS, PROVENANCE
from src.experiments.runs.folders import alone, new_folder_of_all, telling_how_to_resume
from src.experiments.runs.provenance import describe_origin, now
from src.learning.checkpoints import has_checkpoint
from src.learning.randomness import own_randomness
from src.learning.weights import digest_of
from src.models.contract import Workspace
from src.pretraining.contract import Objective
from src.pretraining.health import judge
from src.pretraining.lesson import Pretraining, PretrainingLesson
from src.pretraining.loop import pretrain
from src.pretraining.onwards import begin, save_pretrained
from src.pretraining.progress import PretrainingProgress
from src.pretraining.speech import Crops
from src.utils.dataset import write_table
from src.utils.devices import choose_device, choose_precision
from src.utils.files import as_os_errors, read_json, text_digest, write_json
from src.utils.paths import runs_folder
from src.utils.processes import check_launcher, is_first, join_others, n_processes, own_place

MOST_HELD_OUT = 1200.0
"""Seconds of held-out speech that a validation listens to, at most; no more than is seen between two validations."""
MOST_STARTING = 400
"""Clips that an objective learns its units from."""


@dataclass(frozen=True)
class Pretrained:
    """A pretraining that has ended."""

    folder: Path
    family: str
    """The backbone that reads its model."""
    metrics: dict[str, Any]
    dataset: Path
    """The first of its corpora."""

    @property
    def model(self) -> Path:
        """The folder that `--model=` reads."""
        return self.folder / MODEL

    def __str__(self) -> str:
        found = self.metrics
        losses = f"held-out loss {found['start']['held_out_loss']:.4g} -> {found['held_out_loss']:.4g}"
        line = f"{self.folder}: {losses} after {found['hours_seen']:.3g} hours of speech; {found['words']}"
        return "\n".join([line, *in_words(found)])


@dataclass(frozen=True)
class Surroundings:
    """What a pretraining finds around it; none of it changes the weights."""

    root: Path
    """Holds `runs/`."""
    workers: int = 0
    """Processes that read recordings."""
    with_probe: bool = False
    """Whether the model is probed at the end (`probe.py`)."""


def pretrain_backbone(
    recipe: PretrainingRecipe, *, root: Path, workers: int = 0, with_probe: bool = False
) -> Pretrained:
    """Pretrain into a new folder `runs/pretraining<k>`.

    Raises
    ------
    ValueError, FileNotFoundError
        When the speech or the settings do not do, or the pretraining has collapsed or learnt nothing; a folder is left
        in the last two cases only, with the signs that led there.
    """
    check_launcher()
    _check_precision(recipe)
    data = read_speech(recipe, root)
    join_others()
    folder = new_folder_of_all(runs_folder(root), PRETRAINING)
    return pretrain_alone(recipe, data, folder, Surroundings(root, workers, with_probe))


def pretrain_alone(recipe: PretrainingRecipe, data: PretrainingData, folder: Path, around: Surroundings) -> Pretrained:
    """Pretrain, or resume it, while no other process may touch the folder.

    Raises
    ------
    KeyboardInterrupt, ValueError
        When it is stopped, or the disk is full, with the command that resumes it.
    """
    try:
        with telling_how_to_resume(folder, how_to_resume_pretraining), own_place(folder) as place, alone(place):
            return _pretrain_into(place, folder, recipe, data, around)
    except ValueError:
        if is_first() and not has_checkpoint(folder / CHECKPOINTS) and not (folder / SIGNS).is_file():
            shutil.rmtree(folder, ignore_errors=True)  # refused before it began
        raise


def _pretrain_into(
    place: Path, folder: Path, recipe: PretrainingRecipe, data: PretrainingData, around: Surroundings
) -> Pretrained:
    """Pretrain into a folder; checkpoints lie in the one that all processes share."""
    noted = read_json(place / PROVENANCE) if (place / PROVENANCE).is_file() else {}
    started = str(noted.get("started") or now())
    write_json(place / HYPERPARAMETERS, recipe.as_json(around.root))
    write_json(place / PROVENANCE, {**_origin(recipe, data, started), "ended": None})
    with own_randomness(recipe.seed):
        objective, has_learnt = begin(recipe.config)
        keep_encoder(objective.encoder, place / START)
        training = Pretraining(objective)
        digest = digest_of(training)
        lesson = _lesson(training, recipe, data)
        if not has_learnt and not has_checkpoint(folder / CHECKPOINTS):
            objective.start(lesson.crops.some(MOST_STARTING))
        identity = [asdict(recipe.config), digest, recipe.seed, data.files, n_processes()]
        workspace = Workspace(folder / CHECKPOINTS, None, around.workers)
        try:
            progress = pretrain(
                lesson, text_digest(json.dumps(identity)), workspace, lambda table: _tell(place, lesson, table)
            )
        finally:
            draw_signs(place)
    facts = {"start_weights_digest": digest, "parameters": sum(each.numel() for each in objective.parameters())}
    metrics = _metrics(lesson, progress)
    _write_model(place, objective, metrics)
    if is_first():
        metrics |= review(place, recipe, data, root=around.root, with_probe=around.with_probe)
    write_json(place / PROVENANCE, {**_origin(recipe, data, started), **facts})
    write_json(place / METRICS, metrics)
    if is_first():
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    return Pretrained(folder, objective.encoder.family, metrics, recipe.datasets[0])


def _lesson(training: Pretraining, recipe: PretrainingRecipe, data: PretrainingData) -> PretrainingLesson:
    """Return what is learnt from, and the batches that are held out: a few, chosen by the seed."""
    objective, config = training.objective, recipe.config
    crops = Crops(data.train, config, objective, recipe.seed)
    lesson = PretrainingLesson(training, config, crops, [], recipe.seed)
    if crops.augmented:
        crops.augmented.check()
    as_recorded = replace(config, augment="", noise_folder="", rooms_folder="")
    held_out = Crops(data.held_out, as_recorded, objective, recipe.seed)
    between = lesson.hours_after(lesson.n_steps) * 3600 / config.validations
    most = max(1, math.ceil(min(MOST_HELD_OUT, between) / held_out.mean_seconds))
    batches = [held_out.held_out(number) for number in range(min(most, held_out.a_round))]
    return replace(lesson, held_out=batches)


def _origin(recipe: PretrainingRecipe, data: PretrainingData, started: str) -> dict[str, Any]:
    return describe_origin(seed=recipe.seed, data=data.described(), started=started)


def _metrics(lesson: PretrainingLesson, progress: PretrainingProgress) -> dict[str, Any]:
    """Return losses and signs before and after, of the weights that are kept."""
    rows, step = progress.health["rows"], progress.steps[progress.best]
    warm_up = int(lesson.config.warmup * lesson.n_steps)
    until = [row for row in rows if row["step"] <= step]
    return {
        "held_out_loss": progress.held_out_losses[progress.best],
        "best_step": step,
        "steps": progress.steps[-1],
        "hours_seen": lesson.hours_after(progress.steps[-1]),
        "start": rows[0],
        "best": until[-1],
        "held_out": progress.best_signs,
        "end": rows[-1],
        "words": judge(until, warm_up),
    }


def _tell(place: Path, lesson: PretrainingLesson, table: pd.DataFrame) -> None:
    if len(table):
        write_table(place / SIGNS, table)
    if len(table) and not pd.isna(table["held_out_loss"].iloc[-1]):  # it has just been validated, not broken off
        if is_first() and is_due(place):
            draw_signs(place)
        keep_half(place, lesson.training.objective.encoder, int(table["step"].iloc[-1]), lesson.n_steps)


def _write_model(place: Path, objective: Objective, metrics: dict[str, Any]) -> None:
    """Write the model whole or not at all, over what a kill may have left."""
    fresh = place / f"{MODEL}.fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    facts = {name: metrics[name] for name in ("held_out_loss", "hours_seen", "steps")}
    with as_os_errors(fresh):
        save_pretrained(objective.cpu(), fresh, facts)
    shutil.rmtree(place / MODEL, ignore_errors=True)
    fresh.rename(place / MODEL)


def _check_precision(recipe: PretrainingRecipe) -> None:
    device = choose_device("auto")
    if recipe.config.precision == "bf16" and choose_precision("auto", device) != "bf16":
        raise ValueError(f"This machine has no hardware for bf16 (device {device}): pretrain with `precision=fp32`.")
