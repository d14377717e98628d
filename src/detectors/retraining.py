"""The short training that follows pruning, and how the two trainings make one history.

The network is trained as usual, pruned where its best weights are, and trained again for two fifths of the epochs, by
the same recipe and with fresh random choices; what is kept is the best epoch of the second training. Its checkpoints
lie in a folder of their own: killed in either of the two, the whole resumes where it was. Layers of eight bits come
with the second training, so that the first, and the comparison of speeds, are those of an ordinary network.
"""

from dataclasses import replace
from typing import TypeVar

import numpy as np

from src.detectors.compression import Speed, seconds_of_a_window
from src.detectors.contract import DetectorConfig
from src.detectors.fine_tuned_network import FineTunedNetwork
from src.detectors.pruning import prune
from src.detectors.training.lesson import Surroundings
from src.models.contract import History

RETRAINED = 0.4
"""Share of the epochs that follow pruning; one epoch at least."""
FOLDER = "pruned"

AnyConfig = TypeVar("AnyConfig", bound=DetectorConfig)


def first_training(config: AnyConfig) -> AnyConfig:
    """Return the config of the training before a network is pruned."""
    return replace(config, quantize="")


def second_training(config: AnyConfig) -> AnyConfig:
    """Return the config of the training after it was."""
    return replace(config, epochs=max(1, round(RETRAINED * config.epochs)))


def second_seed(seed: int) -> int:
    """Return the seed of the second training; NumPy takes seeds of 32 bits."""
    return (seed + 1) % 2**32


def second_place(around: Surroundings, n_epochs: int) -> Surroundings:
    """Return what the second training finds around it: it counts its epochs on from those of the first."""
    return replace(
        around,
        folder=around.folder / FOLDER,
        watch=lambda epoch, best_eer: around.watch(n_epochs + epoch, best_eer),
        curves=around.curves and around.curves / FOLDER,
    )


def prune_network(network: FineTunedNetwork, share: float, n_samples: int) -> Speed:
    """Cut the weakest heads and units out of a network's encoder; return how much faster it became."""
    encoder = network.encoder
    before = seconds_of_a_window(network, n_samples)
    encoder.kept = prune(encoder.blocks(), share)
    network.gradual = 0  # the head has learnt by now: all that is ever trained is trained at once
    return Speed(before, seconds_of_a_window(network, n_samples), next(network.parameters()).device.type)


def joined(first: History, second: History) -> History:
    """Return the history of both trainings; the best epoch is that of the second, whose weights are kept."""
    train_losses, val_losses, val_eers = (
        np.concatenate([getattr(first, name), getattr(second, name)])
        for name in ("train_losses", "val_losses", "val_eers")
    )
    return History(train_losses, val_losses, val_eers, len(first.val_eers) + second.best)
