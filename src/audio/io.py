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
from pathlib import Path

import numpy as np
import soundfile
import soxr

from src.audio.channels import cancelling_channel, to_mono
from src.audio.decoders import decodes_from_beginning, open_recording, read_format
from src.audio.recording import resampled_length
from src.audio.stretches import SPEECH_RATE, Stretches, check_exists, load_stretch, load_stretches, within_full_scale
from src.audio.unusable import UnusableAudio
from src.audio.usable import SILENT, check_usable, is_silent

__all__ = [
    "AUDIO_SUFFIXES",
    "SILENT",
    "SPEECH_RATE",
    "AudioHeader",
    "Stretches",
    "UnusableAudio",
    "check_usable",
    "count_samples",
    "is_silent",
    "load_stretch",
    "load_stretches",
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
BLOCK = 2**16
"""Frames that are mixed at a time."""


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
    decodes_from_beginning: bool = False
    """Whether a stretch costs all that lies before it (M4A, AAC, videos, GSM)."""


def read_header(path: Path) -> AudioHeader:
    """Read duration, rate, channels and encoding; most recordings need not be decoded for it.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    UnusableAudio
        When no decoder can read it, it is incomplete, or holds no samples.
    """
    check_exists(path)
    recording = open_recording(path)
    found = recording.format
    duration = found.n_frames / found.rate
    return AudioHeader(duration, found.rate, found.channels, found.encoding, decodes_from_beginning(recording))


def count_samples(path: Path, rate: int = SPEECH_RATE) -> int:
    """Return how many samples a recording has at `rate` hertz; raises what `read_header` raises."""
    check_exists(path)
    found = read_format(path)
    return resampled_length(found.n_frames, found.rate, rate)


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
    check_exists(path)
    recording = open_recording(path)
    samples, own_rate = recording.read(), recording.rate
    blocks = (samples[start : start + BLOCK] for start in range(0, len(samples), BLOCK))
    waveform = to_mono(samples, cancelling_channel(blocks) if recording.channels > 1 else None)
    check_usable(waveform)
    if own_rate != rate:
        waveform = soxr.resample(waveform, own_rate, rate)
        check_usable(waveform)
    return within_full_scale(waveform)


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
