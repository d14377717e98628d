"""Silence before and after the speech, which gives many corpora away, and which editors cut."""

import numpy as np

from src.audio.augment.contract import Effect, Number
from src.audio.framing import speech_span


def trim(waveform: np.ndarray, rate: int, rng: np.random.Generator, *, keep: float) -> np.ndarray:
    """Cut the silence before and after the speech, but for `keep` seconds at either end.

    What silence is, `speech_span` says: more than 40 dB below the loudest 10 ms.

    >>> sound = np.concatenate([np.zeros(1600), np.tile([0.5, -0.5], 400), np.zeros(99)])
    >>> trim(sound, 16000, np.random.default_rng(0), keep=0).size
    800
    """
    start, end = speech_span(waveform, rate)
    kept = round(keep * rate)
    return waveform[max(0, start - kept) : end + kept]


TRIM = Effect(
    trim,
    "editing, detection of speech",
    {"keep": Number(0.05, 0, 1, "s")},
    ({"keep": 0.2}, {"keep": 0.05}, {"keep": 0}),
    keeps_length=False,
)
