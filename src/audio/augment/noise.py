"""Additive noise at a signal-to-noise ratio: white, pink, other people's speech, or recordings of noise.

The ratio is that of the whole clip: power of the waveform over power of the noise, in dB, both about their means.
(Where half of a clip is silence, the noise beside its speech is 3 dB weaker than the ratio says.)
"""

import numpy as np

from src.audio.augment.contract import Effect, Number
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


def add_white_noise(waveform: np.ndarray, rate: int, rng: np.random.Generator, *, snr: float) -> np.ndarray:
    """Add white noise, as `add_noise` does.

    >>> add_white_noise(np.zeros(3), 16000, np.random.default_rng(0), snr=20)
    array([0., 0., 0.], dtype=float32)
    """
    return add_noise(waveform, snr, rng)


SNR = Number(20, -20, 60, "dB")
WHITE = Effect(add_white_noise, "hiss of an amplifier", {"snr": SNR}, ({"snr": 20}, {"snr": 10}, {"snr": 0}))
