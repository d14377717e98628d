"""Two decoders behind one face: libsndfile, and FFmpeg (through PyAV) for the FLAC files that libsndfile refuses.

libsndfile decodes WAV, FLAC, MP3 and OGG, and finds any place in a recording at once. It refuses FLAC files that do
not say how long they are, and many of ASVspoof 2021; FFmpeg reads those from their beginning up to the place wanted.
A file that breaks off, or loses frames on the way, is refused by both.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

SECOND_CHANCE = ".flac"
EMPTY = "empty (no samples)"
UNKNOWN_LENGTH = 2**63 - 1  # what libsndfile says of a FLAC that was written into a pipe


class UnusableAudio(ValueError):  # noqa: N818 (a state of the recording, named as users read it)
    """A recording from which nothing can be computed; the message is the reason."""


@dataclass(frozen=True)
class Format:
    """What a recording is before any sample of it is used."""

    n_frames: int
    """Samples of each channel."""
    rate: int
    """In hertz."""
    channels: int
    encoding: str
    """Container and coding, such as `WAV PCM_16`."""


def read_format(path: Path) -> Format:
    """Read length, rate, channels and encoding; a file that does not say its length is decoded to learn it.

    Raises
    ------
    UnusableAudio
        When no decoder can read it.
    """
    try:
        info = soundfile.info(path)
        refusal = _length_reason(info.frames)
        if not refusal:
            return Format(info.frames, info.samplerate, info.channels, f"{info.format} {info.subtype}")
    except (soundfile.LibsndfileError, RuntimeError) as error:
        refusal = _reason(error)
    if path.suffix.lower() != SECOND_CHANCE:
        raise UnusableAudio(refusal)
    return _format_by_ffmpeg(path, refusal)


def read_frames(path: Path, start: int = 0, stop: int | None = None) -> tuple[np.ndarray, int]:
    """Decode frames `start` to `stop` (the end when None; fewer when the recording ends before).

    Returns
    -------
    samples : np.ndarray, shape (n, channels)
        float32.
    rate : int
        In hertz.

    Raises
    ------
    UnusableAudio
        When no decoder can read it, or it breaks off.
    """
    try:
        with soundfile.SoundFile(path) as file:
            refusal = _length_reason(file.frames)
            if not refusal:
                first, last = (min(place, file.frames) for place in (start, file.frames if stop is None else stop))
                if first:
                    file.seek(first)
                return file.read(max(0, last - first), dtype="float32", always_2d=True), file.samplerate
    except (soundfile.LibsndfileError, RuntimeError) as error:
        refusal = _reason(error)
    if path.suffix.lower() != SECOND_CHANCE:
        raise UnusableAudio(refusal)
    return _read_by_ffmpeg(path, start, stop, refusal)


@contextmanager
def _or_else(refusal: str) -> Iterator[None]:
    """When FFmpeg fails as well, the first decoder's refusal is the reason."""
    import av

    try:
        yield
    except (av.FFmpegError, IndexError):  # IndexError: no sound in it
        raise UnusableAudio(refusal) from None


def _header_by_ffmpeg(path: Path) -> Format:
    """Return what the header says; `n_frames` is 0 where it does not say the length."""
    import av

    with av.open(str(path), format="flac") as container:
        stream = container.streams.audio[0]
        seconds = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
        return Format(round(seconds * stream.rate), stream.rate, stream.channels, "FLAC (by FFmpeg)")


def _format_by_ffmpeg(path: Path, refusal: str) -> Format:
    with _or_else(refusal):
        header = _header_by_ffmpeg(path)
        n_frames = header.n_frames or sum(block.shape[1] for block in _blocks_by_ffmpeg(path))
    if not n_frames:
        raise UnusableAudio(refusal)
    return replace(header, n_frames=n_frames)


def _read_by_ffmpeg(path: Path, start: int, stop: int | None, refusal: str) -> tuple[np.ndarray, int]:
    kept, position = [], 0
    with _or_else(refusal):
        header = _header_by_ffmpeg(path)
        for block in _blocks_by_ffmpeg(path):
            first, position = position, position + block.shape[1]
            if position > start:
                kept.append(block[:, max(0, start - first) : None if stop is None else max(0, stop - first)])
            if stop is not None and position >= stop:
                break
        else:
            if position < header.n_frames:
                raise UnusableAudio(f"cut off or damaged ({position} of {header.n_frames} samples can be decoded)")
    if not position:
        raise UnusableAudio(refusal)
    return np.concatenate([np.empty((header.channels, 0), np.float32), *kept], axis=1).T, header.rate


def _blocks_by_ffmpeg(path: Path) -> Iterator[np.ndarray]:
    """Yield the samples in blocks of shape (channels, n), float32; a gap between two blocks is an error."""
    import av

    with av.open(str(path), format="flac") as container:
        stream = container.streams.audio[0]
        stream.codec_context.options = {"err_detect": "crccheck+explode"}  # no damaged frame passes
        to_float, position = av.AudioResampler(format="fltp"), 0
        for frame in container.decode(stream):
            if frame.time is not None and round(frame.time * stream.rate) != position:
                raise UnusableAudio(f"cut off or damaged (samples are missing after {position / stream.rate:.2f} s)")
            for converted in to_float.resample(frame):
                block = converted.to_ndarray()
                position += block.shape[1]
                yield block


def _length_reason(n_frames: int) -> str:
    """Say what is wrong with a length, if anything."""
    if n_frames <= 0:
        return EMPTY
    return "" if n_frames < UNKNOWN_LENGTH else "unreadable (its header does not say how long it is; write it anew)"


def _reason(error: Exception) -> str:
    """Shorten libsndfile's words to the part that says what is wrong."""
    if "File does not exist" in str(error):  # it does, that was checked: so much for an MP3 of a few bytes
        return "unreadable (too little of it is there)"
    words = str(error).rsplit(": ", 1)[-1].strip().rstrip(".") or "cut off or damaged"
    return f"unreadable ({words})"
