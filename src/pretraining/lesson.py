"""What a pretraining is made of: the objective with its encoder, the speech, how long it lasts, who learns how fast.

Layers learn at different rates where `layer_decay` is below 1: the highest at the full rate, as does what the
objective adds and what stands behind the layers; each below it at that factor of the rate above; everything under the
layers as if it were one layer more. What a public model knows of sound is kept so, while its upper layers adapt.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from src.pretraining.contract import Objective, PretrainingConfig
from src.pretraining.encoders import PretrainingEncoder
from src.pretraining.speech import Crops
from src.utils.processes import n_processes


class Pretraining(nn.Module):
    """An objective, as the Trainer takes it: a batch in, its loss and signs out."""

    _keys_to_ignore_on_save: ClassVar[None] = None  # the Trainer asks where a checkpoint lacks weights

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self.objective = objective

    def forward(
        self,
        clean: torch.Tensor,
        masks: torch.Tensor,
        drawn: dict[str, torch.Tensor],
        heard: torch.Tensor | None = None,
    ) -> dict[str, Any]:
        """Return loss and signs of a batch; `heard` is left out where nothing is augmented."""
        found = self.objective(clean if heard is None else heard, clean, masks, **drawn)
        return {"loss": found["loss"], "signs": found["signs"]}


@dataclass(frozen=True)
class PretrainingLesson:
    """What is pretrained, on what."""

    training: Pretraining
    config: PretrainingConfig
    crops: Crops
    held_out: list[dict[str, Any]]
    """Batches, the same in every validation."""
    seed: int
    unchanging: str = ""

    @property
    def groups(self) -> list[dict[str, Any]]:
        """Parameters, and the factor on their learning rate."""
        return layer_groups(self.training.objective, self.config.layer_decay)

    @property
    def n_steps(self) -> int:
        """How often weights change."""
        if self.config.steps:
            return self.config.steps
        seconds = self.crops.mean_seconds * self.batches_a_step
        return max(1, round(self.config.hours_seen * 3600 / seconds))

    @property
    def batches_a_step(self) -> int:
        """Batches that all processes see together before weights change."""
        return self.config.accumulate * n_processes()

    def hours_after(self, step: int) -> float:
        """Return the hours of speech that were seen by then."""
        return self.crops.seconds_until(step * self.batches_a_step) / 3600


def layer_groups(objective: Objective, decay: float) -> list[dict[str, Any]]:
    """Return the parameters that learn, from the bottom to the top, with the factor `scale` on their learning rate."""
    layers = objective.encoder.layers()
    scales = {
        parameter: decay ** (len(layers) - 1 - number)
        for number, layer in enumerate(layers)
        for parameter in layer.parameters()
    }
    below = {parameter: decay ** len(layers) for parameter in objective.encoder.model.parameters()}
    behind = dict.fromkeys(_behind_layers(objective.encoder), 1.0)
    everything = dict.fromkeys(objective.parameters(), 1.0) | below | behind | scales
    groups: dict[float, list[nn.Parameter]] = {}
    for parameter, scale in everything.items():
        if parameter.requires_grad:
            groups.setdefault(scale, []).append(parameter)
    return [{"params": parameters, "scale": scale} for scale, parameters in groups.items()]


def _behind_layers(encoder: PretrainingEncoder) -> list[nn.Parameter]:
    """Return the parameters of the normalisation behind the last layer, where there is one."""
    if encoder.front_end == "mel":
        return list(encoder.model.layer_norm.parameters())
    last = encoder.model.config.to_dict().get("do_stable_layer_norm", False)  # else it stands in front of the first
    return list(encoder.model.encoder.layer_norm.parameters()) if last else []
