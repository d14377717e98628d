"""Which decoder reads a recording: told from its first bytes, since the suffix of a name may be wrong.

1. Containers of chunks (WAV, AIFF, AU, CAF, W64, RF64) and Ogg are divided into the recordings that were joined, and
   read by libsndfile; their headers are checked against the file before (`chunks.py`, `ogg.py`).
2. MPEG audio (MP3) is followed from frame to frame (`mpeg.py`): libsndfile decodes it where its header is right, and
   FFmpeg frame by frame where it is not.
3. FLAC is read by libsndfile. It refuses files that do not say how long they are, and many of ASVspoof 2021.
4. What libsndfile refuses is read by FFmpeg: those FLAC files, and M4A, AAC, AMR, WMA and the sound of video files.

A recording that breaks off, or loses something on the way, is refused, whoever decodes it.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from src.audio import chunks, mpeg, ogg
from src.audio.by_ffmpeg import FfmpegRecording
from src.audio.by_libsndfile import LibsndfileRecording, RefusedByLibsndfile
from src.audio.mpeg_decoder import MpegRecording
from src.audio.recording import Format, Recording
from src.audio.slices import mapped, whole
from src.audio.unusable import EMPTY, UnusableAudio
from src.audio.whole import JOINED, check_whole

HEAD_OF_FLAC = b"fLaC\0\0\0\x22"


def open_recording(path: Path) -> Recording:
    """Find the decoder that reads a recording.

    Raises
    ------
    UnusableAudio
        When none does, or it is not all there.
    """
    with path.open("rb") as file:
        is_flac = file.read(4) == HEAD_OF_FLAC[:4]
    parts = [] if is_flac else chunks.parts_of(path) or ogg.parts_of(path)
    if not parts and not is_flac and not check_whole(path) and (frames := mpeg.scan(path)):
        return _mpeg(path, frames)
    try:
        recording = LibsndfileRecording(parts or whole(path))
    except RefusedByLibsndfile as refusal:
        if len(parts) > 1:
            raise
        return FfmpegRecording(path, str(refusal))
    return _Flac(path, recording) if recording.format.encoding.startswith("FLAC") else recording


def read_format(path: Path) -> Format:
    """Read length, rate, channels and encoding; a file that does not say its length is decoded to learn it.

    Raises
    ------
    UnusableAudio
        When no decoder can read it, or it is not all there.
    """
    return open_recording(path).format


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
    recording = open_recording(path)
    return recording.read(start, stop), recording.rate


class _Flac:
    """A FLAC that libsndfile has opened: what it cannot decode, FFmpeg may."""

    def __init__(self, path: Path, recording: LibsndfileRecording) -> None:
        self._path, self._recording = path, recording
        self.format, self.rate, self.channels = recording.format, recording.rate, recording.channels

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield all of it in blocks of shape (n, channels), float32."""
        return self._recording.blocks()

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return frames `start` to `stop` (None = the end), float32 of shape (n, channels)."""
        if not start:
            with mapped(self._path) as content:
                if content.find(HEAD_OF_FLAC, len(HEAD_OF_FLAC)) > 0:  # of the second file the header says nothing
                    raise UnusableAudio(JOINED)
        try:
            return self._recording.read(start, stop)
        except RefusedByLibsndfile as refusal:
            return FfmpegRecording(self._path, str(refusal)).read(start, stop)


class _Mp3:
    """An MP3 whose header is right: libsndfile decodes it from the beginning, FFmpeg stretches from within."""

    def __init__(self, from_beginning: LibsndfileRecording, from_within: MpegRecording) -> None:
        self._from_beginning, self._from_within = from_beginning, from_within
        self.format, self.rate, self.channels = from_within.format, from_within.rate, from_within.channels

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield all of it in blocks of shape (n, channels), float32."""
        return self._from_within.blocks()

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return frames `start` to `stop` (None = the end), float32 of shape (n, channels)."""
        return (self._from_within if start else self._from_beginning).read(start, stop)


def _mpeg(path: Path, frames: mpeg.Mpeg) -> Recording:
    """Let libsndfile decode an MP3 where it drops nothing of it and puts nothing in between."""
    if not frames.n_frames:
        raise UnusableAudio(EMPTY)
    from_within = MpegRecording(path, frames)
    if len(frames.chunks) > 1:
        return from_within
    try:
        from_beginning = LibsndfileRecording(whole(path), frames.n_frames)
    except RefusedByLibsndfile:
        return from_within
    surplus, (chunk,) = from_beginning.promised - frames.n_frames, frames.chunks
    is_right = not surplus or (surplus > 0 and not (chunk.promised or chunk.delay))  # a guess that is too long is right
    return _Mp3(from_beginning, from_within) if is_right else from_within
