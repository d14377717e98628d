"""A part of a file that is read as a file of its own, with some of its bytes replaced.

Speech servers concatenate files, and write headers before they know the length. Each part is handed to a decoder as if
it were a file of its own with a correct header; the file on disk is never changed.
"""

import io
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

Content = mmap.mmap | bytes
"""The bytes of a file; only those that are accessed are read."""


@contextmanager
def mapped(path: Path) -> Iterator[Content]:
    """Give access to all bytes of a file."""
    if not path.stat().st_size:  # an empty file cannot be mapped
        yield b""
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        yield content


@dataclass(frozen=True)
class Part:
    """Bytes `start` to `stop` of a file."""

    path: Path
    start: int
    stop: int
    corrections: dict[int, bytes] = field(default_factory=dict)
    """Offset within the part -> the bytes that are read there instead."""

    @property
    def is_whole_file(self) -> bool:
        """Whether a decoder may open the file itself."""
        return not self.start and not self.corrections and self.stop == self.path.stat().st_size

    def open(self) -> io.BufferedIOBase:
        """Open the part as a file of its own."""
        return io.BufferedReader(_PartReader(self), buffer_size=2**16)


def whole(path: Path) -> list[Part]:
    """Return a whole file as a single part."""
    return [Part(path, 0, path.stat().st_size)]


class _PartReader(io.RawIOBase):
    def __init__(self, part: Part) -> None:
        self._part, self._file, self._position = part, part.path.open("rb"), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._part.stop - self._part.start}
        self._position = origin[whence] + offset
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        first = self._part.start + self._position
        self._file.seek(first)
        content = bytearray(self._file.read(max(0, min(len(buffer), self._part.stop - first))))
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
