"""Containers made of chunks (WAV, RF64, W64, AIFF, CAF, AU): where the sound ends, whatever their headers say.

A header may state more sound than the file holds: the file is truncated, and refused. Programs that write into a pipe
do not know the length, and write 0 or the largest number that fits: the sound then extends to the end of the file.
Speech servers that stream may concatenate whole files: each is then a part. `parts_of` distinguishes these cases by
walking from chunk to chunk, which reads a few bytes of each.

Sources: Microsoft, Multimedia Programming Interface 1.0 (RIFF); EBU Tech 3306 (RF64); Sony, W64; Apple, Audio
Interchange File Format 1.3 and Core Audio Format 1.0; Sun, the .au header in audio(4).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from src.audio.slices import Content, Part, mapped
from src.audio.unusable import truncated

HARMLESS = 64
"""Bytes that may be missing, two milliseconds of speech at most: some programs count their header as sound."""
NO_SIZE_FROM = {4: 0x7FFF_0000, 8: 2**62}
"""Bytes of a size field -> sizes from this one on mean "unknown" where the file holds less."""
UNKNOWN_OF_RF64 = 0xFFFF_FFFF
"""As the size of an RF64's sound: the true size is in the chunk `ds64` before it."""
W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")


@dataclass(frozen=True)
class Dialect:
    """How one kind of container stores its chunks."""

    magic: bytes
    first: int
    """Where the first chunk begins."""
    sound: bytes
    """Name of the chunk that holds the samples."""
    size_bytes: int = 4
    order: Literal["little", "big"] = "little"
    counts_itself: bool = False
    """Whether a chunk's size includes its name and its size."""
    step: int = 2
    """Chunks begin at multiples of this."""

    @property
    def head(self) -> int:
        """Bytes before the content of a chunk."""
        return len(self.sound) + self.size_bytes


DIALECTS = (
    Dialect(b"RIFF", 12, b"data"),
    Dialect(b"RIFX", 12, b"data", order="big"),
    Dialect(b"RF64", 12, b"data"),
    Dialect(b"BW64", 12, b"data"),
    Dialect(b"FORM", 12, b"SSND", order="big"),
    Dialect(b"caff", 8, b"data", size_bytes=8, order="big", step=1),
    Dialect(b"riff\x2e\x91\xcf\x11", 40, b"data" + W64_TAIL, size_bytes=8, counts_itself=True, step=8),
)
SUN = b".snd"


@dataclass(frozen=True)
class _Chunk:
    name: bytes
    size_at: int
    """Where its size is stored, in a field of `width` bytes."""
    width: int
    content: int
    """Where its content begins."""
    size: int
    """Of its content, as declared."""


def parts_of(path: Path) -> list[Part]:
    """Return the recordings that a container holds, one after another; empty for any other file.

    Raises
    ------
    UnusableAudio
        When the file holds less sound than its header states.
    """
    with mapped(path) as content:
        parts, start = list[Part](), 0
        while start < len(content):
            if content[start : start + 4] == SUN:
                part = _sun_part(path, content, start)
            else:
                dialect = next((d for d in DIALECTS if content[start : start + len(d.magic)] == d.magic), None)
                if dialect is None:
                    break
                part = _part(path, content, dialect, start)
            parts.append(part)
            start = part.stop
        return parts


def _part(path: Path, content: Content, dialect: Dialect, start: int) -> Part:
    """Walk through one container from `start` to where the next one begins or the file ends."""
    place, corrections = start + dialect.first, dict[int, bytes]()
    while place + dialect.head <= len(content) and not _begins(content, dialect, place):
        chunk = _chunk_at(content, dialect, place, start)
        end = chunk.content + chunk.size
        if chunk.name == dialect.sound:
            end = _end_of_sound(content, dialect, chunk)
            if end - chunk.content > chunk.size or _is_no_size(chunk.size, chunk.width):
                right = end - chunk.content + (dialect.head if dialect.counts_itself else 0)
                corrections[chunk.size_at - start] = right.to_bytes(chunk.width, dialect.order)
            if _begins(content, dialect, end):  # of a program that does not pad the last chunk
                return Part(path, start, end, corrections)
        place = end + (start - end) % dialect.step
    return Part(path, start, place if _begins(content, dialect, place) else len(content), corrections)


def _chunk_at(content: Content, dialect: Dialect, place: int, start: int) -> _Chunk:
    name, size_at = content[place : place + len(dialect.sound)], place + len(dialect.sound)
    size = int.from_bytes(content[size_at : size_at + dialect.size_bytes], dialect.order)
    if size == UNKNOWN_OF_RF64 and name == dialect.sound and content[start + 12 : start + 16] == b"ds64":
        long_size = int.from_bytes(content[start + 28 : start + 36], "little")
        return _Chunk(name, start + 28, 8, place + dialect.head, long_size)
    size -= dialect.head if dialect.counts_itself and size else 0
    return _Chunk(name, size_at, dialect.size_bytes, place + dialect.head, max(0, size))


def _end_of_sound(content: Content, dialect: Dialect, chunk: _Chunk) -> int:
    there = len(content) - chunk.content
    unknown = (not chunk.size and there and not _are_chunks(content, dialect, chunk.content)) or (
        chunk.size > there and _is_no_size(chunk.size, chunk.width)
    )
    if unknown:
        following = content.find(b"WAVEfmt ", chunk.content) - 8 if dialect.magic == b"RIFF" else -1
        return following if following > 0 and _begins(content, dialect, following) else len(content)
    _check_there(there, chunk.size)
    return chunk.content + min(chunk.size, there)


def _sun_part(path: Path, content: Content, start: int) -> Part:
    """Read the header of an AU file, which has no chunks: where the sound begins, and its size."""
    first, size = (int.from_bytes(content[start + at : start + at + 4], "big") for at in (4, 8))
    there = len(content) - start - first
    if not size or (size > there and _is_no_size(size, 4)):
        return Part(path, start, len(content), {8: max(0, there).to_bytes(4, "big")})
    _check_there(there, size)
    end = start + first + size
    return Part(path, start, end if content[end : end + 4] == SUN else len(content))


def _check_there(there: int, size: int) -> None:
    if size - there > HARMLESS:
        raise truncated(max(0, there), size, "bytes of sound are present")


def _is_no_size(size: int, width: int) -> bool:
    return size >= NO_SIZE_FROM[width]


def _begins(content: Content, dialect: Dialect, place: int) -> bool:
    return content[place : place + len(dialect.magic)] == dialect.magic


def _are_chunks(content: Content, dialect: Dialect, place: int) -> bool:
    """Return whether there are only chunks from `place` to the end, and no sound."""
    while place + dialect.head <= len(content) and not _begins(content, dialect, place):
        chunk = _chunk_at(content, dialect, place, len(content))
        if not (chunk.name[:4].isascii() and chunk.name[:4].decode().isprintable()):
            return False
        place = chunk.content + chunk.size + -chunk.size % dialect.step
    return place <= len(content) + 1
