"""Sinc filters: a filter bank on the waveform itself whose pass bands are fixed, here on the mel scale.

The edges of the bands are equally spaced on the mel scale, mel = 2595 log10(1 + f / 700), from 0 Hz to half the rate.
An ideal low pass at f Hz answers an impulse with h_f(t) = (2 f / rate) sinc(2 f t / rate), t in samples and
sinc(x) = sin(pi x) / (pi x); a band from f to g is h_g - h_f. Cut off after a few taps, its spectrum would ripple, so
it fades out under a Hamming window.

M. Ravanelli and Y. Bengio, "Speaker recognition from raw waveform with SincNet", SLT 2018, where the edges are learnt.
Detectors of spoofs keep them fixed: with few training systems, learnt edges fit those systems (H. Tak et al.,
"End-to-end anti-spoofing with RawNet2", ICASSP 2021). Fixed filters cost no gradient, and are computed once.
"""

import numpy as np
import torch
from torch import nn
from torch.nn.functional import conv1d

from src.detectors.field_of_view import RATE
from src.models.contract import check_range


def mel_edges(n_filters: int) -> np.ndarray:
    """Return the edges of `n_filters` neighbouring bands in Hz, shape (n_filters + 1,).

    >>> mel_edges(2).round(1)
    array([   0. , 1767.8, 8000. ])
    """
    highest = 2595 * np.log10(1 + RATE / 2 / 700)
    edges: np.ndarray = 700 * (10 ** (np.linspace(0, highest, n_filters + 1) / 2595) - 1)
    return edges


def sinc_filters(n_filters: int, n_taps: int) -> np.ndarray:
    """Return the band passes as taps, shape (n_filters, n_taps), in float64.

    Parameters
    ----------
    n_filters : int
    n_taps : int
        An odd number, so that a filter has a tap in its middle.

    >>> sinc_filters(4, 5).shape
    (4, 5)
    >>> all(np.array_equal(taps, taps[::-1]) for taps in sinc_filters(4, 129))  # symmetric: no frequency is delayed
    True
    """
    t = np.arange(n_taps) - n_taps // 2
    cut_offs = 2 * mel_edges(n_filters)[:, None] / RATE
    low_passes = cut_offs * np.sinc(cut_offs * t)
    filters: np.ndarray = np.diff(low_passes, axis=0) * np.hamming(n_taps)
    return filters


def check_taps(n_taps: int) -> None:
    """Raise ValueError when filters cannot have so many taps.

    >>> check_taps(128)
    Traceback (most recent call last):
    ValueError: Hyperparameter taps must be an odd number, not 128: a filter has a tap in its middle.
    """
    check_range("taps", n_taps, 3, 8191)
    if n_taps % 2 == 0:
        raise ValueError(f"Hyperparameter taps must be an odd number, not {n_taps}: a filter has a tap in its middle.")


class SincFilters(nn.Module):
    """The filter bank as a layer without parameters: (b, n) -> (b, n_filters, n - n_taps + 1)."""

    taps: torch.Tensor

    def __init__(self, n_filters: int, n_taps: int) -> None:
        super().__init__()
        taps = torch.from_numpy(sinc_filters(n_filters, n_taps)).float()[:, None]
        self.register_buffer("taps", taps, persistent=False)

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Return the bands of waveforms (b, n)."""
        return conv1d(waveforms[:, None], self.taps)
