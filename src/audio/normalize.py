"""The level of a waveform, and how it is normalised.

Spoofs are often louder than the bona fide speech they imitate; a detector that has learned only this is worthless.
Peak normalisation scales the largest sample to full scale; RMS normalisation scales the root mean square to a target,
but no further than the largest sample allows.

A constant offset, such as a cheap sound card adds, is no sound: levels ignore it, and normalisation removes it.
"""

from collections.abc import Callable

import numpy as np

ROUNDING = 1e-7
"""Share of a float32 constant that rounding may leave when its mean is subtracted."""


def rms(waveform: np.ndarray) -> float:
    """Return the root mean square of a waveform of shape (n,) about its mean.

    >>> round(rms(np.array([0.3, -0.3, 0.3, -0.3]) + 0.2), 6)
    0.3
    """
    return float(np.std(waveform, dtype=np.float64))


def normalize_peak(waveform: np.ndarray) -> np.ndarray:
    """Subtract the mean and scale a waveform so that its largest sample is 1; silence becomes zeros.

    >>> normalize_peak(np.array([0.1, -0.5, 0.1, 0.1], dtype=np.float32) + 1)
    array([ 0.33333334, -1.        ,  0.33333334,  0.33333334], dtype=float32)
    """
    sound, peak = _sound_and_peak(waveform)
    return (sound / peak).astype(np.float32)


def normalize_rms(waveform: np.ndarray, target_rms: float = 0.1) -> np.ndarray:
    """Subtract the mean and scale to a root mean square of `target_rms`, or as near as full scale allows.

    >>> round(rms(normalize_rms(np.array([0.3, -0.3]), target_rms=0.1)), 6)
    0.1
    >>> np.abs(normalize_rms(np.array([1e-3] * 99 + [1.0]), target_rms=0.5)).max()
    np.float32(1.0)
    """
    if not 0 < target_rms <= 1:
        raise ValueError(f"`target_rms` must lie in (0, 1], not {target_rms:g}; 0.1 is -20 dBFS.")
    sound, peak = _sound_and_peak(waveform)
    level = rms(sound)
    gain = min(target_rms / level, 1 / peak) if level else 1.0
    return np.clip(sound * gain, -1, 1).astype(np.float32)


def _sound_and_peak(waveform: np.ndarray) -> tuple[np.ndarray, float]:
    """Return a waveform without its offset, and its largest sample; silence has the peak 1."""
    sound = waveform - (waveform.mean(dtype=np.float64) if waveform.size else 0.0)
    peak = float(np.abs(sound).max(initial=0.0))
    if peak <= ROUNDING * np.abs(waveform).max(initial=0.0):
        return np.zeros(waveform.shape), 1.0
    return sound, peak


METHODS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "peak": lambda waveform, _target: normalize_peak(waveform),
    "rms": normalize_rms,
}
"""Name of a method -> function of a waveform and the target RMS."""
