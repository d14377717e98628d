"""Recordings in, waveforms out: all audio enters the project here.

A waveform is a float32 array of shape (n,), mono (channels averaged, unless that cancels the sound), within [-1, 1];
its rate in hertz travels beside it. A recording whose samples exceed full scale (floating-point files; the ripple of
resampling) is scaled down as a whole, which, unlike clipping, changes nothing but its level.

`decoders.py` finds the decoder, `channels.py` mixes, soxr resamples, `usable.py` checks the result. A recording that
cannot be used raises `UnusableAudio`; its message is the reason alone, short enough for a cell of `rejected-files.csv`.

Headers are not trusted: the length that `read_header` and `count_samples` return is that of the decoded sound. Of WAV,
FLAC and related formats a few bytes are read; MP3, Ogg, AAC and AMR files are read as a whole but not decoded (some
2 ms for a minute of sound); M4A, WMA, videos and FLAC of unknown length are decoded (0.03 to 0.3 s for a minute).
"""

from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from pathlib import Path

import numpy as np
import soundfile
import soxr

from src.audio.channels import cancelling_channel, to_mono
from src.audio.decoders import open_recording, read_format
from src.audio.recording import Recording
from src.audio.unusable import UnusableAudio
from src.audio.usable import SILENT, check_no_outliers, check_usable, finite, is_silent

__all__ = [
    "AUDIO_SUFFIXES",
    "SILENT",
    "SPEECH_RATE",
    "AudioHeader",
    "UnusableAudio",
    "check_usable",
    "count_samples",
    "is_silent",
    "load_stretch",
    "load_waveform",
    "read_header",
    "save_waveform",
]

AUDIO_SUFFIXES = (
    ".wav", ".flac", ".mp3", ".ogg",
    ".aac", ".aif", ".aiff", ".amr", ".au", ".caf", ".m4a", ".oga", ".opus", ".rf64", ".snd", ".w64", ".wma",
    ".3gp", ".mkv", ".mov", ".mp4", ".webm",
)  # fmt: skip
"""Suffixes, in lower case, of recordings and of videos, whose sound is a recording too."""
SPEECH_RATE = 16_000
"""In hertz: what speech models take."""
BLOCK = 2**16
"""Frames that are mixed at a time."""
MARGIN_SECONDS = 0.25
"""Resampled on either side of a stretch and then dropped; the resampler's filter is far shorter."""


@dataclass(frozen=True)
class AudioHeader:
    """Duration, rate, channels and encoding of a recording."""

    duration: float
    """In seconds."""
    rate: int
    """In hertz."""
    channels: int
    encoding: str
    """Container and coding, such as `WAV PCM_16`."""


def read_header(path: Path) -> AudioHeader:
    """Read duration, rate, channels and encoding; most recordings need not be decoded for it.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    UnusableAudio
        When no decoder can read it, it is incomplete, or holds no samples.
    """
    _check_exists(path)
    found = read_format(path)
    return AudioHeader(found.n_frames / found.rate, found.rate, found.channels, found.encoding)


def count_samples(path: Path, rate: int = SPEECH_RATE) -> int:
    """Return how many samples a recording has at `rate` hertz; raises what `read_header` raises."""
    _check_exists(path)
    found = read_format(path)
    return found.n_frames * rate // found.rate


def load_waveform(path: Path, rate: int = SPEECH_RATE) -> np.ndarray:
    """Decode, mix to mono and resample a recording.

    Parameters
    ----------
    path : Path
        A recording of any rate and number of channels, or a video with sound.
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
        When it is unreadable, truncated, corrupt, empty, not finite, silent, or silent but for a few outliers.
    """
    _check_exists(path)
    recording = open_recording(path)
    samples, own_rate = recording.read(), recording.rate
    blocks = (samples[start : start + BLOCK] for start in range(0, len(samples), BLOCK))
    waveform = to_mono(samples, cancelling_channel(blocks) if recording.channels > 1 else None)
    check_usable(waveform)
    if own_rate != rate:
        waveform = soxr.resample(waveform, own_rate, rate)
        check_usable(waveform)
    return _within_full_scale(waveform)


def load_stretch(path: Path, start: int, stop: int, rate: int = SPEECH_RATE) -> np.ndarray:
    """Decode a stretch of a long recording as `load_waveform` does, reading little more than the stretch.

    A stretch may be silent where the recording is not, so silence is no error here; and each stretch is brought within
    full scale separately. Where exact seeking is impossible (GSM, MP3, M4A, videos), the recording is decoded from its
    beginning up to the end of the stretch. The first stretch of a recording of several channels takes one pass over the
    whole recording, to find whether the channels cancel each other.

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
    recording = open_recording(path)
    own_rate, channel = recording.rate, _channel_of(path, recording)
    if own_rate == rate:
        return _within_full_scale(_sound(to_mono(recording.read(start, stop), channel)))
    # A period holds a whole number of samples at either rate, so that both grids meet where the margins begin and end.
    period = rate // gcd(rate, own_rate)
    own_period = own_rate // gcd(rate, own_rate)
    margin = int(MARGIN_SECONDS * rate) // period + 1
    first, last = max(0, start // period - margin), -(-stop // period) + margin
    waveform = _sound(to_mono(recording.read(first * own_period, last * own_period), channel))
    resampled = soxr.resample(waveform, own_rate, rate)
    return _within_full_scale(finite(resampled[start - first * period : stop - first * period]))


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


def _check_exists(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"There is no recording {path}.")


def _sound(stretch: np.ndarray) -> np.ndarray:
    """Check a stretch before it is resampled or scaled."""
    check_no_outliers(finite(stretch), is_stretch=True)
    return stretch


def _channel_of(path: Path, recording: Recording) -> int | None:
    """Return the `cancelling_channel` of a whole recording, so that all its stretches are mixed alike."""
    if recording.channels == 1:
        return None
    state = path.stat()
    return _channel_of_state(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=64)
def _channel_of_state(path: Path, _changed: int, _size: int) -> int | None:
    return cancelling_channel(open_recording(path).blocks())


def _within_full_scale(waveform: np.ndarray) -> np.ndarray:
    return (waveform / max(np.abs(waveform).max(), 1.0)).astype(np.float32)
