"""The pitch of a recording, frame by frame, for vocoders that excite a filter with pulses.

YIN (de Cheveigne and Kawahara 2002, by librosa) gives a period for every frame, whether there is one or not. A frame is
voiced where the waveform resembles itself one such period later (a correlation of 0.5 or more) and is not far below the
loudest. Medians over five frames take out single mistakes of both.
"""

import numpy as np

from src.audio.vocoders.compiled import load_librosa

LOWEST, HIGHEST = 60.0, 500.0  # hertz
WINDOW = 0.048  # seconds: two to three periods of a low voice
MIN_CORRELATION = 0.5
MIN_LEVEL = 0.01  # root mean square of a voiced frame, as a part of the loudest (-40 dB)


def track_pitch(waveform: np.ndarray, rate: int, hop: int) -> np.ndarray:
    """Return the pitch of every frame in hertz, 0 where there is no voice.

    Parameters
    ----------
    waveform : np.ndarray, shape (n,)
        Mono.
    rate : int
        Sample rate in Hz.
    hop : int
        Samples from one frame to the next; frame i is centred at sample i * hop.

    Returns
    -------
    np.ndarray, shape (1 + n // hop,)
        float64.

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 200 * np.arange(8000) / 16000)
    >>> bool(abs(np.median(track_pitch(tone, 16000, 80)) - 200) < 1)
    True
    """
    from scipy.signal import medfilt

    sound = waveform.astype(np.float64)
    length = 2 * round(WINDOW * rate / 2)
    pitch = load_librosa().yin(sound, fmin=LOWEST, fmax=HIGHEST, sr=rate, frame_length=length, hop_length=hop)
    correlation, level = _periodicity(np.pad(sound, length), np.round(rate / pitch).astype(int), hop, length)
    voiced = (correlation >= MIN_CORRELATION) & (level >= MIN_LEVEL * level.max())
    pitch = medfilt(np.where(voiced, pitch, np.nan_to_num(np.median(pitch[voiced]) if voiced.any() else 0.0)), 5)
    return np.where(medfilt(voiced.astype(float), 5) > 0.5, pitch, 0.0)


def _periodicity(padded: np.ndarray, periods: np.ndarray, hop: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how much each frame resembles itself one period later, and its root mean square, each of shape (t,).

    Parameters
    ----------
    padded : np.ndarray, shape (n + 2 * length,)
        The waveform between `length` zeros.
    periods : np.ndarray, shape (t,)
        In samples.
    hop, length : int
        Of the frames.
    """
    correlations, levels = np.zeros(len(periods)), np.zeros(len(periods))
    for number, period in enumerate(periods):
        start = length + number * hop - (length + period) // 2
        now, later = padded[start : start + length], padded[start + period : start + period + length]
        power = np.dot(now, now) * np.dot(later, later)
        correlations[number] = np.dot(now, later) / np.sqrt(power) if power > 0 else 0.0
        levels[number] = np.sqrt(np.dot(now, now) / length)
    return correlations, levels
