"""Which decoder reads a recording: chosen by its content, since the suffix of its name may be wrong.

1. Containers of chunks (WAV, AIFF, AU, CAF, W64, RF64) and Ogg are split into the recordings that were concatenated,
   and read by libsndfile; before that, their headers are compared with the file (`chunks.py`, `ogg.py`).
2. MPEG audio (MP3) is followed from frame to frame (`mpeg.py`): libsndfile decodes it where its header is right, and
   FFmpeg frame by frame where it is not.
3. FLAC is read by libsndfile, which refuses files that do not state their length, and many of ASVspoof 2021.
4. What libsndfile refuses is read by FFmpeg: those FLAC files, and M4A, AAC, AMR, WMA and the sound of video files.

A recording that is truncated, or lacks something in between, is refused, whichever decoder reads it.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from src.audio import chunks, mpeg, ogg
from src.audio.by_ffmpeg import FfmpegRecording
from src.audio.by_libsndfile import LibsndfileRecording, RefusedByLibsndfile
from src.audio.mpeg_decoder import MpegRecording
from src.audio.recording import Format, Recording
from src.audio.slices import mapped, opened, whole
from src.audio.unusable import EMPTY, UnusableAudio
from src.audio.whole import JOINED, check_whole

HEAD_OF_FLAC = b"fLaC\0\0\0\x22"


def open_recording(path: Path) -> Recording:
    """Find the decoder that reads a recording.

    Raises
    ------
    UnusableAudio
        When none does, or the recording is incomplete.
    """
    with opened(path) as file:
        is_flac = file.read(4) == HEAD_OF_FLAC[:4]
    parts = [] if is_flac else chunks.parts_of(path) or ogg.parts_of(path)
    if not parts and not is_flac and not check_whole(path) and (frames := mpeg.scan(path)):
        return _mpeg(path, frames)
    try:
        if not parts and mpeg.lacks_frames(path):  # mpg123 inside libsndfile would write notes to the screen
            raise RefusedByLibsndfile("unreadable (no frame of MPEG audio)")
        recording = LibsndfileRecording(parts or whole(path))
    except RefusedByLibsndfile as refusal:
        if len(parts) > 1:
            raise
        return FfmpegRecording(path, str(refusal))
    return _Flac(path, recording) if recording.format.encoding.startswith("FLAC") else recording


def read_format(path: Path) -> Format:
    """Read length, rate, channels and encoding; a file that does not state its length is decoded to count it.

    Raises
    ------
    UnusableAudio
        When no decoder can read it, or it is incomplete.
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
        When no decoder can read it, or it is truncated.
    """
    recording = open_recording(path)
    return recording.read(start, stop), recording.rate


def seeks(recording: Recording) -> bool:
    """Return whether a stretch of a recording that `open_recording` returned costs little more than it is long."""
    return isinstance(recording, _Flac) or (isinstance(recording, LibsndfileRecording) and recording.seeks)


def decodes_from_beginning(recording: Recording) -> bool:
    """Return whether each stretch costs all that lies before it: of MP3 the place is found by its frames."""
    return not (seeks(recording) or isinstance(recording, _Mp3 | MpegRecording))


class _Flac:
    """A FLAC that libsndfile has opened; what libsndfile cannot decode, FFmpeg may."""

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
                if content.find(HEAD_OF_FLAC, len(HEAD_OF_FLAC)) > 0:  # the header describes the first file only
                    raise UnusableAudio(JOINED)
        try:
            return self._recording.read(start, stop)
        except RefusedByLibsndfile as refusal:
            return FfmpegRecording(self._path, str(refusal)).read(start, stop)


class _Mp3:
    """An MP3 whose header is right: libsndfile decodes from the beginning, FFmpeg from any later place."""

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
    """Let libsndfile decode an MP3 where it neither drops nor inserts anything."""
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
    is_right = not surplus or (surplus > 0 and not (chunk.promised or chunk.delay))  # a guess may be too long
    return _Mp3(from_beginning, from_within) if is_right else from_within
