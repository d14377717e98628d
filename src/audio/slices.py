"""A part of a file that is read as a file of its own, with some of its bytes replaced.

Speech servers concatenate files, and write headers before they know the length. Each part is handed to a decoder as if
it were a file of its own with a correct header; the file on disk is never changed. A recording inside a tar is read in
the same way (`storage/places.py` says where it lies).
"""

import io
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

from src.audio.storage.places import locate


class Member:
    """The bytes of a member of a tar that is mapped, accessed as those of a file of its own."""

    def __init__(self, content: mmap.mmap, start: int, size: int) -> None:
        self._content, self._start, self._size = content, start, size

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> bytes: ...
    def __getitem__(self, place: int | slice) -> int | bytes:
        if isinstance(place, slice):
            first, last, _ = place.indices(self._size)
            return self._content[self._start + first : self._start + max(first, last)]
        return self._content[self._start + range(self._size)[place]]

    def find(self, wanted: bytes, start: int = 0, stop: int | None = None) -> int:
        """Return where bytes first occur between two places, or -1."""
        first, last, _ = slice(start, stop).indices(self._size)
        found = self._content.find(wanted, self._start + first, self._start + last)
        return found - self._start if found >= 0 else -1


Content = mmap.mmap | Member | bytes
"""The bytes of a recording; only those that are accessed are read."""


@contextmanager
def mapped(path: Path) -> Iterator[Content]:
    """Give access to all bytes of a recording."""
    place = locate(path)
    if not place.size:  # an empty file cannot be mapped
        yield b""
        return
    before = place.start % mmap.ALLOCATIONGRANULARITY
    with (
        place.file.open("rb") as file,
        mmap.mmap(file.fileno(), before + place.size, access=mmap.ACCESS_READ, offset=place.start - before) as content,
    ):
        yield Member(content, before, place.size) if place.is_member else content


def opened(path: Path) -> io.BufferedReader:
    """Open a recording to read its bytes."""
    place = locate(path)
    if not place.is_member:
        return place.file.open("rb")
    return Part(path, 0, place.size).open()


@dataclass(frozen=True)
class Part:
    """Bytes `start` to `stop` of a recording."""

    path: Path
    start: int
    stop: int
    corrections: dict[int, bytes] = field(default_factory=dict)
    """Offset within the part -> the bytes that are read there instead."""

    @property
    def is_whole_file(self) -> bool:
        """Whether a decoder may open the file itself."""
        if self.start or self.corrections:
            return False
        place = locate(self.path)
        return not place.is_member and self.stop == place.size

    def open(self) -> io.BufferedReader:
        """Open the part as a file of its own."""
        return io.BufferedReader(_PartReader(self), buffer_size=2**16)


def whole(path: Path) -> list[Part]:
    """Return a whole recording as a single part."""
    return [Part(path, 0, locate(path).size)]


class _PartReader(io.RawIOBase):
    def __init__(self, part: Part) -> None:
        place = locate(part.path)
        self._part, self._file, self._position = part, place.file.open("rb"), 0
        self._begin = place.start + part.start
        self.name = str(part.path)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._part.stop - self._part.start}
        self._position = origin[whence] + offset
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._file.seek(self._begin + self._position)
        left = self._part.stop - self._part.start - self._position
        content = bytearray(self._file.read(max(0, min(len(buffer), left))))
        for place, right in self._part.corrections.items():
            for offset, value in enumerate(right, place - self._position):
                if 0 <= offset < len(content):
                    content[offset] = value
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)

    def close(self) -> None:
        self._file.close()
        super().close()
