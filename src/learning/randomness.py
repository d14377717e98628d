"""The global generators, which transformers' Trainer and the layers of PyTorch draw from: seeded, and put back."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from src.utils.processes import n_processes, own_number


@contextmanager
def own_randomness(seed: int) -> Iterator[None]:
    """Seed every global generator, from which the Trainer draws, inside the block; put their states back at its end."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    devices = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices):
        try:
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            torch.manual_seed(seed)
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])  # noqa: NPY002


def draw_apart(seed: int) -> None:
    """Seed the global generators of each of several processes by its own number: equal dropout would be drawn twice."""
    if n_processes() > 1:
        own = (seed + own_number()) % 2**32
        random.seed(own)
        np.random.seed(own)  # noqa: NPY002
        torch.manual_seed(own)
