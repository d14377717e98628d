"""The index of a tar: where its members lie, so that a recording is read in place and nothing is unpacked.

In an uncompressed tar the bytes of a member are a stretch of the file; a compressed one would have to be read from its
beginning for each of them, so it is refused. The index is made by one pass over the headers, once in each process, and
is compact (a name and 16 bytes for each member), since a corpus may have millions.

A tar with a corrupt header, or one that was truncated, would read as a shorter tar without any error; here the end
marker must be present, and nothing but zeros may follow it.

Source: POSIX.1-2001, pax, "ustar Interchange Format".
"""

import os
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

GZIP, XZ, ZSTD, BZIP2 = b"\x1f\x8b", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"BZh"
FILLING = 2**20
"""Zero bytes that may follow the end marker: a tar is filled up to a whole number of blocks of 10 KiB as a rule."""
LARGEST = 2**62
"""Bytes of a member: what a disk can be asked for."""
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class TarIndex:
    """Where the regular members of a tar lie."""

    names: np.ndarray
    """Shape (n,), bytes in UTF-8, ascending."""
    starts: np.ndarray
    """Shape (n,): byte of the tar at which each begins."""
    sizes: np.ndarray
    """Shape (n,): how many bytes each has."""
    n_links: int = 0
    """Members that are links, or files with holes: they cannot be read in place."""

    def find(self, name: str) -> tuple[int, int] | None:
        """Return where a member begins and how many bytes it has; None where there is none of that name."""
        encoded = os.fsencode(name)
        place = int(np.searchsorted(self.names, encoded))
        if place == len(self.names) or bytes(self.names[place]) != encoded:
            return None
        return int(self.starts[place]), int(self.sizes[place])

    def in_order(self) -> Iterator[tuple[str, int, int]]:
        """Yield name, beginning and size of every member in the order in which they lie in the tar."""
        for place in np.argsort(self.starts).tolist():
            yield os.fsdecode(bytes(self.names[place])), int(self.starts[place]), int(self.sizes[place])


class StrictMember(tarfile.TarInfo):
    """A tar header that must be valid: tarfile takes an invalid one after the first for the end of the archive."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> "StrictMember":
        """Read the next header; raise ReadError where there is none and no end marker either."""
        try:
            member = super().fromtarfile(tar)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except (tarfile.HeaderError, ValueError, OverflowError, MemoryError) as error:  # such as a name of 8 EB
            raise tarfile.ReadError(str(error)) from error
        if not 0 <= member.size <= LARGEST:  # below 0, the next header would be sought before this one, for ever
            raise tarfile.ReadError(f"a member of {member.size} bytes")
        return member


def read_index(tar: Path) -> TarIndex:
    """Return the index of a tar, which is made once in a process while the tar stays as it is.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When it is compressed, damaged or truncated, or two members have one name.

    >>> import io, tempfile
    >>> path = Path(tempfile.mkdtemp()) / "shard.tar"
    >>> with tarfile.open(path, "w") as tar:
    ...     member = tarfile.TarInfo("./a.txt")
    ...     member.size = 3
    ...     tar.addfile(member, io.BytesIO(b"one"))
    >>> read_index(path).find("a.txt")
    (512, 3)
    """
    state = tar.stat()
    with _ONE_AT_A_TIME:  # several threads want the same one first
        return _index_of_state(tar, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1024)
def _index_of_state(tar: Path, _changed: int, size: int) -> TarIndex:
    members: dict[str, tuple[int, int]] = {}
    n_links = 0
    try:
        with tarfile.open(tar, "r:", tarinfo=StrictMember) as file:
            for member in file:
                if member.isreg() and not member.issparse():
                    name = plain(member.name)
                    if name in members:
                        raise ValueError(f"{tar} has two members called {name}: write it again with each name once.")
                    members[name] = member.offset_data, member.size
                n_links += member.issym() or member.islnk() or member.issparse()
            _check_end(tar, file.offset, size)
    except (tarfile.TarError, EOFError, UnicodeError) as error:
        raise ValueError(f"{tar} {_why_unreadable(tar, error)}") from None
    return _compact(members, n_links)


def plain(name: str) -> str:
    """Return a member's name as a path below the tar has it.

    >>> plain("./train//000001.flac")
    'train/000001.flac'
    """
    return "/".join(step for step in name.split("/") if step not in ("", "."))


def _compact(members: dict[str, tuple[int, int]], n_links: int) -> TarIndex:
    names = np.array([os.fsencode(name) for name in members], dtype=np.bytes_)
    places = np.array(list(members.values()), dtype=np.int64).reshape(-1, 2)
    order = np.argsort(names)
    return TarIndex(names[order], places[order, 0], places[order, 1], n_links)


def _check_end(tar: Path, end: int, size: int) -> None:
    """Refuse a tar that goes on behind its end marker, of which `end` is the first byte."""
    if size - end > FILLING:
        raise tarfile.ReadError("goes on behind its end")
    with tar.open("rb") as file:
        file.seek(end)
        if file.read().strip(b"\0"):
            raise tarfile.ReadError("goes on behind its end")


def _why_unreadable(tar: Path, error: Exception) -> str:
    with tar.open("rb") as file:
        if file.read(8).startswith((GZIP, XZ, ZSTD, BZIP2)):
            return "is compressed, so that no recording can be read in place: unpack it to a plain tar (gunzip, say)."
    if "behind its end" in str(error):
        return "was joined of several tars, or something follows its end: write it again as one tar."
    return f"is damaged or truncated ({' '.join(str(error).split())}): copy or write it again."
