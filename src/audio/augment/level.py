"""Level: how loud a recording is, which says nothing about who or what speaks."""

import numpy as np

from src.audio.augment.contract import Effect, Number
from src.audio.normalize import rms


def change_level(waveform: np.ndarray, rate: int, rng: np.random.Generator, *, dbfs: float) -> np.ndarray:
    """Scale a waveform of shape (n,) to a root mean square of `dbfs` decibels below full scale.

    What then exceeds full scale is scaled down by whoever applies the effect, never clipped; silence stays silence. A
    full-scale sine has -3 dBFS; ITU-T P.56 asks for speech of -26.

    >>> change_level(np.array([0.5, -0.5]), 16000, np.random.default_rng(0), dbfs=-20).round(6)
    array([ 0.1, -0.1])
    """
    level = rms(waveform)
    return waveform * (10 ** (dbfs / 20) / level) if level else waveform


LEVEL = Effect(
    change_level,
    "distance to the microphone, gain of the recorder",
    {"dbfs": Number(-26, -70, -10, "dBFS")},
    ({"dbfs": -26}, {"dbfs": -40}, {"dbfs": -60}),
)
