"""Checkpoints of a training: which are complete, which one to resume from, and the best weights so far.

transformers' Trainer writes a folder `checkpoint-<step>` of several files. A kill can leave one half written, so that
`complete.json`, written last, says what belongs to it: the recipe, the progress so far and a digest of every file. What
has no such file is removed. The best weights lie beside the checkpoints, named by their epoch: if the epoch after the
newest checkpoint is trained again, nothing that this checkpoint counts on has been overwritten.
"""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from src.utils.files import file_digest, read_record, remove_leftovers, write_json

COMPLETE = "complete.json"
PREFIX = "checkpoint-"


@dataclass
class Progress(ABC):
    """How far a training has come: what it would need to know if it had to go on from here."""

    unit: ClassVar[str]
    """What is validated: an "epoch", or whatever else lies between two validations."""

    @property
    @abstractmethod
    def n_validated(self) -> int:
        """How often it has been validated."""

    @property
    @abstractmethod
    def best(self) -> int:
        """Which validation was the best, from 0, once there is one: its weights are kept."""


P = TypeVar("P", bound=Progress)


class Checkpoints(Generic[P]):
    """The checkpoints of one training, in a folder of their own, with its progress of the kind `kind`."""

    def __init__(self, folder: Path, recipe: str, kind: type[P]) -> None:
        self.folder, self.recipe, self.kind = folder, recipe, kind
        folder.mkdir(parents=True, exist_ok=True)

    def best_weights(self, number: int) -> Path:
        """Return where the weights of a validation lie, if it was the best so far."""
        return self.folder / f"best-{self.kind.unit}-{number}.safetensors"

    def complete(self, step: int, progress: P) -> None:
        """Mark the checkpoint of a step as complete, and remove best weights that no checkpoint needs any more."""
        checkpoint = self.folder / f"{PREFIX}{step}"
        digests = {path.name: file_digest(path) for path in sorted(checkpoint.iterdir()) if path.name != COMPLETE}
        write_json(checkpoint / COMPLETE, {"recipe": self.recipe, "progress": asdict(progress), "files": digests})
        for path in set(self.folder.glob(f"best-{self.kind.unit}-*.safetensors")) - self._needed():
            path.unlink()

    def latest(self) -> tuple[Path, P] | None:
        """Return the newest complete checkpoint and how far it had come; none where there is none.

        Raises
        ------
        ValueError
            When it is of another recipe, or damaged; nothing is removed then.
        """
        for path in self.folder.glob(f"{PREFIX}*"):
            if not (path / COMPLETE).is_file():
                shutil.rmtree(path)
        remove_leftovers(self.folder)
        found = sorted(self.folder.glob(f"{PREFIX}*"), key=_step)
        return (found[-1], self._checked(found[-1])) if found else None

    def _needed(self) -> set[Path]:
        """Return the best weights that a complete checkpoint counts on."""
        notes = [read_record(path, "progress") for path in self.folder.glob(f"{PREFIX}*/{COMPLETE}")]
        progresses = [progress for note in notes if (progress := self._read(note["progress"]))]
        return {self.best_weights(progress.best) for progress in progresses if progress.n_validated}

    def _checked(self, checkpoint: Path) -> P:
        note = read_record(checkpoint / COMPLETE, "recipe", "progress", "files")
        if note["recipe"] != self.recipe:
            raise ValueError(
                f"{checkpoint} is of a training with another recipe: hyperparameters, clips, the weights it began "
                "with or the number of processes have changed since. Start a new run."
            )
        damaged = [name for name, digest in note["files"].items() if not _is_intact(checkpoint / name, digest)]
        progress = self._read(note["progress"])
        if progress and progress.n_validated and not self.best_weights(progress.best).is_file():
            damaged.append(f"../{self.best_weights(progress.best).name}")
        if damaged or progress is None:
            raise ValueError(
                f"The checkpoint {checkpoint} is damaged ({damaged[0] if damaged else COMPLETE}): delete that folder "
                "to resume from the one before it, or start a new run."
            )
        return progress

    def _read(self, content: object) -> P | None:
        try:
            return self.kind(**content) if isinstance(content, Mapping) else None
        except TypeError:
            return None


def has_checkpoint(folder: Path) -> bool:
    """Tell whether a training has left a complete checkpoint in its folder."""
    return any(folder.glob(f"{PREFIX}*/{COMPLETE}"))


def _step(checkpoint: Path) -> int:
    number = checkpoint.name.removeprefix(PREFIX)
    return int(number) if number.isdecimal() else -1


def _is_intact(path: Path, digest: object) -> bool:
    return path.is_file() and file_digest(path) == digest
