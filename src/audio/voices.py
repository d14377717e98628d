"""Synthetic voices for the demo and the tests: pulses and noise filtered by the formants of vowels, without words.

After Fant, "Acoustic Theory of Speech Production" (1960): speech is a source through a filter.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

VOWELS = ((270, 2290, 3010), (530, 1840, 2480), (730, 1090, 2440), (570, 840, 2410), (300, 870, 2240))
"""Formants of men in Hz: Peterson and Barney, "Control methods used in a study of the vowels" (1952)."""


@dataclass(frozen=True)
class Voice:
    """What all clips of one person have in common."""

    pitch: float  # in Hz
    scale: float  # of the formants: 1 for a man's vocal tract, more for a shorter one
    breath: float  # standard deviation of the noise in the source, whose pulses have the height 1
    noise: float  # standard deviation of the background, where that of the speech is 1


def draw_voice(gender: str, rng: np.random.Generator) -> Voice:
    """Draw a person of the given gender: "F" (a pitch of 165 to 255 Hz) or "M" (85 to 155 Hz).

    >>> 165 <= draw_voice("F", np.random.default_rng(0)).pitch <= 255
    True
    """
    if gender not in ("F", "M"):
        raise ValueError(f"`gender` must be 'F' or 'M', not {gender!r}.")
    low, high, scale = (165, 255, 1.17) if gender == "F" else (85, 155, 1.0)
    return Voice(
        rng.uniform(low, high), scale * rng.uniform(0.94, 1.06), rng.uniform(0.01, 0.05), rng.uniform(0.002, 0.02)
    )


def speak(voice: Voice, seconds: float, rng: np.random.Generator, rate: int = 16_000) -> np.ndarray:
    """Synthesise a new clip of a voice.

    Parameters
    ----------
    voice : Voice
    seconds : float
        Length of the clip, above 0.
    rng : np.random.Generator
        Source of the vowels, the rhythm and the level.
    rate : int
        In hertz, 8000 or more: the formants lie below 4000 Hz.

    Returns
    -------
    np.ndarray, shape (round(seconds * rate),)
        float32 with a peak between 0.2 and 0.8.

    >>> speak(draw_voice("M", np.random.default_rng(0)), 1.5, np.random.default_rng(1)).shape
    (24000,)
    """
    n_samples = round(seconds * rate)
    if n_samples < 1 or rate < 8000:
        raise ValueError(f"A clip must last longer than 0 s at 8000 Hz or more, not {seconds:g} s at {rate} Hz.")
    speech = voice.noise * rng.standard_normal(n_samples)
    start = rate // 20
    while start < n_samples:
        syllable = _syllable(voice, int(rng.uniform(0.1, 0.3) * rate), rng, rate)[: n_samples - start]
        speech[start : start + len(syllable)] += syllable
        start += len(syllable) + int(rng.choice([0.0, 0.2], p=[0.8, 0.2]) * rate)
    return (speech * rng.uniform(0.2, 0.8) / np.abs(speech).max()).astype(np.float32)


def _syllable(voice: Voice, n_samples: int, rng: np.random.Generator, rate: int) -> np.ndarray:
    """Return a vowel of falling pitch that swells and fades, shape (n_samples,), at a deviation of 1 before that."""
    semitones = rng.normal(0.0, 1.5) + np.linspace(1, -1, n_samples) + rng.normal(0, 0.2, n_samples).cumsum() / 50
    cycles = np.cumsum(voice.pitch * 2 ** (semitones / 12) / rate)
    heights = rng.normal(1.0, 0.1, int(cycles[-1]) + 1)[cycles.astype(int)]
    sound = heights * np.diff(np.floor(cycles), prepend=0) + voice.breath * rng.standard_normal(n_samples)
    sound = lfilter([1.0], [1.0, -0.9], sound)  # a glottis is duller than a click
    for formant in voice.scale * np.array(rng.choice(VOWELS)):
        radius, angle = np.exp(-np.pi * (50 + formant / 20) / rate), 2 * np.pi * formant / rate
        sound = lfilter([1.0], [1.0, -2 * radius * np.cos(angle), radius**2], sound)
    return np.hanning(n_samples) * sound / sound.std()
