"""How much smaller and faster a network became by pruning and quantisation, as its run notes and tells it."""

from dataclasses import asdict, dataclass
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import nn

from src.detectors.training.scoring import forward

WARM_UPS, REPETITIONS = 2, 7


@dataclass(frozen=True)
class Speed:
    """How long one window takes, in seconds, before and after; measured one after the other on the same device."""

    before: float
    after: float
    device: str


@dataclass(frozen=True)
class Compression:
    """A network before and after."""

    parameters_before: int
    bytes_before: int
    """Of all weights on disk in float32."""
    parameters: int = 0
    bytes: int = 0
    """Of the file of weights."""
    eer_before: float | None = None
    """Validation EER of the best weights before the network was pruned; None where it was not."""
    speed: Speed | None = None
    """Of the network before and after it was pruned, both in float32; None where it was not."""

    def as_json(self) -> dict[str, Any]:
        """Return the record without what was not measured."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def __str__(self) -> str:
        size = f"Weights on disk: {self.bytes_before / 1e6:.1f} MB -> {self.bytes / 1e6:.1f} MB."
        if self.speed is None or self.eer_before is None:
            return size
        before, after = 1000 * self.speed.before, 1000 * self.speed.after
        return (
            f"Pruned at a validation EER of {self.eer_before:.2%}: {self.parameters_before:,} -> {self.parameters:,} "
            f"parameters, {before / after:.2f} times as fast (one window, {before:.1f} -> {after:.1f} ms on "
            f"{self.speed.device}, float32).\n{size}"
        )


def bytes_of(module: nn.Module) -> int:
    """Return how much the weights of a module take on disk."""
    return sum(each.numel() * each.element_size() for each in module.state_dict().values())


@torch.inference_mode()
def seconds_of_a_window(network: nn.Module, n_samples: int) -> float:
    """Return how long a silent window (1, n) takes: the median of some passes."""
    training, device = network.training, next(network.parameters()).device
    network.eval()
    windows, lengths = torch.zeros(1, n_samples, device=device), torch.tensor([n_samples], device=device)
    times = []
    for _ in range(WARM_UPS + REPETITIONS):
        start = perf_counter()
        forward(network, windows, lengths).logits.cpu()  # waits for the device
        times.append(perf_counter() - start)
    network.train(training)
    return median(times[WARM_UPS:])
