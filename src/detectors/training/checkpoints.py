"""Checkpoints of a training: which are complete, which one to resume from, and the best weights so far.

transformers' Trainer writes a folder `checkpoint-<step>` of several files. A kill can leave one half written, so that
`complete.json`, written last, says what belongs to it: the recipe, the curves so far and a digest of every file. What
has no such file is removed. The best weights lie beside the checkpoints, named by their epoch: if the epoch after the
newest checkpoint is trained again, nothing that this checkpoint counts on has been overwritten.
"""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from src.models.contract import History
from src.utils.files import file_digest, read_record, remove_leftovers, write_json

COMPLETE = "complete.json"
PREFIX = "checkpoint-"


@dataclass
class Progress:
    """How far a training has come: what its curves are drawn from, and the loss of the epoch under way."""

    train_losses: list[float]
    val_losses: list[float]
    val_eers: list[float]
    range_eers: list[float]
    """Of the validation's frames, where the network decides them; empty elsewhere."""
    loss_sum: float = 0.0
    loss_count: int = 0

    @classmethod
    def nothing(cls) -> "Progress":
        """Return the progress of a training that has not begun."""
        return cls([], [], [], [])

    @property
    def best(self) -> int:
        """The epoch with the lowest validation EER, of frames where they are decided; of equals, the lowest loss."""
        return self.best_until(len(self.val_eers) - 1)

    def best_until(self, last: int) -> int:
        """Return the best of the epochs up to one."""
        eers = self.range_eers or self.val_eers
        return min(range(last + 1), key=lambda epoch: (eers[epoch], self.val_losses[epoch]))

    def told(self) -> str:
        """Return the EER of the last epoch, and that of the best one, as a progress bar shows them."""
        eers = self.range_eers or self.val_eers
        return f"{'range EER' if self.range_eers else 'EER'} {eers[-1]:.2%}, best {eers[self.best]:.2%}"

    @property
    def curves(self) -> tuple[list[float], list[float], list[float]]:
        """Training losses, validation losses and validation EERs, one value per epoch."""
        return self.train_losses, self.val_losses, self.val_eers

    @property
    def history(self) -> History:
        """The curves, and the epoch whose weights are kept."""
        train_losses, val_losses, val_eers = map(np.array, self.curves)
        return History(train_losses, val_losses, val_eers, self.best)

    def add_loss(self, loss: float) -> None:
        """Note the loss of a batch of the epoch under way."""
        self.loss_sum += loss
        self.loss_count += 1

    def end_epoch(self, val_loss: float, val_eer: float, range_eer: float | None = None) -> None:
        """Note the end of an epoch."""
        self.train_losses.append(self.loss_sum / max(1, self.loss_count))
        self.val_losses.append(val_loss)
        self.val_eers.append(val_eer)
        if range_eer is not None:
            self.range_eers.append(range_eer)
        self.loss_sum, self.loss_count = 0.0, 0

    def has_ended(self, epochs: int, patience: int) -> bool:
        """Tell whether all epochs are trained, or none of the last ones was the best."""
        n_done = len(self.val_eers)
        return n_done > 0 and (n_done >= epochs or n_done - 1 - self.best >= patience)


class Checkpoints:
    """The checkpoints of one training, in a folder of their own."""

    def __init__(self, folder: Path, recipe: str) -> None:
        self.folder, self.recipe = folder, recipe
        folder.mkdir(parents=True, exist_ok=True)

    def best_weights(self, epoch: int) -> Path:
        """Return where the weights of an epoch lie, if it was the best so far."""
        return self.folder / f"best-epoch-{epoch}.safetensors"

    def complete(self, step: int, progress: Progress) -> None:
        """Mark the checkpoint of a step as complete, and remove best weights that no checkpoint needs any more."""
        checkpoint = self.folder / f"{PREFIX}{step}"
        digests = {path.name: file_digest(path) for path in sorted(checkpoint.iterdir()) if path.name != COMPLETE}
        write_json(checkpoint / COMPLETE, {"recipe": self.recipe, "progress": asdict(progress), "files": digests})
        for path in set(self.folder.glob("best-epoch-*.safetensors")) - self._needed():
            path.unlink()

    def latest(self) -> tuple[Path, Progress] | None:
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
        progresses = [progress for note in notes if (progress := _read_progress(note["progress"]))]
        return {self.best_weights(progress.best) for progress in progresses if progress.val_eers}

    def _checked(self, checkpoint: Path) -> Progress:
        note = read_record(checkpoint / COMPLETE, "recipe", "progress", "files")
        if note["recipe"] != self.recipe:
            raise ValueError(
                f"{checkpoint} is of a training with another recipe: hyperparameters, clips, the weights it began "
                "with or the number of processes have changed since. Start a new run."
            )
        damaged = [name for name, digest in note["files"].items() if not _is_intact(checkpoint / name, digest)]
        progress = _read_progress(note["progress"])
        if progress and progress.val_eers and not self.best_weights(progress.best).is_file():
            damaged.append(f"../{self.best_weights(progress.best).name}")
        if damaged or progress is None:
            raise ValueError(
                f"The checkpoint {checkpoint} is damaged ({damaged[0] if damaged else COMPLETE}): delete that folder "
                "to resume from the one before it, or start a new run."
            )
        return progress


def has_checkpoint(folder: Path) -> bool:
    """Tell whether a training has left a complete checkpoint in its folder."""
    return any(folder.glob(f"{PREFIX}*/{COMPLETE}"))


def _step(checkpoint: Path) -> int:
    number = checkpoint.name.removeprefix(PREFIX)
    return int(number) if number.isdecimal() else -1


def _is_intact(path: Path, digest: object) -> bool:
    return path.is_file() and file_digest(path) == digest


def _read_progress(content: object) -> Progress | None:
    try:
        return Progress(**content) if isinstance(content, Mapping) else None
    except TypeError:
        return None
