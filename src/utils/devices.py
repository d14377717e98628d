"""Which processor the arithmetic runs on: a CUDA GPU where there is one, else the CPU."""

import re

import torch


def choose_device(name: str) -> torch.device:
    """Turn "auto", "cpu", "cuda" or "cuda:1" into a device that is there.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    found = re.fullmatch("cpu|cuda(?::([0-9]+))?", name)
    if not found:
        raise ValueError(f"Unknown device '{name}'; allowed: auto, cpu, cuda, cuda:1 and so on.")
    if name != "cpu" and int(found[1] or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"There is no device {name}: {torch.cuda.device_count()} CUDA GPUs are usable; --device=cpu works anywhere."
        )
    return torch.device(name)
