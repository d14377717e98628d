"""How far the training of a detector has come: its curves, and which epoch is the best so far."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from src.learning.checkpoints import Progress as AnyProgress
from src.models.contract import History


@dataclass
class Progress(AnyProgress):
    """How far a training has come: what its curves are drawn from, and the loss of the epoch under way."""

    unit: ClassVar[str] = "epoch"

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
    def n_validated(self) -> int:
        """How many epochs have ended."""
        return len(self.val_eers)

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
