"""The first decoder, libsndfile: WAV and related formats, FLAC, Ogg, and MP3; it can seek in most of them.

Some codings do not allow seeking (GSM 6.10, G.721): they are decoded from their beginning, in blocks. In MPEG audio of
a variable bit rate libsndfile seeks inexactly, and `soundfile` seeks after every block that it reads; so MPEG audio is
read in one piece. Of Ogg Vorbis, libsndfile finds wrong places within the last page: that page is read from its
beginning.
"""

import os
from collections.abc import Iterator, Sequence

import numpy as np
import soundfile

from src.audio.ogg import begin_of_last_page
from src.audio.recording import Format, stretch_of
from src.audio.slices import Part
from src.audio.unusable import EMPTY, UnusableAudio, truncated

UNKNOWN_LENGTH = 2**63 - 1  # what libsndfile says of a FLAC that was written into a pipe
BLOCK = 2**16
MPEG = "MPEG_LAYER"


class RefusedByLibsndfile(UnusableAudio):
    """A recording that libsndfile cannot read; another decoder may."""


class LibsndfileRecording:
    """One recording, or several of one rate whose files were concatenated.

    Parameters
    ----------
    parts : sequence of Part
    n_frames : int or None
        Its length, where the header is not to be trusted.

    Raises
    ------
    RefusedByLibsndfile
        When it cannot be opened or does not know its length.
    UnusableAudio
        When the parts differ in rate or channels.
    """

    def __init__(self, parts: Sequence[Part], n_frames: int | None = None) -> None:
        self._parts = parts
        found = [_format(part) for part in parts]
        formats = [stated for stated, _ in found]
        self.rate, self.channels = formats[0].rate, formats[0].channels
        if any((part.rate, part.channels) != (self.rate, self.channels) for part in formats):
            raise UnusableAudio("joined of parts that differ in rate or channels")
        self.promised = sum(part.n_frames for part in formats)
        """Frames of all parts according to their headers."""
        self.seeks = all(is_seekable for _, is_seekable in found)
        """Whether a stretch costs little more than it is long."""
        self._lengths = [part.n_frames for part in formats] if n_frames is None else [n_frames]
        self.format = Format(sum(self._lengths), self.rate, self.channels, formats[0].encoding)

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield all of it in blocks of shape (n, channels), float32."""
        for part in self._parts:
            done = 0
            try:
                with _opened(part) as file:
                    for block in _blocks(file):
                        done += len(block)
                        yield block
            except (soundfile.LibsndfileError, RuntimeError) as error:
                yield from _before_damage(part, done)
                raise RefusedByLibsndfile(reason_of(error)) from None

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return frames `start` to `stop` (None = the end), float32 of shape (n, channels)."""
        stretches, begin = [], 0
        for part, length in zip(self._parts, self._lengths, strict=True):
            end = begin + length
            first, last = max(start, begin), end if stop is None else min(stop, end)
            if first < last:
                stretches.append(_read(part, first - begin, last - begin, length))
            begin = end
        if len(stretches) == 1:
            return stretches[0]
        return np.concatenate([np.empty((0, self.channels), np.float32), *stretches])


def _format(part: Part) -> tuple[Format, bool]:
    """Return the format that the header of one part states, and whether a stretch of it can be found by seeking."""
    try:
        with _opened(part) as file:
            n_frames, encoding = file.frames, f"{file.format} {file.subtype}"
            if file.format == "RAW":  # how libsndfile reads any file that is named .au or .snd
                raise RefusedByLibsndfile("unreadable (Format not recognised)")
            if n_frames <= 0:
                raise UnusableAudio(EMPTY)
            if n_frames >= UNKNOWN_LENGTH:
                raise RefusedByLibsndfile("unreadable (its header does not state its length; write it again)")
            is_seekable = file.seekable() and not file.subtype.startswith(MPEG)
            return Format(n_frames, file.samplerate, file.channels, encoding), is_seekable
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise RefusedByLibsndfile(reason_of(error)) from None


def _read(part: Part, start: int, stop: int, length: int) -> np.ndarray:
    try:
        with _opened(part) as file:
            if file.subtype.startswith(MPEG):
                samples = file.read(stop, dtype="float32", always_2d=True)[start:]
            elif file.seekable():
                is_inexact = start > 0 and file.subtype == "VORBIS"
                first = min(start, begin_of_last_page(part, length)) if is_inexact else start
                if first:
                    file.seek(first)
                samples = file.read(stop - first, dtype="float32", always_2d=True)[start - first :]
            else:
                samples, _ = stretch_of(_blocks(file), file.channels, start, stop)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise RefusedByLibsndfile(reason_of(error)) from None
    if len(samples) < stop - start:
        raise truncated(start + len(samples), length, "samples can be decoded")
    return samples


def _blocks(file: soundfile.SoundFile) -> Iterator[np.ndarray]:
    while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
        yield block


def _before_damage(part: Part, start: int) -> Iterator[np.ndarray]:
    """Yield the good frames of a block that cannot be read, in ever smaller pieces.

    A decoder that has failed cannot go on, so the file is opened anew. Since `soundfile` seeks to the end of what it
    reads, a piece that ends where the damage begins fails as well, and the last frame before it is lost.
    """
    size = BLOCK
    while size := size // 2:
        try:
            with _opened(part) as file:
                if not file.seekable():
                    return
                file.seek(start)
                piece = file.read(size, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, RuntimeError):
            continue
        start += len(piece)
        yield piece


def _opened(part: Part) -> soundfile.SoundFile:
    # As bytes, since `soundfile` refuses a name that is no UTF-8.
    return soundfile.SoundFile(os.fsencode(part.path) if part.is_whole_file else part.open())


def reason_of(error: Exception) -> str:
    """Shorten libsndfile's message to the part that says what is wrong."""
    if "File does not exist" in str(error):  # it does, as was checked: libsndfile says so of an MP3 of a few bytes
        return "unreadable (too short)"
    words = str(error).rsplit(": ", 1)[-1].strip().rstrip(".") or "truncated or corrupt"
    return f"unreadable ({words})"
