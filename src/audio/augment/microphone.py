"""Microphones and recorders: a limited band, an uneven response, clipping, automatic gain.

Filters have no phase (they run forwards and backwards, or are gains on the spectrum), so nothing is delayed.
"""

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import butter, lfilter, sosfiltfilt

from src.audio.augment.contract import Effect, Number

ORDER = 6
"""Of the band's filter, which is passed twice: 72 dB an octave beyond the limits, 6 dB at them."""
LOWEST = 10.0
"""Hertz: a lower limit below is none, as no filter of this kind is stable there."""
HIGHEST = 0.49
"""A limit above this share of the rate is none."""
PAD = 0.25
"""Seconds by which a waveform is mirrored at its ends before it is filtered, or its own length where it is shorter."""
KNOTS = 8
"""Frequencies between 50 Hz and half the rate at which a response is drawn."""
QUIET = 1e-4
"""-80 dBFS: what is more silent is not amplified further by automatic gain."""


def limit_band(waveform: np.ndarray, rate: int, low: float, high: float) -> np.ndarray:
    """Keep what lies between two frequencies in hertz; a `low` up to 10 Hz and a `high` above half the rate are none.

    >>> tone = np.sin(2 * np.pi * 3000 * np.arange(1600) / 16000)
    >>> bool(limit_band(tone, 16000, 0, 1500)[400:-400].std() < 1e-3)
    True
    """
    limits = [limit for limit in (low, high) if LOWEST < limit < HIGHEST * rate]
    if not limits or low >= HIGHEST * rate:
        return waveform
    kind = "bandpass" if len(limits) == 2 else "highpass" if low in limits else "lowpass"
    filters = butter(ORDER, limits if len(limits) == 2 else limits[0], kind, fs=rate, output="sos")
    n_padded = min(round(PAD * rate), waveform.size - 1)
    filtered: np.ndarray = sosfiltfilt(filters, waveform.astype(np.float64), padlen=n_padded)
    return filtered


def band(waveform: np.ndarray, rate: int, rng: np.random.Generator, *, low: float, high: float) -> np.ndarray:
    """Cut a waveform to a band, as `limit_band` does.

    >>> band(np.zeros(1600), 16000, np.random.default_rng(0), low=300, high=3400).shape
    (1600,)
    """
    return limit_band(waveform, rate, low, high)


def respond(waveform: np.ndarray, rate: int, rng: np.random.Generator, *, depth: float) -> np.ndarray:
    """Give a waveform the uneven response of a cheap microphone, at most `depth` dB up or down; the level stays.

    Gains are drawn at frequencies that lie evenly on a logarithmic scale, and joined by straight lines in decibels.

    >>> tone = np.sin(np.arange(1600))
    >>> np.allclose(respond(tone, 16000, np.random.default_rng(0), depth=0), tone)
    True
    """
    size = next_fast_len(waveform.size + rate // 10, real=True)  # room for what rings beyond the end
    knots = np.geomspace(50, rate / 2, KNOTS)
    frequencies = np.maximum(np.arange(size // 2 + 1) * rate / size, knots[0])
    gains = np.interp(np.log(frequencies), np.log(knots), rng.uniform(-depth, depth, KNOTS))
    changed: np.ndarray = irfft(rfft(waveform.astype(np.float64), size) * 10 ** (gains / 20), size)[: waveform.size]
    return _as_loud_as(changed, waveform)


def clip(waveform: np.ndarray, rate: int, rng: np.random.Generator, *, share: float) -> np.ndarray:
    """Clip the loudest `share` percent of the samples, as a recorder does whose gain is too high.

    >>> clip(np.arange(10) / 10, 16000, np.random.default_rng(0), share=30)
    array([0. , 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.6, 0.6, 0.6])
    """
    n_clipped = round(share / 100 * waveform.size)
    limit = np.sort(np.abs(waveform))[max(waveform.size - 1 - n_clipped, 0)]
    return np.clip(waveform, -limit, limit)


def control_gain(
    waveform: np.ndarray, rate: int, rng: np.random.Generator, *, dbfs: float, seconds: float, gain: float
) -> np.ndarray:
    """Bring the level of every moment towards `dbfs`, as the automatic gain of a recorder does.

    The level is that of the power, averaged with a time constant of `seconds`; it is raised or lowered by at most
    `gain` dB. Pauses become louder, which is what one hears of it. It begins at the level of the first `seconds`.

    >>> tone = 0.01 * np.sin(np.arange(16000, dtype=float))
    >>> loud = control_gain(tone, 16000, np.random.default_rng(0), dbfs=-20, seconds=0.1, gain=30)
    >>> round(20 * np.log10(loud[-8000:].std()))
    -20
    """
    power = np.square(waveform, dtype=np.float64)
    kept = float(np.exp(-1 / (seconds * rate)))
    first = power[: max(1, round(seconds * rate))].mean()
    level = np.sqrt(lfilter([1 - kept], [1, -kept], power, zi=[kept * first])[0])
    wanted, most = 10 ** (dbfs / 20), 10 ** (gain / 20)
    return waveform * np.clip(wanted / np.maximum(level, QUIET), 1 / most, most)


def _as_loud_as(changed: np.ndarray, waveform: np.ndarray) -> np.ndarray:
    before, after = np.std(waveform, dtype=np.float64), np.std(changed)
    return changed * (before / after) if before and after else changed


BAND = Effect(
    band,
    "small loudspeakers, cheap microphones",
    {"low": Number(300, 0, 1000, "Hz"), "high": Number(3400, 1500, 24000, "Hz")},
    ({"low": 50, "high": 7000}, {"low": 300, "high": 3400}, {"low": 500, "high": 2000}),
)
MICROPHONE = Effect(
    respond,
    "uneven response of a microphone",
    {"depth": Number(6, 0, 20, "dB")},
    ({"depth": 3}, {"depth": 6}, {"depth": 12}),
)
CLIPPING = Effect(
    clip, "a gain that is too high", {"share": Number(2, 0, 50, "%")}, ({"share": 0.5}, {"share": 2}, {"share": 10})
)
AGC = Effect(
    control_gain,
    "automatic gain of a recorder",
    {"dbfs": Number(-20, -50, -10, "dBFS"), "seconds": Number(0.2, 0.02, 5, "s"), "gain": Number(20, 0, 40, "dB")},
    ({"seconds": 1, "gain": 10}, {"seconds": 0.3, "gain": 20}, {"seconds": 0.05, "gain": 30}),
)
