"""A pretraining that was killed, carried on from its newest checkpoint to the weights that it would have ended with."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from src.experiments.pretraining.data import read_speech
from src.experiments.pretraining.pretrainer import Pretrained, Surroundings, pretrain_alone
from src.experiments.pretraining.recipe import PretrainingRecipe, find_pretraining
from src.experiments.pretraining.review import MODEL
from src.experiments.runs.artefacts import CHECKPOINTS, HYPERPARAMETERS, METRICS, PROVENANCE
from src.utils.files import read_record
from src.utils.processes import check_launcher, is_first, join_others


def resume_pretraining(
    name: str, *, root: Path, workers: int = 0, with_probe: bool = False, datasets: Sequence[Path] = ()
) -> Pretrained:
    """Resume a pretraining; everything it needs to know stands in its folder, and `datasets` can only be its own.

    Raises
    ------
    FileNotFoundError
        When there is none of that name.
    ValueError
        When it is finished, keeps no checkpoints, is of other corpora, or its speech has changed.
    """
    check_launcher()
    folder = find_pretraining(root, name)
    if (folder / METRICS).is_file():
        if is_first():
            shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)  # a kill may have come just before this
        raise ValueError(f"{folder.name} is finished: its model lies in {folder / MODEL}.")
    if not (folder / CHECKPOINTS).is_dir():
        raise ValueError(f"{folder.name} keeps no checkpoints to resume from: begin it again.")
    values = read_record(folder / HYPERPARAMETERS, "corpora", "splits", "seed", "objective")
    recipe = PretrainingRecipe.from_json(values, root)
    if datasets and tuple(datasets) != recipe.datasets:
        own = ", ".join(map(str, recipe.datasets))
        raise ValueError(f"`dataset`: {folder.name} goes on with {own}, and no other corpus: leave it out.")
    data = read_speech(recipe, root)
    data.require_same(read_record(folder / PROVENANCE, "data")["data"], folder)
    join_others()
    return pretrain_alone(recipe, data, folder, Surroundings(root, workers, with_probe))
