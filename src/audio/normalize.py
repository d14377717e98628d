"""Level: how loud a waveform is, and bringing it to a wanted loudness.

Spoofs are often louder than the genuine speech they imitate; a detector that hears only this is worth nothing.
Peak normalisation brings the largest sample to full scale; RMS normalisation brings the root mean square to a target,
and stops at the gain where the largest sample would pass full scale.
"""

from collections.abc import Callable

import numpy as np


def rms(waveform: np.ndarray) -> float:
    """Return the root mean square of a waveform of shape (n,).

    >>> rms(np.array([0.3, -0.3, 0.3, -0.3]))
    0.3
    """
    return float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))


def normalize_peak(waveform: np.ndarray) -> np.ndarray:
    """Scale a waveform so that its largest sample is 1; silence stays as it is.

    >>> normalize_peak(np.array([0.1, -0.5], dtype=np.float32))
    array([ 0.2, -1. ], dtype=float32)
    """
    peak = np.abs(waveform).max(initial=0.0)
    return (waveform / peak).astype(np.float32) if peak > 0 else waveform.astype(np.float32)


def normalize_rms(waveform: np.ndarray, target_rms: float = 0.1) -> np.ndarray:
    """Scale a waveform to a root mean square of `target_rms`, or as near as full scale allows.

    >>> round(rms(normalize_rms(np.array([0.3, -0.3]), target_rms=0.1)), 6)
    0.1
    >>> np.abs(normalize_rms(np.array([1e-3] * 99 + [1.0]), target_rms=0.5)).max()
    np.float32(1.0)
    """
    if not 0 < target_rms <= 1:
        raise ValueError(f"--target-rms must lie in (0, 1], not {target_rms:g}; 0.1 is -20 dBFS.")
    level = rms(waveform)
    if level == 0:
        return waveform.astype(np.float32)
    gain = min(target_rms / level, 1 / np.abs(waveform).max())
    return np.clip(waveform * gain, -1, 1).astype(np.float32)


METHODS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "peak": lambda waveform, _target: normalize_peak(waveform),
    "rms": normalize_rms,
}
"""Name of a method -> function of a waveform and the target RMS."""
