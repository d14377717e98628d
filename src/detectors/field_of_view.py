"""The shortest window that a network can see something in: below it, a layer would be left without a single frame."""

import math

import torch

RATE = 16_000


def check_window(waveforms: torch.Tensor, least: int) -> None:
    """Raise ValueError when windows (b, n) are shorter than the `least` samples of a network's field of view.

    >>> check_window(torch.zeros(1, 1600), 2315)
    Traceback (most recent call last):
    ValueError: A window of 1,600 samples is too short: the network needs 2,315; `seconds` must be at least 0.15.
    """
    n = waveforms.shape[-1]
    if n < least:
        seconds = math.ceil(100 * least / RATE) / 100
        raise ValueError(
            f"A window of {n:,} samples is too short: the network needs {least:,}; "
            f"`seconds` must be at least {seconds:g}."
        )
