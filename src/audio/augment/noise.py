"""Additive noise at a signal-to-noise ratio: white, pink, other people's speech, or recordings of noise.

The ratio is that of the whole clip: power of the waveform over power of the noise, in dB, both about their means.
(Where half of a clip is silence, the noise beside its speech is 3 dB weaker than the ratio says.)
"""

from collections.abc import Sequence

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from src.audio.augment.contract import Effect, Number, Value
from src.audio.normalize import rms

LOWEST = 20.0
"""Hertz, below which pink noise falls no further."""


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


def mix(waveform: np.ndarray, noise: np.ndarray, snr: float) -> np.ndarray:
    """Add a noise of the same length at exactly `snr` dB; beside silence, and of silence, nothing is added.

    >>> tone, hum = np.sin(np.arange(1000)), np.cos(np.arange(1000) / 9)
    >>> round(float(20 * np.log10(rms(tone) / rms(mix(tone, hum, 6) - tone))), 6)
    6.0
    """
    loudness = rms(noise)
    if loudness == 0:
        return waveform
    return waveform + (noise - noise.mean(dtype=np.float64)) * (rms(waveform) / loudness * 10 ** (-snr / 20))


def white_noise(waveform: np.ndarray, rate: int, rng: np.random.Generator, *, snr: float) -> np.ndarray:
    """Add Gaussian noise of equal power at all frequencies.

    >>> white_noise(np.zeros(3), 16000, np.random.default_rng(0), snr=20)
    array([0., 0., 0.])
    """
    return mix(waveform, rng.standard_normal(waveform.size), snr)


def pink_noise(waveform: np.ndarray, rate: int, rng: np.random.Generator, *, snr: float) -> np.ndarray:
    """Add Gaussian noise whose power falls by 3 dB an octave above 20 Hz, and is constant below.

    >>> pink_noise(np.zeros(3), 16000, np.random.default_rng(0), snr=20)
    array([0., 0., 0.])
    """
    size = next_fast_len(waveform.size, real=True)
    frequencies = np.arange(size // 2 + 1) * rate / size
    spectrum = rfft(rng.standard_normal(size)) / np.sqrt(np.maximum(frequencies, LOWEST))
    return mix(waveform, irfft(spectrum, size)[: waveform.size], snr)


def babble(
    waveform: np.ndarray,
    rate: int,
    rng: np.random.Generator,
    *,
    snr: float,
    talkers: int,
    recordings: Sequence[np.ndarray],
) -> np.ndarray:
    """Add other people's speech, all of them equally loud; `talkers` says how many `recordings` there are.

    >>> people = [np.sin(np.arange(100) * pitch) for pitch in (1.0, 1.3)]
    >>> babble(np.zeros(100), 16000, np.random.default_rng(0), snr=10, talkers=2, recordings=people).any()
    np.False_
    """
    return mix(waveform, np.sum([speech / (rms(speech) or 1.0) for speech in recordings], axis=0), snr)


def recorded_noise(
    waveform: np.ndarray, rate: int, rng: np.random.Generator, *, snr: float, recordings: Sequence[np.ndarray]
) -> np.ndarray:
    """Add a stretch of a recording of noise.

    >>> hum = [np.sin(np.arange(100))]
    >>> recorded_noise(np.zeros(100), 16000, np.random.default_rng(0), snr=10, recordings=hum).any()
    np.False_
    """
    return mix(waveform, recordings[0], snr)


SNR = Number(20, -20, 60, "dB")
STRENGTHS: tuple[dict[str, Value], ...] = ({"snr": 20}, {"snr": 10}, {"snr": 0})
WHITE = Effect(white_noise, "hiss of an amplifier", {"snr": SNR}, STRENGTHS)
PINK = Effect(pink_noise, "wind, traffic, ventilation", {"snr": SNR}, STRENGTHS)
BABBLE = Effect(
    babble,
    "people who talk nearby",
    {"snr": SNR, "talkers": Number(4, 1, 10, whole=True)},
    STRENGTHS,
    draws="people",
    how_many="talkers",
)
NOISE = Effect(recorded_noise, "recorded noise, music, speech", {"snr": SNR}, STRENGTHS, draws="noises")
