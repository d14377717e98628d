"""Degrading a waveform on purpose, to test a detector under the conditions of its use."""

import numpy as np

from src.audio.normalize import rms


def add_noise(waveform: np.ndarray, snr: float, rng: np.random.Generator) -> np.ndarray:
    """Add white Gaussian noise at a signal-to-noise ratio.

    Parameters
    ----------
    waveform : np.ndarray, shape (n,)
    snr : float
        Power of the waveform over power of the noise, in dB; a constant offset has no power.
    rng : np.random.Generator

    Returns
    -------
    np.ndarray, shape (n,)
        float32. Where the sum exceeds full scale, all of it is scaled down, which keeps the ratio.

    >>> tone = np.sin(np.arange(16000)) * 0.5
    >>> noisy = add_noise(tone, snr=20, rng=np.random.default_rng(7))
    >>> round(20 * np.log10(rms(tone) / rms(noisy - tone)))
    20
    """
    if not np.isfinite(snr):
        raise ValueError(f"`snr` must be a finite number of decibels, not {snr}.")
    noise = rng.standard_normal(waveform.size) * rms(waveform) * 10 ** (-snr / 20)
    noisy = waveform + noise
    return (noisy / max(1.0, np.abs(noisy).max())).astype(np.float32)
