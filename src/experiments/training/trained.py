"""A run read back as one record: what tests, repetitions, predictions and exports start from.

This reader is strict: a damaged file is an error that names it. Pages, which show broken runs as well, have a tolerant
reader of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from src.experiments.inputs.contract import TRAIN, OpenInput
from src.experiments.runs.artefacts import CALIBRATION, HYPERPARAMETERS, METRICS, PROVENANCE, read_hyperparameters
from src.experiments.runs.commands import how_to_train_again
from src.experiments.runs.folders import find_run
from src.experiments.runs.lineage import corpus_path
from src.experiments.runs.names import RunName
from src.experiments.training.models import model_class
from src.experiments.training.recipe import Recipe
from src.metrics.calibration import Calibration
from src.models.contract import Classifier
from src.utils.clip_table import ClipTable
from src.utils.files import read_record


@dataclass(frozen=True)
class Trained:
    """A finished run: its recipe, its model, and the calibration and threshold from its validation."""

    folder: Path
    inputs: Mapping[str, Any]
    """What `hyperparameters.json` holds."""
    recipe: Recipe
    provenance: Mapping[str, Any]
    metrics: Mapping[str, Any]
    """Of the validation."""

    @property
    def name(self) -> RunName:
        """The name of the run."""
        return RunName.of(self.folder)

    @property
    def threshold(self) -> float:
        """Decide bona fide where score >= threshold; that of the validation EER."""
        return float(self.metrics["threshold"])

    @property
    def is_calibrated(self) -> bool:
        """Whether its scores are log-likelihood ratios; runs of the first versions have raw scores."""
        return (self.folder / CALIBRATION).is_file()

    @property
    def has_weights(self) -> bool:
        """Whether its weights are still there; a study keeps those of its best trials only."""
        return any((self.folder / name).is_file() for name in model_class(self.recipe.model).files)

    @cached_property
    def calibration(self) -> Calibration:
        """The line that makes its scores log-likelihood ratios; the identity for runs that have none."""
        if not self.is_calibrated:
            return Calibration()
        path = self.folder / CALIBRATION
        line = read_record(path, "scale", "offset")
        try:
            return Calibration(float(line["scale"]), float(line["offset"]))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path} is damaged ({error}); train again.") from None

    @cached_property
    def model(self) -> Classifier:
        """The model with its weights; FileNotFoundError where its study dropped them."""
        if not self.has_weights:
            again = how_to_train_again(self.inputs, self.folder / HYPERPARAMETERS, str(self.recipe.dataset))
            raise FileNotFoundError(
                f"{self.folder} has no weights any more (a study keeps those of its best trials, `keep`): "
                f"{again} trains them again."
            )
        return model_class(self.recipe.model).load(self.folder, self.recipe.config)

    def open(self, dataset: Path, root: Path) -> OpenInput:
        """Open its input on a corpus."""
        return self.recipe.input.open(dataset, root)

    def scores(self, table: ClipTable) -> np.ndarray:
        """Return the calibrated score of every clip, shape (n,): higher = more bona fide.

        The table must hold the run's own input: the same backbone, layer and pooling.
        """
        return self.calibration.apply(self.model.scores(table.inputs))

    def origin(self, split: str) -> Mapping[str, Any]:
        """Return what it noted about the input of a split that it used."""
        return self.provenance["data"][self.recipe.input.kind][split]

    def store_of(self, backbone: str) -> Mapping[str, Any]:
        """Return what it noted about a backbone's store that it was trained on; of embeddings of one or several."""
        origin = self.origin(TRAIN)
        noted: Mapping[str, Any] = origin.get("stores", {}).get(backbone, origin)
        return noted

    def people(self) -> set[str]:
        """Return the people of its training and validation."""
        return {person for people in self.provenance["data"]["people"].values() for person in people}

    def require(self, **expected: str) -> None:
        """Raise ValueError when it is not as expected: `require(classifier="svm")`; "" accepts anything."""
        for key, wanted in expected.items():
            if wanted and self.inputs.get(key) != wanted:
                raise ValueError(f"{self.folder} was trained with the {key} {self.inputs.get(key)}, not {wanted}.")


def read_trained(root: Path, name: RunName, dataset: Path | None = None) -> Trained:
    """Read a finished run back.

    Parameters
    ----------
    root : Path
        Holds `runs/`.
    name : RunName
        A study alone stands for its best trial.
    dataset : Path, optional
        Where its corpus lies now; where the run noted it, when it is not given.

    Raises
    ------
    FileNotFoundError
        When there is no such run, or it did not finish.
    ValueError
        When a file of it is damaged.
    """
    if name.is_cross:
        raise ValueError(
            f"{name} is a cross-validation: all its clips are scored already, by runs that did not know them. Train a "
            "run on all of the data to score others."
        )
    return read_trained_folder(find_run(root, name), root, dataset)


def read_trained_folder(folder: Path, root: Path, dataset: Path | None = None) -> Trained:
    """Read a run back from its folder, as `read_trained` does by its name."""
    inputs = read_hyperparameters(folder)
    provenance = read_record(folder / PROVENANCE, "data", "machine", "packages", "code", "python")
    metrics = read_record(folder / METRICS, "threshold", "eer")
    corpus = dataset or corpus_path(inputs, provenance, root)
    try:
        recipe = Recipe.from_json(inputs, corpus)
    except KeyError as error:  # what its kind of input needs beside what every run holds
        raise ValueError(f"{folder / HYPERPARAMETERS} is damaged: it holds no {error.args[0]}.") from None
    return Trained(folder, inputs, recipe, provenance, metrics)
