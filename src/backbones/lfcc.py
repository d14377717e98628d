"""Linear frequency cepstral coefficients: the field's classic features; nothing to download.

A frame of 20 ms every 10 ms; pre-emphasis 0.97; Hamming window; power spectrum of 512 points; 40 triangular filters
spaced evenly from 0 to 8 kHz; logarithm; orthonormal cosine transform; then the slope of each coefficient from frame to
frame (delta) and the slope of the slope. Evenly spaced filters keep apart the high frequencies where vocoders fail,
which the mel scale smears.

M. Sahidullah et al., "A comparison of features for synthetic speech detection", Interspeech 2015.
"""

from functools import cache
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from src.backbones.clip_by_clip import RATE, SpectralBackbone
from src.backbones.log_energies import FFT, HOP, LogEnergies, with_slopes

FRAME = 320
N_FILTERS = 40
PRE_EMPHASIS = 0.97


class Lfcc(SpectralBackbone):
    """One layer of 120 numbers a frame: 40 coefficients, 40 deltas, 40 double deltas."""

    name = "lfcc"
    model = f"lfcc-{N_FILTERS}"
    settings = f"frame {FRAME}, hop {HOP}, fft {FFT}, filters {N_FILTERS}, pre-emphasis {PRE_EMPHASIS}"
    dimension = 3 * N_FILTERS
    min_samples = FRAME

    def features(self, waveform: np.ndarray) -> np.ndarray:
        """Return the features of one waveform: shape (1, t, 120), float64."""
        return lfcc(waveform)[None]


load_lfcc = Lfcc.load


def identify(name: str, model: str | None, device: str, precision: str, layers: str | None) -> dict[str, Any]:
    """Return the identity of the backbone; see `identify_backbone`."""
    return Lfcc.load(model, device, precision, layers).identity()


def lfcc(waveform: np.ndarray) -> np.ndarray:
    """Compute the features of a waveform at 16 kHz.

    Parameters
    ----------
    waveform : np.ndarray, shape (n,)

    Returns
    -------
    np.ndarray, shape (t, 120)
        float64; t = 1 + (n - 320) // 160.

    >>> lfcc(np.random.default_rng(7).standard_normal(16000)).shape
    (99, 120)
    """
    return with_slopes(_log_energies()(waveform)).T


@cache
def _log_energies() -> LogEnergies:
    return LogEnergies(np.hamming(FRAME), csr_array(linear_filters()), PRE_EMPHASIS)


def linear_filters() -> np.ndarray:
    """Return the triangular filters, shape (40, 257): each rises from its neighbour's centre to its own, then falls.

    >>> filters = linear_filters()
    >>> bool(np.allclose(filters[:, 7:-7].sum(axis=0), 1))  # between the outer centres they add up to one
    True
    """
    edges = np.linspace(0, RATE / 2, N_FILTERS + 2)
    frequencies = np.fft.rfftfreq(FFT, 1 / RATE)
    rising = (frequencies - edges[:-2, None]) / np.diff(edges)[0]
    falling = (edges[2:, None] - frequencies) / np.diff(edges)[0]
    return np.clip(np.minimum(rising, falling), 0, None)
