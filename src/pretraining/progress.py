"""How far a pretraining has come: the losses on held-out speech, and the signs of its health."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from src.learning.checkpoints import Progress


@dataclass
class PretrainingProgress(Progress):
    """What a checkpoint notes beside weights."""

    unit: ClassVar[str] = "validation"

    held_out_losses: list[float] = field(default_factory=list)
    """One value per validation."""
    steps: list[int] = field(default_factory=list)
    """After how many steps each of them was."""
    best_signs: dict[str, float] = field(default_factory=dict)
    """The signs on held-out speech at the best validation."""
    health: dict[str, Any] = field(default_factory=dict)
    """The state of `Health`."""
    ended: bool = False
    """Whether all steps are done, or held-out speech no longer gained from them."""

    @property
    def n_validated(self) -> int:
        """How often it has been validated."""
        return len(self.held_out_losses)

    @property
    def best(self) -> int:
        """The validation with the lowest loss."""
        return min(range(self.n_validated), key=self.held_out_losses.__getitem__)

    def end_validation(self, loss: float, step: int, *, patience: int, n_steps: int) -> None:
        """Note a loss on held-out speech, and whether it was the last."""
        self.held_out_losses.append(loss)
        self.steps.append(step)
        self.ended = step >= n_steps or self.n_validated - 1 - self.best >= patience
