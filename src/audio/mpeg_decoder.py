"""MP3 files whose header is wrong, decoded frame by frame: FFmpeg's decoder gets the frames that `mpeg.py` found.

Every frame yields the same number of samples, so that a stretch is found by counting. The decoder also needs the frames
before a stretch, since a frame of layer III may use bits of those before it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from src.audio.mpeg import Chunk, Mpeg
from src.audio.mpeg_header import read_header
from src.audio.recording import Format, stretch_of
from src.audio.slices import opened
from src.audio.unusable import UnusableAudio

WARM_UP = 30
"""Frames decoded before a stretch: a frame uses bits of up to 511 bytes before it, 22 frames of the shortest."""
BLOCK_SECONDS = 60


class MpegRecording:
    """An MP3, or several concatenated ones, of which libsndfile would drop a part."""

    def __init__(self, path: Path, mpeg: Mpeg) -> None:
        self._path, self._mpeg = path, mpeg
        self.rate, self.channels = mpeg.kind.rate, mpeg.kind.channels
        self.format = Format(mpeg.n_frames, self.rate, self.channels, f"MP3 MPEG_LAYER_{'I' * mpeg.kind.layer}")

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield all of it in blocks of shape (n, channels), float32."""
        step = BLOCK_SECONDS * self.rate
        for start in range(0, self.format.n_frames, step):
            yield self.read(start, start + step)

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return frames `start` to `stop` (None = the end), float32 of shape (n, channels)."""
        stretches, begin = [np.empty((0, self.channels), np.float32)], 0
        for chunk in self._mpeg.chunks:
            end = begin + self._mpeg.n_samples(chunk)
            first, last = max(start, begin), end if stop is None else min(stop, end)
            if first < last:
                stretches.append(self._read_chunk(chunk, first - begin, last - begin))
            begin = end
        return np.concatenate(stretches)

    def _read_chunk(self, chunk: Chunk, start: int, stop: int) -> np.ndarray:
        start, stop = start + chunk.delay, stop + chunk.delay
        first = max(0, start // self._mpeg.kind.samples - WARM_UP)
        before = first * self._mpeg.kind.samples
        blocks = self._decoded(chunk, first)
        return stretch_of(blocks, self.channels, start - before, stop - before)[0]

    def _decoded(self, chunk: Chunk, first: int) -> Iterator[np.ndarray]:
        """Yield the samples of each frame from the one numbered `first`."""
        import av

        decoder: Any = av.CodecContext.create(f"mp{self._mpeg.kind.layer}float", "r")
        with opened(self._path) as file:
            for number, place in enumerate(chunk.frames[first:], first):
                file.seek(place)
                try:
                    decoded = decoder.decode(av.Packet(_frame(file.read(2881))))
                except av.FFmpegError:
                    decoded = []
                block = decoded[0].to_ndarray().T if decoded else np.empty((0, self.channels))
                if block.shape == (self._mpeg.kind.samples, self.channels):
                    yield block
                elif first and number < first + WARM_UP:
                    yield np.zeros((self._mpeg.kind.samples, self.channels), np.float32)
                else:
                    place_in_time = number * self._mpeg.kind.samples / self.rate
                    raise UnusableAudio(f"truncated or corrupt (the frame at {place_in_time:.2f} s cannot be decoded)")


def _frame(content: bytes) -> bytes:
    found = read_header(content, 0)
    return content[: found[0]] if found else content
