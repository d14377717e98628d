"""Recordings in, waveforms out: the only file of the project that opens audio.

A waveform is a float32 array of shape (n,), mono (channels averaged), within [-1, 1]; its rate in hertz travels
beside it. A recording whose samples go beyond full scale (floating-point files; the ripple of resampling) is scaled
down as a whole, which, unlike clipping, leaves no trace but its level.

libsndfile decodes WAV, FLAC, MP3 and OGG; soxr resamples. A recording that cannot be used raises `UnusableAudio`,
whose text is the reason alone, short enough for a cell of `rejected-files.csv`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg")
SPEECH_RATE = 16_000
SILENCE_PEAK = 1e-4  # -80 dB below full scale: three steps of a 16-bit recording
UNKNOWN_LENGTH = 2**63 - 1  # what libsndfile says of a FLAC that was written into a pipe


class UnusableAudio(ValueError):  # noqa: N818 (a state of the recording, named as users read it)
    """A recording from which nothing can be computed; the message is the reason."""


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
    try:
        info = soundfile.info(path)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise UnusableAudio(_decoder_reason(error)) from error
    _check_length(info.frames)
    return AudioHeader(info.frames / info.samplerate, info.samplerate, info.channels, f"{info.format} {info.subtype}")


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
    try:
        with soundfile.SoundFile(path) as file:
            own_rate = file.samplerate
            _check_length(file.frames)
            samples = file.read(dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise UnusableAudio(_decoder_reason(error)) from error
    with np.errstate(invalid="ignore"):  # infinities of both signs; the check finds what becomes of them
        waveform = samples.mean(axis=1, dtype=np.float64)
    check_usable(waveform)
    if own_rate != rate:
        waveform = soxr.resample(waveform, own_rate, rate)
        check_usable(waveform)
    peak = np.abs(waveform).max()
    return (waveform / max(peak, 1.0)).astype(np.float32)


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
    src.audio.io.UnusableAudio: silent (no sample above -80 dBFS)
    """
    if waveform.size == 0:
        raise UnusableAudio("empty (no samples)")
    n_bad = int(np.count_nonzero(~np.isfinite(waveform)))
    if n_bad:
        raise UnusableAudio(f"not finite ({n_bad} of {waveform.size} samples are NaN or infinite)")
    if np.abs(waveform - waveform.mean()).max() < SILENCE_PEAK:
        raise UnusableAudio("silent (no sample above -80 dBFS)")


def _check_exists(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"There is no recording {path}.")


def _check_length(n_samples: int) -> None:
    if n_samples <= 0:
        raise UnusableAudio("empty (no samples)")
    if n_samples == UNKNOWN_LENGTH:
        raise UnusableAudio("unreadable (its header does not say how long it is; write it to a file anew)")


def _decoder_reason(error: Exception) -> str:
    """Shorten libsndfile's words to the part that says what is wrong."""
    if "File does not exist" in str(error):  # it does, that was checked: so much for an MP3 of a few bytes
        return "unreadable (too little of it is there)"
    return "unreadable (" + str(error).rsplit(": ", 1)[-1].strip().rstrip(".") + ")"
