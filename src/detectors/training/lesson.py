"""What a training is made of: the network with its loss, the clips, what is around it; and how weights are read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors.torch import load_file
from torch import nn

from src.detectors.contract import DetectorConfig, Output
from src.detectors.int8 import put_int8_layers
from src.detectors.training.objectives import Objective, distillation, frame_labels, frame_loss
from src.detectors.training.scoring import forward
from src.learning.weights import split_weights
from src.learning.whole_batch import WholeBatch
from src.models.contract import Watch
from src.utils.waveform_table import WaveformTable


class Training(nn.Module):
    """A network and its objective, as the Trainer takes them: a batch in, its loss out."""

    _keys_to_ignore_on_save: ClassVar[None] = None  # the Trainer asks where a checkpoint lacks weights

    def __init__(self, network: nn.Module, objective: Objective, config: DetectorConfig) -> None:
        super().__init__()
        self.network, self.objective = network, objective
        self.distillation = config.distillation

    def forward(
        self,
        waveforms: torch.Tensor,
        labels: torch.Tensor,
        lengths: torch.Tensor,
        cell_labels: torch.Tensor,
        teacher_scores: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """Return the loss of a batch, and of its frames where the network decides them.

        The windows (b, n) are this process's rows of the batch; the loss is that of all.
        """
        whole = WholeBatch(len(labels), labels.device)
        output = Output(*(whole.joined(each) for each in forward(self.network, waveforms, lengths) if each is not None))
        labels, cell_labels, teacher_scores = map(whole.joined, (labels, cell_labels, teacher_scores))
        loss = self.objective(output, labels)
        if output.frame_logits is not None:
            seconds = float(self.network.frame_seconds)  # type: ignore[arg-type]
            wanted = frame_labels(cell_labels, seconds, output.frame_logits.shape[1])
            loss = loss + frame_loss(output.frame_logits, wanted, self.objective.class_weights)
        taught = ~teacher_scores.isnan()
        if taught.any():
            log_odds = self.objective.log_odds(output)
            away = distillation(log_odds[taught], teacher_scores[taught].to(log_odds.dtype))
            loss = (1 - self.distillation) * loss + self.distillation * away
        return {"loss": loss}


@dataclass(frozen=True)
class Lesson:
    """What is trained, on what."""

    training: Training
    train: WaveformTable
    val: WaveformTable
    config: DetectorConfig
    seed: int
    groups: list[dict[str, Any]]
    """Parameters, and the factor `scale` on their learning rate."""
    unchanging: str = ""
    """How the names of weights begin that a training never changes, and that are not written again and again."""


@dataclass(frozen=True)
class Surroundings:
    """What a training finds around it; none of it changes the numbers."""

    folder: Path
    """Where checkpoints are kept."""
    watch: Watch
    curves: Path | None = None
    """Where curves go while they grow, for TensorBoard; None = nowhere."""
    workers: int = 0
    """Processes that read recordings."""


def load_weights(module: nn.Module, path: Path, unchanging: str = "") -> None:
    """Read weights that `save_weights` wrote, int8 ones as well; the unchanging ones stay as they are."""
    state = load_file(path)
    put_int8_layers(module, state)
    module.load_state_dict({**split_weights(module, unchanging)[1], **state})
