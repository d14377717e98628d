"""The inputs of models behind one contract: embeddings of a store, and later waveforms, or scores of other runs.

An `Input` is a frozen record that says what a model is given: it is part of a run's recipe and stands in its JSON.
Opened on a corpus it becomes an `OpenInput`, through which trainer, tuner and evaluator read tables of clips, whatever
the kind of input.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np

from src.utils.clip_table import ClipTable
from src.utils.labels import LABEL_NAMES

if TYPE_CHECKING:
    import optuna

TRAIN, VAL, TEST = "downstream_train", "downstream_val", "downstream_test"


class OpenInput(Protocol):
    """An input of a corpus, ready to be read."""

    @property
    def dataset(self) -> Path:
        """The folder of the corpus."""

    @property
    def noted_path(self) -> str:
        """The folder of the corpus as provenance keeps it: relative to the project where it lies inside."""

    def check(self, *splits: str) -> None:
        """Raise ValueError when the splits do not fit together, or their recordings have changed since."""

    def read(self, split: str, gender: str | None = None) -> ClipTable:
        """Return the clips of a split, or those of one gender (F or M)."""

    def origin(self, split: str) -> dict[str, Any]:
        """Return what a run notes about the split in its provenance: models and digests, JSON."""

    def identity(self, *splits: str) -> dict[str, dict[str, Any]]:
        """Return, split by split, what identifies these data, JSON."""

    def suggest(self, trial: "optuna.Trial") -> "Input":
        """Let a trial of a study choose what the input leaves open."""

    def describe(self) -> dict[str, Any]:
        """Return the input as `hyperparameters.json` holds it, all choices filled in."""


class Input(Hashable, Protocol):
    """What a model is given: a frozen record that JSON can hold."""

    kind: ClassVar[str]
    """The name of this kind, which the `takes` of a model names."""
    keys: ClassVar[tuple[str, ...]]
    """What `OpenInput.describe` writes into `hyperparameters.json`."""
    same: ClassVar[tuple[str, ...]]
    """Keys of an origin that must be as they were when a run is repeated."""

    def for_model(self, model: str) -> Self:
        """Return the input for a model of this name, with what a study may choose for it.

        Raises
        ------
        ValueError
            When the model cannot take it.
        """

    def open(self, dataset: Path, root: Path) -> OpenInput:
        """Open the input of a corpus; `root` holds what the project computed.

        Raises
        ------
        ValueError
            When it names something that does not exist.
        """

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read the input back from a run's hyperparameters."""

    def as_json(self) -> dict[str, Any]:
        """Return its fields; None where a study chooses."""

    def completed(self, values: Mapping[str, Any], source: Path | None) -> Self:
        """Fill in what is left open from hyperparameters, else with what is built in.

        Parameters
        ----------
        values : mapping
            May lack anything.
        source : Path, optional
            The file that holds them, for errors.

        Raises
        ------
        ValueError
            When they are of another input, or not allowed.
        """

    def require_like(self, before: Mapping[str, Any], now: Mapping[str, Any], what: str) -> None:
        """Raise ValueError when two origins cannot be used by one model."""


@dataclass(frozen=True)
class TrainingData:
    """The clips of training and validation, and where they come from."""

    train: ClipTable
    val: ClipTable
    origins: Mapping[str, dict[str, Any]]
    """Split -> its origin."""
    described: Mapping[str, Any]
    """The input, as `hyperparameters.json` holds it."""
    corpus: str
    """The folder of the corpus, as provenance keeps it."""

    def people(self) -> dict[str, list[str]]:
        """Return the people of training and validation, split by split."""
        return {TRAIN: self.train.people(), VAL: self.val.people()}


def read_training_data(opened: OpenInput) -> TrainingData:
    """Read the clips of training and validation.

    Raises
    ------
    ValueError
        When one of them holds a single class.
    """
    tables = {split: opened.read(split) for split in (TRAIN, VAL)}
    for split, table in tables.items():
        require_both_classes(table, split)
    origins = {split: opened.origin(split) for split in tables}
    return TrainingData(tables[TRAIN], tables[VAL], origins, opened.describe(), opened.noted_path)


def require_both_classes(table: ClipTable, name: str) -> None:
    """Raise ValueError when a table holds clips of one class only."""
    if len(np.unique(table.labels)) < 2:
        raise ValueError(f"{name} holds only {LABEL_NAMES[int(table.labels[0])]} clips; both classes are needed.")
