"""Cutting a waveform into frames, and finding where the speech begins and ends.

Frame i covers samples i * hop to i * hop + length. Only whole frames count, but a waveform shorter than one frame is
padded with zeros to give one, so that every clip has a frame.
"""

import numpy as np

SILENCE_FLOOR_DB = 40.0
"""A frame more than this below the loudest one counts as silence."""
ROUNDING = 1e-20
"""Energy that rounding leaves of a constant when its mean is subtracted."""


def frame_signal(waveform: np.ndarray, length: int, hop: int) -> np.ndarray:
    """Cut a waveform of shape (n,) into overlapping frames.

    Returns
    -------
    np.ndarray, shape (t, length)
        A view where possible; t = 1 + (n - length) // hop, at least 1.

    >>> frame_signal(np.arange(6), length=4, hop=2)
    array([[0, 1, 2, 3],
           [2, 3, 4, 5]])
    """
    if waveform.size < length:
        waveform = np.pad(waveform, (0, length - waveform.size))
    return np.lib.stride_tricks.sliding_window_view(waveform, length)[::hop]


def speech_span(waveform: np.ndarray, rate: int) -> tuple[int, int]:
    """Return where the sound begins and ends: the first sample that is not silence, and one past the last.

    A frame of 10 ms is silent where its energy is more than 40 dB below that of the loudest. The energy is taken about
    the frame's own mean: a constant offset, such as a cheap sound card adds, is no sound, nor is the step from padding
    with zeros to that offset.

    >>> tone = np.tile([0.5, -0.5], 400)
    >>> speech_span(np.concatenate([np.zeros(1600), tone, np.zeros(1600)]) + 0.02, rate=16000)
    (1600, 2400)
    """
    length = max(1, rate // 100)
    filled = np.pad(waveform, (0, -waveform.size % length), mode="edge")
    energies = filled.reshape(-1, length).var(axis=1, dtype=np.float64)
    loud = np.flatnonzero(energies > max(energies.max() * 10 ** (-SILENCE_FLOOR_DB / 10), ROUNDING))
    if loud.size == 0:
        return 0, waveform.size
    return int(loud[0]) * length, min((int(loud[-1]) + 1) * length, waveform.size)


def leading_silence(waveform: np.ndarray, rate: int) -> float:
    """Return the seconds before the speech begins, in steps of 10 ms.

    The length of that silence gives spoofs away: a detector of nothing else has an EER of 15.1 % on ASVspoof 2019 LA.

    >>> leading_silence(np.concatenate([np.zeros(1600), np.tile([0.5, -0.5], 400)]), rate=16000)
    0.1
    """
    return speech_span(waveform, rate)[0] / rate


def trim_silence(waveform: np.ndarray, rate: int) -> np.ndarray:
    """Cut the silence before and after the speech.

    >>> trim_silence(np.concatenate([np.zeros(1600), np.tile([0.5, -0.5], 400), np.zeros(99)]), rate=16000).size
    800
    """
    start, end = speech_span(waveform, rate)
    return waveform[start:end]
