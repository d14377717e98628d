"""What takes the steps of the MLP's training, and how large they are.

The mix of layers is trained at a higher rate than the rest, and without weight decay: a decay would pull all layers to
the same weight, and Adam, whose steps are about as large as the rate, would hardly move a layer's logit in the few
hundred steps of a training (400 steps of 1e-3 at most: a factor of e^0.4 = 1.5 between two weights).
"""

import math
from typing import TYPE_CHECKING, Any

import torch
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from src.models.mlp.network import Network

if TYPE_CHECKING:
    from src.models.mlp.mlp_model import MlpConfig

MIX_RATE = 20.0
"""Learning rate of the mix of layers, in units of that of the network."""


def optimizer_of(network: Network, config: "MlpConfig", n_clips: int) -> tuple[torch.optim.Optimizer, LRScheduler]:
    """Return the optimizer and the schedule of its learning rates, for a training on `n_clips` clips."""
    groups: list[dict[str, Any]] = [{"params": network.layers.parameters()}]
    rates = [config.learning_rate]
    if network.layer_logits is not None:
        groups.append({"params": [network.layer_logits], "weight_decay": 0.0})
        rates.append(MIX_RATE * config.learning_rate)
    optimizer = torch.optim.AdamW(groups, lr=rates[0], weight_decay=config.weight_decay, fused=True)
    n_steps = config.epochs * math.ceil(n_clips / config.batch_size)
    return optimizer, OneCycleLR(optimizer, rates, total_steps=n_steps, div_factor=10.0, cycle_momentum=False)
