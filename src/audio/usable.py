"""Whether a waveform can be used: it holds samples, all of them numbers, and there is something to be heard.

Waveforms in files of floating point have any scale; those beyond full scale are scaled down as a whole. One wild sample
(a torn write, of 1e9 say) would thereby make silence of all others, and is refused.
"""

import numpy as np

from src.audio.unusable import EMPTY, UnusableAudio

SILENT = "silent (no sample above -80 dBFS)"
SILENCE_PEAK = 1e-4  # -80 dB below full scale: three steps of a 16-bit recording
WILD = 1000.0
"""A sample so many times as large as nearly all others is no sound: 60 dB."""
WILD_FROM = 10.0
"""In units of full scale; below it, a loud click may be a click."""
FEW = 100
"""One sample in so many, or one in all, may be wild."""


def check_usable(waveform: np.ndarray) -> None:
    """Raise `UnusableAudio` for a waveform that is empty, not finite, silent, or silent but for a few wild samples.

    Silent means that no sample is further than 80 dB below full scale from the mean: a constant offset is silence.

    >>> check_usable(np.zeros(100))
    Traceback (most recent call last):
    src.audio.unusable.UnusableAudio: silent (no sample above -80 dBFS)
    """
    finite(waveform)
    check_not_wild(waveform)
    if is_silent(waveform):
        raise UnusableAudio(SILENT)


def is_silent(waveform: np.ndarray) -> bool:
    """Tell whether no sample is further than 80 dB below full scale from the mean."""
    mean = waveform.mean()
    return float(max(waveform.max() - mean, mean - waveform.min())) < SILENCE_PEAK


def check_not_wild(waveform: np.ndarray, *, is_stretch: bool = False) -> None:
    """Raise `UnusableAudio` when a few samples are so large that, scaled with them, all others would be silent.

    Samples of another scale, such as that of 16 bits (up to 32767), are not wild: there nearly all are beyond 1.

    Parameters
    ----------
    waveform : np.ndarray, shape (n,)
    is_stretch : bool
        Whether it is a part of a recording, which may be a pause with a click.

    >>> check_not_wild(np.append(np.sin(np.arange(100.0)), 1e9))
    Traceback (most recent call last):
    src.audio.unusable.UnusableAudio: 1 wild sample (up to 1e+09, where all others lie within 1; a torn write?)
    """
    peak, n_few = float(max(waveform.max(), -waveform.min())), max(1, waveform.size // FEW)
    if peak < WILD_FROM or waveform.size <= n_few:
        return
    sizes = np.abs(waveform)
    usual = float(np.partition(sizes, -n_few - 1)[-n_few - 1])
    limit = WILD * usual if usual < 1 else usual / SILENCE_PEAK
    if peak < limit or (is_stretch and not SILENCE_PEAK < usual < 1):
        return
    n_wild = int(np.count_nonzero(sizes > max(usual, peak / WILD)))
    count = "1 wild sample" if n_wild == 1 else f"{n_wild} wild samples"
    raise UnusableAudio(f"{count} (up to {peak:.3g}, where all others lie within {usual:.2g}; a torn write?)")


def finite(waveform: np.ndarray) -> np.ndarray:
    """Return a waveform that holds samples, all of them numbers."""
    if waveform.size == 0:
        raise UnusableAudio(EMPTY)
    n_bad = int(np.count_nonzero(~np.isfinite(waveform)))
    if n_bad:
        raise UnusableAudio(f"not finite ({n_bad} of {waveform.size} samples are NaN or infinite)")
    return waveform
