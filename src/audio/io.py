"""Recordings in, waveforms out: the door through which all audio comes into the project.

A waveform is a float32 array of shape (n,), mono (channels averaged), within [-1, 1]; its rate in hertz travels
beside it. A recording whose samples go beyond full scale (floating-point files; the ripple of resampling) is scaled
down as a whole, which, unlike clipping, leaves no trace but its level.

`decoders.py` decodes, soxr resamples. A recording that cannot be used raises `UnusableAudio`, whose text is the reason
alone, short enough for a cell of `rejected-files.csv`.
"""

from dataclasses import dataclass
from math import gcd
from pathlib import Path

import numpy as np
import soundfile
import soxr

from src.audio.decoders import EMPTY, UnusableAudio, read_format, read_frames

AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg")
SPEECH_RATE = 16_000
SILENT = "silent (no sample above -80 dBFS)"
SILENCE_PEAK = 1e-4  # -80 dB below full scale: three steps of a 16-bit recording
MARGIN_SECONDS = 0.25
"""What is resampled on either side of a stretch and thrown away; the filter of the resampler is far shorter."""


@dataclass(frozen=True)
class AudioHeader:
    """What a file says about itself before any sample is decoded."""

    duration: float
    """In seconds."""
    rate: int
    """In hertz."""
    channels: int
    encoding: str
    """Container and coding as libsndfile names them, such as `WAV PCM_16`."""


def read_header(path: Path) -> AudioHeader:
    """Read duration, rate, channels and encoding without decoding the sound.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    UnusableAudio
        When it is no audio that can be read, or holds no samples.
    """
    _check_exists(path)
    found = read_format(path)
    return AudioHeader(found.n_frames / found.rate, found.rate, found.channels, found.encoding)


def count_samples(path: Path, rate: int = SPEECH_RATE) -> int:
    """Return how many samples a recording has at a rate, from its header; the raised errors are `read_header`'s."""
    _check_exists(path)
    found = read_format(path)
    return found.n_frames * rate // found.rate


def load_waveform(path: Path, rate: int = SPEECH_RATE) -> np.ndarray:
    """Decode, mix to mono and resample a recording.

    Parameters
    ----------
    path : Path
        WAV, FLAC, MP3 or OGG, of any rate and number of channels.
    rate : int
        The rate wanted, in hertz.

    Returns
    -------
    np.ndarray, shape (n,)
        float32, within [-1, 1].

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    UnusableAudio
        When it is unreadable, empty, not finite or silent.
    """
    _check_exists(path)
    waveform, own_rate = _read_mono(path)
    check_usable(waveform)
    if own_rate != rate:
        waveform = soxr.resample(waveform, own_rate, rate)
        check_usable(waveform)
    return _within_full_scale(waveform)


def load_stretch(path: Path, start: int, stop: int, rate: int = SPEECH_RATE) -> np.ndarray:
    """Decode a stretch of a long recording as `load_waveform` does, reading little more than the stretch.

    A stretch may be silent where the recording is not, so silence is no error here; and it is brought within full scale
    by itself.

    Parameters
    ----------
    path : Path
    start, stop : int
        Samples at `rate`.
    rate : int
        In hertz.

    Returns
    -------
    np.ndarray, shape (stop - start,)
        float32; shorter where the recording ends before.

    Raises
    ------
    FileNotFoundError, UnusableAudio
        As `load_waveform`.
    """
    _check_exists(path)
    own_rate = read_format(path).rate
    if own_rate == rate:
        return _within_full_scale(_finite(_read_mono(path, start, stop)[0]))
    # a period holds a whole number of samples at either rate, so that both grids meet where the margins begin and end
    period = rate // gcd(rate, own_rate)
    own_period = own_rate // gcd(rate, own_rate)
    margin = int(MARGIN_SECONDS * rate) // period + 1
    first, last = max(0, start // period - margin), -(-stop // period) + margin
    waveform = _finite(_read_mono(path, first * own_period, last * own_period)[0])
    resampled = soxr.resample(waveform, own_rate, rate)
    return _within_full_scale(_finite(resampled[start - first * period : stop - first * period]))


def save_waveform(path: Path, waveform: np.ndarray, rate: int = SPEECH_RATE) -> None:
    """Write a waveform of shape (n,) as a mono 16-bit FLAC file.

    Raises
    ------
    ValueError
        When samples lie beyond [-1, 1], where 16 bits would clip them.
    OSError
        When the folder cannot be written, or the disk is full.
    """
    peak = float(np.abs(waveform).max(initial=0.0))
    if not peak <= 1.0:
        raise ValueError(f"Samples must lie within [-1, 1] to be saved; the largest of {path.name} is {peak:.4g}.")
    try:
        soundfile.write(path, waveform, rate, format="FLAC", subtype="PCM_16")
    except soundfile.LibsndfileError as error:
        raise OSError(f"{path.parent} cannot be written ({error}); is the disk full?") from error


def check_usable(waveform: np.ndarray) -> None:
    """Raise `UnusableAudio` for a waveform that is empty, not finite or silent.

    Silent means that no sample is further than 80 dB below full scale from the mean: a constant offset is silence.

    >>> check_usable(np.zeros(100))
    Traceback (most recent call last):
    src.audio.decoders.UnusableAudio: silent (no sample above -80 dBFS)
    """
    _finite(waveform)
    if is_silent(waveform):
        raise UnusableAudio(SILENT)


def is_silent(waveform: np.ndarray) -> bool:
    """Tell whether no sample is further than 80 dB below full scale from the mean."""
    return float(np.abs(waveform - waveform.mean()).max()) < SILENCE_PEAK


def _check_exists(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"There is no recording {path}.")


def _read_mono(path: Path, start: int = 0, stop: int | None = None) -> tuple[np.ndarray, int]:
    """Decode frames and average their channels: float64 of shape (n,), and the rate."""
    samples, rate = read_frames(path, start, stop)
    with np.errstate(invalid="ignore"):  # infinities of both signs; the check finds what becomes of them
        return samples.mean(axis=1, dtype=np.float64), rate


def _within_full_scale(waveform: np.ndarray) -> np.ndarray:
    return (waveform / max(np.abs(waveform).max(), 1.0)).astype(np.float32)


def _finite(waveform: np.ndarray) -> np.ndarray:
    """Return a waveform that holds samples, all of them numbers."""
    if waveform.size == 0:
        raise UnusableAudio(EMPTY)
    n_bad = int(np.count_nonzero(~np.isfinite(waveform)))
    if n_bad:
        raise UnusableAudio(f"not finite ({n_bad} of {waveform.size} samples are NaN or infinite)")
    return waveform
