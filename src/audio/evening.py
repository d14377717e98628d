"""Evening out the cheap cues of a clip, so that both classes have the same offset, band, silence, level and background.

In this order, on the sound in mono at 16 kHz:

1. Offset and rumble: a Butterworth high-pass at 60 Hz, run forwards and backwards, which shifts nothing in time.
2. Band: a low-pass with a linear phase, down by 60 dB some 100 Hz above the common end of the band.
3. Silence before the first and after the last sound is cut (`framing.speech_span`).
4. Level: a root mean square of -26 dBFS, the usual level of speech in telephony (ITU-T P.56), or as near as full scale
   allows.
5. Background: as much noise in the same band as lifts the quietest twentieth of the frames to a common floor; clips
   that are noisier than that stay as they are.

There is no round trip through a lossy codec. It would leave its own traces on top of those that are there, and what was
coded twice can be told from what was coded once. What betrays a codec to a cheap measure, an early end of the band and
holes in the spectrogram, is cut away by step 2 and filled by step 5.

What remains is the duration, and whatever belongs to the speech itself.
"""

from dataclasses import dataclass

import numpy as np

from src.audio.cues import background_level
from src.audio.framing import trim_silence
from src.audio.io import SPEECH_RATE
from src.audio.normalize import normalize_rms, rms

HIGH_PASS, ORDER = 60.0, 4
TAPS = 511
LEVEL = 0.05
"""Root mean square, -26 dBFS."""


@dataclass(frozen=True)
class CommonSound:
    """What all clips of a corpus are brought to."""

    band: float = 7500.0
    """Where the band ends, in hertz."""
    floor: float = -30.0
    """Level of the background over that of the clip, in dB."""

    def __post_init__(self) -> None:
        if not 1000 <= self.band <= SPEECH_RATE / 2 - 200:
            raise ValueError(f"`band` must lie in 1000 to {SPEECH_RATE // 2 - 200} Hz, not {self.band:g}.")
        if not -100 <= self.floor <= -10:
            raise ValueError(f"`floor` must lie in -100 to -10 dB, not {self.floor:g}.")


def even_out(waveform: np.ndarray, common: CommonSound, rng: np.random.Generator) -> np.ndarray:
    """Bring a clip to the common offset, band, silence, level and background.

    Parameters
    ----------
    waveform : np.ndarray, shape (n,)
        At 16 kHz, not silent.
    common : CommonSound
    rng : np.random.Generator
        Draws the background.

    Returns
    -------
    np.ndarray, shape (at most n,)
        float32, within [-1, 1].

    >>> tone = np.sin(2 * np.pi * 440 / 16000 * np.arange(16000))
    >>> even = even_out(np.concatenate([np.zeros(4000), 0.3 * tone]) + 0.1, CommonSound(), np.random.default_rng(7))
    >>> even.size < 16500, round(20 * np.log10(rms(even)))
    (True, -26)
    """
    speech = normalize_rms(trim_silence(_in_band(waveform, common.band), SPEECH_RATE), LEVEL)
    wanted, there = rms(speech) * 10 ** (common.floor / 20), background_level(speech)
    if there >= wanted:
        return speech
    noise = _in_band(rng.standard_normal(speech.size + 2 * TAPS), common.band)[TAPS:-TAPS]
    sound = speech + noise * np.sqrt(wanted**2 - there**2) / rms(noise)
    return normalize_rms(sound, LEVEL)


def _in_band(waveform: np.ndarray, band: float) -> np.ndarray:
    """Return what lies between 60 Hz and the end of the band, shape (n,), float64."""
    from scipy.signal import butter, firwin, oaconvolve, sosfiltfilt

    sections = butter(ORDER, HIGH_PASS, "highpass", fs=SPEECH_RATE, output="sos")
    without_rumble = sosfiltfilt(sections, waveform, padlen=min(SPEECH_RATE // 20, waveform.size - 1))
    low_pass = firwin(TAPS, band, fs=SPEECH_RATE, window="blackman")
    filtered = oaconvolve(without_rumble, low_pass)
    return np.asarray(filtered[TAPS // 2 : TAPS // 2 + waveform.size])
