"""Copies of recordings by any vocoder, at the level of their originals; and what a vocoder needs to be there."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

import numpy as np

from src.audio.vocoders import VOCODERS
from src.audio.vocoders.speech_codecs import has_encoder

Vocoder = Callable[[np.ndarray, int, int], np.ndarray]
NEEDS: dict[str, tuple[Callable[[], bool], str]] = {
    "world": (lambda: find_spec("pyworld") is not None, 'the package pyworld: pip install -e ".[vocoders]"'),
    "opus6k": (lambda: has_encoder("libopus"), "PyAV with the encoder libopus"),
    "amrnb": (lambda: has_encoder("libopencore_amrnb"), "PyAV with the encoder libopencore_amrnb"),
    "g723": (lambda: has_encoder("g723_1"), "PyAV with the encoder g723_1"),
}
"""Vocoder -> whether what it needs is there, and how to get it."""
SHORTEST = 0.1  # seconds; shorter clips are analysed with silence behind them


def require_vocoder(vocoder: str) -> None:
    """Raise ValueError when no vocoder has that name, or what it needs is missing.

    >>> require_vocoder("griffinlim")
    """
    if vocoder not in VOCODERS:
        raise ValueError(f"Unknown vocoder '{vocoder}'; allowed: {', '.join(VOCODERS)}.")
    if vocoder in NEEDS and not NEEDS[vocoder][0]():
        raise ValueError(f"The vocoder {vocoder} needs {NEEDS[vocoder][1]}")


def copy_synthesis(waveform: np.ndarray, rate: int, *, vocoder: str = "griffinlim", seed: int = 0) -> np.ndarray:
    """Make a spoof of a recording: analyse it and resynthesise it with a vocoder.

    Parameters
    ----------
    waveform : np.ndarray, shape (n,)
        Mono, within [-1, 1].
    rate : int
        Sample rate in Hz.
    vocoder : str
        A name of `VOCODERS`.
    seed : int
        Of the vocoder's random phases and noise; give every clip its own, or all copies start from the same phases.

    Returns
    -------
    np.ndarray, shape (n,)
        float32 within [-1, 1], at the level of the original; silence stays silence.

    Raises
    ------
    ValueError
        If no vocoder has that name, what it needs is missing, or the waveform is not mono.

    Examples
    --------
    >>> tone = 0.5 * np.sin(2 * np.pi * 220 * np.arange(8000) / 16000)
    >>> copy = copy_synthesis(tone, 16000)
    >>> copy.shape, copy.dtype, round(float(np.sqrt(np.mean(copy**2))), 3)
    ((8000,), dtype('float32'), 0.354)
    """
    require_vocoder(vocoder)
    if waveform.ndim != 1:
        raise ValueError(f"`waveform` must be one channel of shape (n,), not {waveform.shape}.")
    if not np.any(waveform):
        return np.zeros(len(waveform), dtype=np.float32)
    padded = np.pad(waveform, (0, max(0, round(SHORTEST * rate) - len(waveform))))
    copy = _function(vocoder)(padded, rate, seed).astype(np.float64)[: len(waveform)]
    copy *= _rms(waveform) / max(_rms(copy), 1e-12)
    copy /= max(1.0, float(np.max(np.abs(copy))))
    return copy.astype(np.float32)


def _function(vocoder: str) -> Vocoder:
    module, name = VOCODERS[vocoder].split(":")
    function: Vocoder = getattr(import_module(module), name)
    return function


def _rms(waveform: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))
