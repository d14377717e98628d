"""A recording without one band of its frequencies, for the question whether a detector misses it.

The band is taken out of the spectrum of the whole recording, with slopes of raised cosines at its edges so that nothing
rings for long: no delay, the same length, and what lies outside the band is left as it was.
"""

import numpy as np

SLOPE = 100.0  # hertz


def without_band(waveform: np.ndarray, rate: int, low: float, high: float) -> np.ndarray:
    """Take the frequencies from `low` to `high` hertz out of a recording.

    Parameters
    ----------
    waveform : np.ndarray, shape (n,)
    rate : int
        Sample rate in Hz.
    low, high : float
        In Hz; a band that begins at 0 or ends at half the rate has no slope there.

    Returns
    -------
    np.ndarray, shape (n,)
        float32. Scaled down as a whole where its peak would exceed 1.

    Examples
    --------
    >>> time = np.arange(16000) / 16000
    >>> low, high = np.sin(2 * np.pi * 500 * time), 0.1 * np.sin(2 * np.pi * 2500 * time)
    >>> bool(np.allclose(without_band(low + high, 16000, 2000, 3000), low, atol=1e-3))
    True
    """
    if not 0 <= low < high <= rate / 2:
        raise ValueError(
            f"A band lies between 0 and {rate / 2:g} Hz and ends above its beginning: {low:g}-{high:g} Hz."
        )
    frequencies = np.fft.rfftfreq(len(waveform), 1 / rate)
    below = np.clip((low - frequencies) / SLOPE + 0.5, 0, 1) if low > 0 else np.zeros(len(frequencies))
    above = np.clip((frequencies - high) / SLOPE + 0.5, 0, 1) if high < rate / 2 else np.zeros(len(frequencies))
    gain = (1 - np.cos(np.pi * (below + above))) / 2
    kept = np.fft.irfft(np.fft.rfft(waveform.astype(np.float64)) * gain, len(waveform))
    found: np.ndarray = (kept / max(1.0, float(np.abs(kept).max(initial=0.0)))).astype(np.float32)
    return found
