"""Cheap cues of one clip: what may give its class away without any listening to speech.

A detector that is trained on a corpus whose spoofs are louder, or begin with silence, may learn nothing else. So these
properties are measured of every clip, and what they alone achieve stands beside what a detector achieves.

    duration          s        of the recording, by its header
    sample rate       Hz       of the recording
    file format                container and coding, such as `FLAC PCM_16`
    peak level        dBFS     the largest sample
    RMS level         dBFS     root mean square about the mean
    leading silence   s        before the speech (`framing.speech_span`: more than 40 dB below the loudest frame)
    trailing silence  s        after it
    bandwidth         Hz       the highest frequency whose mean power is at most 60 dB below the strongest
    noise floor       dB       level of the quietest twentieth of the frames, over the RMS level
    DC offset         dB       size of the mean, over the RMS level
    codec traces      share    of the spectrogram from 2 kHz to the end of the band that lies in holes

All but the first three are measured on what models are given: the sound in mono at 16 kHz. Noise floor and offset are
relative to the level, so that loudness alone changes neither; both end at -100 dB, where there is none to speak of.

A lossy codec sets what it thinks inaudible to zero, which leaves holes in the spectrogram that stay when the clip is
written as FLAC. A cell counts as one where its power is more than 20 dB below the mean of the nine cells in frequency
that it is the middle of. In noise, whose cells have exponential powers, that is so for 8 / 899 = 0.9 % of them (less
what neighbouring cells share); in speech for one or two, in speech that was MP3 at 24 kbit/s for eight (measured;
codecs that fill their holes with noise, such as Opus, leave none).
"""

from pathlib import Path

import numpy as np

from src.audio.framing import SILENCE_FLOOR_DB, frame_signal, speech_span
from src.audio.io import SPEECH_RATE, load_waveform, read_header
from src.audio.normalize import rms

CUES = (
    "duration",
    "sample rate",
    "file format",
    "peak level",
    "RMS level",
    "leading silence",
    "trailing silence",
    "bandwidth",
    "noise floor",
    "DC offset",
    "codec traces",
)
"""In the order in which they are shown."""
CATEGORY = "file format"
"""The only one that is no number."""
LOWEST_DB = -100.0
BAND_DB = 60.0
FLOOR_SHARE = 0.05
FRAME, WINDOW, HOP = 320, 512, 256
"""Samples at 16 kHz: the frames of levels, and window and hop of spectra."""
HOLE_DB = 20.0
HOLES_ABOVE, HOLE_WIDTH = 64, 9
"""Bins: 2 kHz, and the neighbourhood in frequency, 281 Hz."""


def cues_of(path: Path) -> dict[str, float | str]:
    """Measure every cue of a recording.

    Returns
    -------
    dict
        A value for each of `CUES`.

    Raises
    ------
    FileNotFoundError, UnusableAudio
        As `io.load_waveform`.
    """
    header = read_header(path)
    return {
        "duration": header.duration,
        "sample rate": float(header.rate),
        CATEGORY: header.encoding,
        **cues_of_sound(load_waveform(path)),
    }


def cues_of_sound(waveform: np.ndarray) -> dict[str, float]:
    """Measure those cues that lie in the sound.

    Parameters
    ----------
    waveform : np.ndarray, shape (n,)
        At 16 kHz, not silent.

    >>> tone = 0.5 * np.sin(2 * np.pi * 1000 / 16000 * np.arange(16000))
    >>> found = cues_of_sound(np.concatenate([np.zeros(1600), tone]))
    >>> found["leading silence"], round(found["peak level"], 2)
    (0.1, -6.02)
    """
    start, end = speech_span(waveform, SPEECH_RATE)
    level = rms(waveform)
    powers = power_spectrogram(waveform)
    return {
        "peak level": float(20 * np.log10(np.abs(waveform).max())),
        "RMS level": float(20 * np.log10(level)),
        "leading silence": start / SPEECH_RATE,
        "trailing silence": (waveform.size - end) / SPEECH_RATE,
        "bandwidth": _bandwidth(powers),
        "noise floor": _over_level(background_level(waveform), level),
        "DC offset": _over_level(abs(float(waveform.mean(dtype=np.float64))), level),
        "codec traces": _holes(powers),
    }


def power_spectrogram(waveform: np.ndarray) -> np.ndarray:
    """Return the powers of windows of 32 ms every 16 ms, shape (t, 257): bin k is k times 31.25 Hz."""
    frames = frame_signal(waveform.astype(np.float64) - waveform.mean(dtype=np.float64), WINDOW, HOP)
    return np.abs(np.fft.rfft(frames * np.hanning(WINDOW))) ** 2


def background_level(waveform: np.ndarray) -> float:
    """Return the root mean square that the quietest twentieth of the frames of 20 ms do not exceed."""
    levels = frame_signal(waveform, FRAME, FRAME).std(axis=1, dtype=np.float64)
    return float(np.quantile(levels, FLOOR_SHARE))


def _over_level(value: float, level: float) -> float:
    return max(LOWEST_DB, float(20 * np.log10(max(value, 1e-12) / level)))


def _bandwidth(powers: np.ndarray) -> float:
    mean = powers.mean(axis=0)
    inside = np.flatnonzero(mean >= mean.max() * 10 ** (-BAND_DB / 10))
    return float(inside[-1]) * SPEECH_RATE / WINDOW


def _holes(powers: np.ndarray) -> float:
    """Return the share of cells that lie in holes; silent frames have none, nor has the slope where the band ends."""
    sums = powers.sum(axis=1)
    powers = powers[sums > sums.max() * 10 ** (-SILENCE_FLOOR_DB / 10)]
    last = int(_bandwidth(powers) * WINDOW / SPEECH_RATE) - 2 * HOLE_WIDTH
    if last <= HOLES_ABOVE:
        return 0.0
    around = np.cumsum(np.pad(powers, ((0, 0), (1, 0))), axis=1)
    means = (around[:, HOLE_WIDTH:] - around[:, :-HOLE_WIDTH]) / HOLE_WIDTH
    cells, near = powers[:, HOLES_ABOVE:last], means[:, HOLES_ABOVE - HOLE_WIDTH // 2 :][:, : last - HOLES_ABOVE]
    return float(np.mean(cells < near * 10 ** (-HOLE_DB / 10)))
