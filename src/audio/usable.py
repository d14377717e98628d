"""Whether a waveform can be used: it holds samples, all of them finite, and is not silent.

Floating-point files may have any scale; waveforms that exceed full scale are scaled down as a whole. A single outlier
(of 1e9, say, from corrupt data) would thereby reduce all other samples to silence, so such recordings are refused.
"""

import numpy as np

from src.audio.unusable import EMPTY, UnusableAudio

SILENT = "silent (no sample above -80 dBFS)"
SILENCE_PEAK = 1e-4  # -80 dB below full scale: three steps of a 16-bit recording
OUTLIER_RATIO = 1000.0
"""A sample that exceeds nearly all others by this factor (60 dB) is no sound."""
LOWEST_OUTLIER = 10.0
"""In units of full scale; a smaller peak may be a loud click."""
SAMPLES_PER_OUTLIER = 100
"""At most one sample in this many, or a single one, counts as an outlier."""


def check_usable(waveform: np.ndarray) -> None:
    """Raise `UnusableAudio` for a waveform that is empty, not finite, silent, or silent but for a few outliers.

    Silent means that no sample differs from the mean by more than -80 dBFS: a constant offset is silence.

    >>> check_usable(np.zeros(100))
    Traceback (most recent call last):
    src.audio.unusable.UnusableAudio: silent (no sample above -80 dBFS)
    """
    finite(waveform)
    check_no_outliers(waveform)
    if is_silent(waveform):
        raise UnusableAudio(SILENT)


def is_silent(waveform: np.ndarray) -> bool:
    """Return whether no sample differs from the mean by more than -80 dBFS."""
    mean = waveform.mean()
    return float(max(waveform.max() - mean, mean - waveform.min())) < SILENCE_PEAK


def check_no_outliers(waveform: np.ndarray, *, is_stretch: bool = False) -> None:
    """Raise `UnusableAudio` when a few samples are so large that, scaled with them, all others would be silent.

    Samples of another scale, such as that of 16 bits (up to 32767), are no outliers: there nearly all exceed 1.

    Parameters
    ----------
    waveform : np.ndarray, shape (n,)
    is_stretch : bool
        Whether it is a part of a recording, in which a pause with a click is allowed.

    >>> check_no_outliers(np.append(np.sin(np.arange(100.0)), 1e9))
    Traceback (most recent call last):
    src.audio.unusable.UnusableAudio: 1 outlier (up to 1e+09, where all others lie within 1; corrupt data?)
    """
    peak, n_few = float(max(waveform.max(), -waveform.min())), max(1, waveform.size // SAMPLES_PER_OUTLIER)
    if peak < LOWEST_OUTLIER or waveform.size <= n_few:
        return
    sizes = np.abs(waveform)
    usual = float(np.partition(sizes, -n_few - 1)[-n_few - 1])
    limit = OUTLIER_RATIO * usual if usual < 1 else usual / SILENCE_PEAK
    if peak < limit or (is_stretch and not SILENCE_PEAK < usual < 1):
        return
    n_outliers = int(np.count_nonzero(sizes > max(usual, peak / OUTLIER_RATIO)))
    count = "1 outlier" if n_outliers == 1 else f"{n_outliers} outliers"
    raise UnusableAudio(f"{count} (up to {peak:.3g}, where all others lie within {usual:.2g}; corrupt data?)")


def finite(waveform: np.ndarray) -> np.ndarray:
    """Return a waveform unchanged, or raise `UnusableAudio` where it is empty, NaN or infinite."""
    if waveform.size == 0:
        raise UnusableAudio(EMPTY)
    n_bad = int(np.count_nonzero(~np.isfinite(waveform)))
    if n_bad:
        raise UnusableAudio(f"not finite ({n_bad} of {waveform.size} samples are NaN or infinite)")
    return waveform
