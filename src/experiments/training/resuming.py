"""A training that was killed, carried on from its newest checkpoint to the weights that it would have ended with."""

import shutil
from pathlib import Path

from src.experiments.inputs.contract import TRAIN, VAL, read_training_data, require_same_data
from src.experiments.runs.artefacts import CHECKPOINTS, HYPERPARAMETERS, METRICS, PROVENANCE, read_hyperparameters
from src.experiments.runs.commands import corpus_of, how_to_test, how_to_train_again
from src.experiments.runs.folders import find_folder
from src.experiments.runs.lineage import corpus_path
from src.experiments.runs.names import RunName
from src.experiments.training.recipe import Recipe
from src.experiments.training.trainer import Aids, Run, train_alone
from src.utils.files import read_record


def resume_run(name: RunName, *, root: Path, aids: Aids | None = None, dataset: Path | None = None) -> Run:
    """Resume the training of a run.

    Everything that the training needs to know stands in the run's folder.

    Parameters
    ----------
    name : RunName
        A run that belongs to no study: a study resumes its own trials.
    root : Path
        Holds `runs/`.
    aids : Aids, optional
    dataset : Path, optional
        Its corpus, which can only be its own.

    Raises
    ------
    FileNotFoundError
        When there is no such run.
    ValueError
        When it belongs to a study, is finished, keeps no checkpoints, is of another corpus, or its data have changed.
    """
    if name.study:
        raise ValueError(
            f"{name} belongs to a study, which resumes its own trials: start the study again with its own flags and "
            f"`study_number={name.study.number}`."
        )
    folder = find_folder(root, name)
    if (folder / METRICS).is_file():
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)  # a kill may have come just before this
        raise ValueError(f"{name} is finished: {how_to_test(name)} tests it.")
    inputs = read_hyperparameters(folder)
    provenance = read_record(folder / PROVENANCE, "data")
    if not (folder / CHECKPOINTS).is_dir():
        again = how_to_train_again(inputs, folder / HYPERPARAMETERS, corpus_of(inputs, provenance))
        raise ValueError(f"{name} keeps no checkpoints to resume from: {again} trains it from the beginning.")
    recipe = Recipe.from_json(inputs, corpus_path(inputs, provenance, root))
    if dataset not in (None, recipe.dataset):
        raise ValueError(f"`dataset`: {name} goes on with {recipe.dataset}, and no other corpus: leave it out.")
    opened = recipe.input.open(recipe.dataset, root)
    opened.check(TRAIN, VAL)
    data = read_training_data(opened)
    for split, origin in data.origins.items():
        require_same_data(recipe.input, split, provenance["data"][recipe.input.kind][split], origin, folder)
    return train_alone(recipe, data, folder, aids)
