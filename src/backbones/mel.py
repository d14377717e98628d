"""The mel scale of mfcc and logmel, 2595 log10(1 + f / 700), and the window of speech encoders."""

import numpy as np

from src.backbones.clip_by_clip import RATE
from src.backbones.log_energies import FFT

LOG_MEL_FRAME = 400
N_BANDS = 80


def mel_filters(n_filters: int) -> np.ndarray:
    """Return triangles whose edges are evenly spaced in mel from 0 to 8 kHz, straight in hertz: (n_filters, 257).

    >>> filters = mel_filters(80)
    >>> filters.shape, bool((filters.sum(axis=1) > 0).all())
    ((80, 257), True)
    """
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, n_filters + 2) / 2595) - 1)
    frequencies, widths = np.fft.rfftfreq(FFT, 1 / RATE), np.diff(edges)
    rising = (frequencies - edges[:-2, None]) / widths[:-1, None]
    falling = (edges[2:, None] - frequencies) / widths[1:, None]
    return np.clip(np.minimum(rising, falling), 0, None)


def hann(length: int) -> np.ndarray:
    """Return the periodic Hann window, 0.5 - 0.5 cos(2 pi k / length)."""
    return np.hanning(length + 1)[:-1]
