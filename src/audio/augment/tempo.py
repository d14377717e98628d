"""Speed, pitch and tempo, and a way through another sample rate.

Speed is that of a tape: tempo and pitch change together, by resampling (soxr). Pitch and tempo separately are changed
by Signalsmith Stretch (the package python-stretch; the classes of audiomentations, which uses it as well, draw from
global random state and take seconds to import). Its spectral windows blur moments by up to 10 ms. Speed and tempo
change the length: what lay at t seconds lies at t / factor.
"""

import numpy as np
import soxr

from src.audio.augment.contract import Effect, Number


def change_speed(waveform: np.ndarray, rate: int, rng: np.random.Generator, *, factor: float) -> np.ndarray:
    """Play a waveform `factor` times as fast; shape (round(n / factor),).

    >>> change_speed(np.zeros(1600), 16000, np.random.default_rng(0), factor=0.8).shape
    (2000,)
    """
    return _of_length(soxr.resample(waveform.astype(np.float32), factor, 1.0), round(waveform.size / factor))


def change_pitch(waveform: np.ndarray, rate: int, rng: np.random.Generator, *, semitones: float) -> np.ndarray:
    """Raise the pitch of a waveform by `semitones`; its length stays.

    >>> change_pitch(np.zeros(1600), 16000, np.random.default_rng(0), semitones=2).shape
    (1600,)
    """
    return _stretched(waveform, rate, rng, factor=1.0, semitones=semitones)


def change_tempo(waveform: np.ndarray, rate: int, rng: np.random.Generator, *, factor: float) -> np.ndarray:
    """Make a waveform `factor` times as fast at the same pitch; shape (round(n / factor),).

    >>> change_tempo(np.zeros(1600), 16000, np.random.default_rng(0), factor=0.8).shape
    (2000,)
    """
    return _stretched(waveform, rate, rng, factor=factor, semitones=0.0)


def through_rate(waveform: np.ndarray, rate: int, rng: np.random.Generator, *, hertz: int) -> np.ndarray:
    """Resample a waveform to another rate and back: of a lower rate, what lies above its half is gone.

    >>> through_rate(np.zeros(1600), 16000, np.random.default_rng(0), hertz=8000).shape
    (1600,)
    """
    there = soxr.resample(waveform.astype(np.float32), rate, hertz)
    return _of_length(soxr.resample(there, hertz, rate), waveform.size)


def _stretched(
    waveform: np.ndarray, rate: int, rng: np.random.Generator, *, factor: float, semitones: float
) -> np.ndarray:
    from python_stretch.Signalsmith import Stretch

    stretch = Stretch(int(rng.integers(2**31)))
    stretch.preset(1, rate)
    stretch.setTransposeSemitones(semitones)
    stretch.setTimeFactor(factor)
    stretched = np.asarray(stretch.process(waveform.astype(np.float32)[None]))
    return _of_length(stretched[0], round(waveform.size / factor))


def _of_length(waveform: np.ndarray, n_samples: int) -> np.ndarray:
    return np.pad(waveform[:n_samples], (0, max(0, n_samples - waveform.size)))


FACTOR = Number(1.1, 0.5, 2)
SPEED = Effect(
    change_speed,
    "a tape that runs too fast or slow",
    {"factor": FACTOR},
    ({"factor": 1.05}, {"factor": 0.9}, {"factor": 1.25}),
    keeps_length=False,
)
PITCH = Effect(
    change_pitch,
    "a voice changer",
    {"semitones": Number(2, -12, 12, "semitones")},
    ({"semitones": 0.5}, {"semitones": -2}, {"semitones": 4}),
    package="python_stretch",
)
STRETCH = Effect(
    change_tempo,
    "faster playback in a player",
    {"factor": FACTOR},
    ({"factor": 1.05}, {"factor": 0.85}, {"factor": 1.4}),
    keeps_length=False,
    package="python_stretch",
)
RESAMPLE = Effect(
    through_rate,
    "files that were stored at another sample rate",
    {"hertz": Number(8000, 2000, 96000, "Hz", whole=True)},
    ({"hertz": 11025}, {"hertz": 8000}, {"hertz": 4000}),
)
