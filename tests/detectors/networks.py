"""What the tests of all networks on waveforms ask: equal answers in batches, gradients everywhere, windows learnt."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

SHARED = Path(__file__).resolve().parents[3] / "shared"


def noise(n_windows: int, n_samples: int, seed: int = 7) -> torch.Tensor:
    return 0.1 * torch.randn(n_windows, n_samples, generator=torch.Generator().manual_seed(seed))


def assert_batches_change_nothing(network: nn.Module, n_samples: int) -> None:
    network.eval()
    windows = noise(3, n_samples)
    with torch.no_grad():
        together = network(windows)
        alone = [network(window[None]) for window in windows]
    torch.testing.assert_close(together.logits, torch.cat([output.logits for output in alone]), rtol=1e-4, atol=1e-5)
    embeddings = torch.cat([output.embedding for output in alone])
    torch.testing.assert_close(together.embedding, embeddings, rtol=1e-4, atol=1e-5)
    assert not torch.equal(together.logits[0], together.logits[1])


def parameters_without_gradient(network: nn.Module, n_samples: int) -> set[str]:
    """Return the names of the parameters that a loss does not reach, or reaches with zeros alone."""
    network.train()
    cross_entropy(network(noise(4, n_samples)).logits, torch.tensor([0, 1, 0, 1])).backward()
    return {name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()}


def made_up_windows(n_samples: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return eight windows of noise, every other one with a hum, and their labels."""
    labels = torch.tensor([0, 1] * 4)
    hum = torch.sin(2 * torch.pi * 2000 / 16_000 * torch.arange(n_samples))
    return noise(8, n_samples) + 0.05 * labels[:, None] * hum, labels


def loss_after(network: nn.Module, n_samples: int, steps: int, learning_rate: float = 1e-3) -> float:
    """Train on eight made-up windows in a plain loop; return the loss in the end, without dropout."""
    windows, labels = made_up_windows(n_samples)
    optimiser = torch.optim.Adam(network.parameters(), learning_rate)
    network.train()
    for _ in range(steps):
        optimiser.zero_grad()
        cross_entropy(network(windows).logits, labels).backward()
        optimiser.step()
    network.eval()
    with torch.no_grad():
        return cross_entropy(network(windows).logits, labels).item()


def needs(folder: Path) -> Path:
    if not folder.is_dir():
        pytest.skip(f"needs the data in {folder.name}, which lies beside the project")
    return folder


def golden_window(recipe: dict, models: Path) -> torch.Tensor:
    """Make the input that a golden file describes, (1, 64600)."""
    if recipe["name"] == "noise":
        samples = (np.random.default_rng(0).standard_normal(64_600) * 0.1).astype(np.float32)
    else:
        from src.audio.io import load_waveform

        clip = load_waveform(models / recipe["path"])
        samples = np.tile(clip, -(-64_600 // len(clip)))[:64_600].astype(np.float32)
    return torch.from_numpy(samples)[None]
