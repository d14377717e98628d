"""The inputs of models behind one contract: embeddings of a store, and later waveforms, or scores of other runs.

An `Input` is a frozen record that says what a model is given: it is part of a run's recipe and stands in its JSON.
Opened on a corpus it becomes an `OpenInput`, through which trainer, tuner and evaluator read tables of clips, whatever
the kind of input.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, runtime_checkable

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

    behind: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Split -> the people whom the runs behind the input had there; empty where the tables tell."""

    def people(self) -> dict[str, list[str]]:
        """Return the people of training and validation, split by split."""
        tables = {TRAIN: self.train, VAL: self.val}
        return {split: sorted(self.behind.get(split) or table.people()) for split, table in tables.items()}


@runtime_checkable
class OpenRuns(Protocol):
    """An open input that other runs computed, and that so knows more of its training than its tables say."""

    def training_data(self) -> TrainingData:
        """Return what a model is fitted on, where these are not the clips that the runs were trained on."""

    def digest_of_corpus(self) -> str | None:
        """Return the digest of the recordings of the corpus's training split; None where it is not known."""


@runtime_checkable
class OpenWithCopies(Protocol):
    """An open input that may have augmented copies of the training clips, which only a training reads."""

    def copies(self) -> Sequence[OpenInput]:
        """Return the copies, one input for each number of copy; none where none are asked for."""


def read_training_data(opened: OpenInput) -> TrainingData:
    """Read the clips of training and validation.

    Raises
    ------
    ValueError
        When one of them holds a single class.
    """
    if isinstance(opened, OpenRuns):
        return opened.training_data()
    tables = {split: opened.read(split) for split in (TRAIN, VAL)}
    for split, table in tables.items():
        require_both_classes(table, split)
    origins = {split: opened.origin(split) for split in tables}
    copies = opened.copies() if isinstance(opened, OpenWithCopies) else []
    if copies:
        tables[TRAIN] = ClipTable.one_after_another([tables[TRAIN], *(each.read(TRAIN) for each in copies)])
        origins[TRAIN] = {**origins[TRAIN], "copies": [each.identity(TRAIN)[TRAIN] for each in copies]}
    return TrainingData(tables[TRAIN], tables[VAL], origins, opened.describe(), opened.noted_path)


def require_same_data(eaten: Input, split: str, before: Mapping[str, Any], now: Mapping[str, Any], run: Path) -> None:
    """Raise ValueError when the clips of a split are not those that a run was made from: its training would differ."""
    changed = [key for key in eaten.same if before.get(key) != now.get(key)]
    if changed:
        raise ValueError(
            f"The {eaten.kind} of {split} are not those that {run} was made from (different {', '.join(changed)}): "
            f"restore that split and those {eaten.kind}, or train again."
        )


def digest_of_corpus(opened: OpenInput) -> str | None:
    """Return the digest of the recordings of a corpus's training split, which identifies it; None where it has none."""
    if isinstance(opened, OpenRuns):
        return opened.digest_of_corpus()
    try:
        digest = opened.origin(TRAIN).get("corpus_digest")
    except (FileNotFoundError, ValueError):
        return None
    return digest if isinstance(digest, str) else None


def require_both_classes(table: ClipTable, name: str) -> None:
    """Raise ValueError when a table holds clips of one class only."""
    if len(np.unique(table.labels)) < 2:
        raise ValueError(f"{name} holds only {LABEL_NAMES[int(table.labels[0])]} clips; both classes are needed.")
