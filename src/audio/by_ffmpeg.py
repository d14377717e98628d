"""The second decoder, FFmpeg through PyAV: M4A, AAC, AMR, WMA, the sound of video files, FLAC that libsndfile refuses.

It decodes from the beginning up to the place wanted. What cannot be decoded, and a gap between two frames, is an error
here, though FFmpeg would continue. The length is counted by decoding, since the headers of these containers differ from
what is decoded (an encoder pads its last frame); only that of a FLAC is used. For a minute of sound that takes 0.03 s
(AAC) to 0.3 s (Opus), as much as reading it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from src.audio.recording import Format, stretch_of
from src.audio.slices import opened
from src.audio.storage.places import locate
from src.audio.unusable import UnusableAudio, truncated

CONTAINERS = "flac,ogg,mov,matroska,webm,aac,amr,asf,wav,w64,aiff,au,caf"
"""FFmpeg's names of the containers allowed: no playlists, which would open other files, and no guesses at raw bytes."""
STRICT = {"err_detect": "crccheck+explode"}
"""Decoder options for FLAC, each frame of which has a checksum."""
LARGEST_GAP = 0.1
"""In seconds: video containers round time to milliseconds and may start the sound a little late. FLAC allows no gap."""
NO_SOUND = "holds no sound (a video without a sound track?)"


class FfmpegRecording:
    """A recording that is decoded from its beginning at every read.

    Parameters
    ----------
    path : Path
    refusal : str
        Why libsndfile could not read it: the reason given when FFmpeg cannot either.

    Raises
    ------
    UnusableAudio
        When it cannot be opened or holds no sound.
    """

    def __init__(self, path: Path, refusal: str) -> None:
        import av

        self._path, self._refusal = path, refusal
        with self._opened() as (container, stream):
            kind, codec = container.format.name.split(",")[0].upper(), stream.codec_context.name.upper()
            self._encoding = f"{kind if kind == codec else f'{kind} {codec}'} (by FFmpeg)"
            self._is_flac = kind == "FLAC"
            self._end = _end_by_tag(stream.metadata.get("DURATION", "")) if kind == "MATROSKA" else 0.0
            seconds = float(stream.duration * stream.time_base) if self._is_flac and stream.duration else 0.0
            try:
                frame = next(container.decode(stream), None)
            except av.FFmpegError:
                frame = None
            if frame is None:
                raise UnusableAudio(refusal)
            self.rate, self.channels = frame.sample_rate, len(frame.layout.channels)  # a header may state half the rate
        self._promised = round(seconds * self.rate)

    @cached_property
    def format(self) -> Format:
        """Length, rate, channels and encoding; decodes everything, unless a FLAC states its length."""
        n_frames = self._promised or sum(len(block) for block in self.blocks())
        return Format(n_frames, self.rate, self.channels, self._encoding)

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return frames `start` to `stop` (None = the end), float32 of shape (n, channels)."""
        return stretch_of(self.blocks(), self.channels, start, stop)[0]

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield samples in blocks of shape (n, channels), float32; a gap between two blocks is an error."""
        import av

        to_float, position, begin = av.AudioResampler(format="fltp"), 0, None
        with self._opened() as (container, stream):
            try:
                for frame in container.decode(stream):
                    if frame.time is not None:
                        begin = (0.0 if self._is_flac else frame.time) if begin is None else begin
                        self._check_gap(frame.time - begin, position)
                    if (frame.sample_rate, len(frame.layout.channels)) != (self.rate, self.channels):
                        raise UnusableAudio(f"its rate or channels change after {position / self.rate:.2f} s")
                    for converted in to_float.resample(frame):
                        position += converted.samples
                        yield converted.to_ndarray().T
                self._check_end((begin or 0.0) + position / self.rate)
                if position < self._promised:
                    raise truncated(position, self._promised, "samples can be decoded")
            except av.FFmpegError:
                after = f"truncated or corrupt (it cannot be decoded after {position / self.rate:.2f} s)"
                raise UnusableAudio(after if position else self._refusal) from None

    def _check_gap(self, seconds: float, position: int) -> None:
        """Refuse a frame whose time, in seconds, is not the length of what was decoded before it."""
        gap = seconds - position / self.rate
        if round(gap * self.rate) if self._is_flac else gap > LARGEST_GAP:
            raise UnusableAudio(f"truncated or corrupt (samples are missing after {position / self.rate:.2f} s)")

    def _check_end(self, seconds: float) -> None:
        """Refuse a video whose sound ends before its stated end: FFmpeg leaves out corrupt parts."""
        if seconds < self._end - LARGEST_GAP:
            raise UnusableAudio(f"truncated or corrupt ({seconds:.2f} of {self._end:.2f} s can be decoded)")

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, Any]]:
        """Open the file and its first sound track."""
        import av

        try:
            container = av.open(_source(self._path), options={"format_whitelist": CONTAINERS})
        except av.FFmpegError:
            raise UnusableAudio(self._refusal) from None
        with container:
            if not container.streams.audio:
                raise UnusableAudio(NO_SOUND)
            stream = container.streams.audio[0]
            if stream.codec_context.name == "flac":
                stream.codec_context.options = STRICT
            yield container, stream


def _source(path: Path) -> Any:
    """Return the name of a file, which FFmpeg opens itself, or an opened member of a tar."""
    return opened(path) if locate(path).is_member else str(path)


def _end_by_tag(duration: str) -> float:
    """Return the seconds of a Matroska tag such as `00:01:02.500000000`; 0 where it is not in that form."""
    if not re.fullmatch(r"\d+:\d\d:\d\d(\.\d+)?", duration):
        return 0.0
    hours, minutes, seconds = map(float, duration.split(":"))
    return 3600 * hours + 60 * minutes + seconds
