"""What one training step of every detector costs at its true shape: parameters, windows and seconds.

    python -m benchmarks.training_steps

Each detector has its default hyperparameters, random weights (of the size of the published ones where it begins with
such) and windows of noise. A step is forward, backward and AdamW on half a batch of each class; the loss of the next
step on the same windows shows that it learnt something. Detectors come one after another, each after a step that is not
counted.
"""

import argparse
import time
import warnings

import torch
from torch import nn

from benchmarks.fine_tune import wait
from benchmarks.made_up import hardware
from src.audio.io import SPEECH_RATE
from src.detectors import DETECTORS, detector_class
from src.detectors.detector import Detector
from src.detectors.training.objectives import Objective
from src.utils.devices import choose_device

SETTINGS = {"fine-tuned": {"model": "random:base"}}
"""Detector -> what is not its default."""


def main() -> None:
    """Take the steps, and print the table."""
    options = read_options()
    device = choose_device(options.device)
    print(f"One training step on {options.batch} windows of noise; {hardware(options.device)}")
    print(f"{'detector':12} {'parameters':>12} {'trained':>12} {'window s':>9} {'s a step':>9} {'loss':>7} {'next':>7}")
    for name in options.detectors or DETECTORS:
        print(row_of(name, options.batch, device), flush=True)


def row_of(name: str, batch: int, device: torch.device) -> str:
    """Train a detector for three steps; return its row."""
    torch.manual_seed(7)
    kind = detector_class(name)
    detector: Detector = kind(kind.Config.from_mapping(SETTINGS.get(name, {})))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that weights are random
        network = detector.build().to(device).train()
    parameters = [each for each in network.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4)
    windows = torch.randn(batch, round(SPEECH_RATE * detector.config.seconds), device=device) * 0.1
    losses = []
    for _ in range(3):
        wait(device)
        started = time.perf_counter()
        losses.append(step(network, windows, optimizer))
        wait(device)
        seconds = time.perf_counter() - started
    counts = (sum(each.numel() for each in network.parameters()), sum(each.numel() for each in parameters))
    return (
        f"{name:12} {counts[0]:>12,} {counts[1]:>12,} {detector.config.seconds:>9.3g} {seconds:>9.2f} "
        f"{losses[-2]:>7.3f} {losses[-1]:>7.3f}"
    )


def step(network: nn.Module, windows: torch.Tensor, optimizer: torch.optim.Optimizer) -> float:
    """Train on a batch once; return its loss."""
    labels = torch.arange(len(windows), device=windows.device) % 2
    loss = Objective(torch.ones(2, device=windows.device))(network(windows), labels)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return float(loss.detach())


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--device", default="auto", help="cuda, cpu or auto (default auto)")
    parser.add_argument("--batch", type=int, default=4, help="windows in a step (default 4)")
    parser.add_argument("--detectors", nargs="*", choices=tuple(DETECTORS), help="default: all")
    options = parser.parse_args()
    if options.batch < 2:
        parser.error(f"--batch must be 2 or more, not {options.batch}: a step needs both classes.")
    return options


if __name__ == "__main__":
    main()
