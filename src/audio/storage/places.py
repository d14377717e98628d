"""Find the bytes of a recording: a file of its own, a stretch of a tar, or an object that has to be fetched first.

A recording is named by a path. Where that is a file, nothing more happens: it costs the one look at the disk that it
has always cost. Where it is a link of ours, an object in storage over a network is fetched (`links.py`). Otherwise a
folder in the path may be a tar, `corpus/shard-000000.tar/000001.flac`, and the recording is a member of it. Everything
that opens recordings asks here, so that no step has to know where they lie.
"""

import errno
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from src.audio.storage.links import Link, read_link

TAR = ".tar"
ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EBADF)
STRETCH = 2**26
"""Bytes of a tar, 64 MiB, that are read ahead at a time: half an hour of speech, or an hour as FLAC."""


@dataclass(frozen=True)
class Place:
    """Where the bytes of a recording lie."""

    file: Path
    start: int
    """First byte within the file."""
    size: int
    """In bytes."""
    changed: int
    """When the file was changed last, in ns; with the size, what tells whether something that was kept is out of date.
    """
    is_member: bool = False
    """Whether the file is a tar, and holds others."""


def locate(path: Path) -> Place:
    """Find a recording; one in storage over a network is fetched unless it is here already.

    Raises
    ------
    FileNotFoundError
        When there is none.
    ValueError
        When it should lie in a tar that cannot be read.
    OSError
        When it cannot be fetched.
    """
    found = find(path)
    return _fetched(found) if isinstance(found, Link) else found


def find(path: Path) -> Place | Link:
    """Find a recording without fetching anything: what a link stands for comes back as that, whether it is here or not.

    Raises
    ------
    FileNotFoundError, ValueError
        As `locate`; what is inside a tar in storage over a network is taken to be there.
    """
    try:
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            link = read_link(path)
            if link is not None:
                return link
            found = path.stat()
    except OSError as error:
        if error.errno not in ABSENT:
            raise
        return _in_tar(path)
    if not stat.S_ISREG(found.st_mode):
        raise _absent(path)
    return Place(path, 0, found.st_size, found.st_mtime_ns)


def exists(path: Path) -> bool:
    """Return whether there is a recording at a path; raises ValueError when it should lie in an unreadable tar."""
    try:
        find(path)
    except FileNotFoundError:
        return False
    return True


def tar_of(path: Path) -> Path | None:
    """Return the tar that a path leads into; None where it leads into none."""
    return next((above for above in path.parents if above.suffix.lower() == TAR and exists(above)), None)


def carrier(path: Path) -> Path:
    """Return the file that holds a recording: the tar that the path leads into, or the path itself."""
    return tar_of(path) or path


def in_reading_order(folder: Path, files: Iterable[str]) -> list[str]:
    """Return recordings of a folder in the order in which a disk reads them best: those of tars as they lie there.

    Recordings that are files of their own keep their order, and come first.
    """
    listed = list(files)
    if not any(TAR in file.lower() for file in listed):
        return listed
    return sorted(listed, key=lambda file: _reading_key(folder, file))


def stretches_of(folder: Path, files: Iterable[str]) -> dict[str, tuple[str, int]]:
    """Return in which stretch of which tar recordings of a folder lie, without those that are files of their own.

    The number of the stretch depends on the recording alone and not on which others are read with it.
    """
    keys = {file: _reading_key(folder, file) for file in files if TAR in file.lower()}
    return {file: (tar, start // STRETCH) for file, (tar, start) in keys.items() if tar}


def will_need(tar: Path, number: int) -> None:
    """Let the system read a stretch of a tar into memory in the background, from front to back; fetch it if need be."""
    file = locate(tar).file
    if hasattr(os, "posix_fadvise"):  # Linux
        with file.open("rb") as opened:
            os.posix_fadvise(opened.fileno(), number * STRETCH, STRETCH, os.POSIX_FADV_WILLNEED)


def _reading_key(folder: Path, file: str) -> tuple[str, int]:
    if TAR not in file.lower():
        return "", 0
    try:
        found = find(folder / file)
    except FileNotFoundError:
        return "", 0
    if isinstance(found, Link):  # a tar that is fetched as a whole is one stretch
        return (found.key, 0) if found.member else ("", 0)
    return (str(found.file.relative_to(folder)), found.start) if found.is_member else ("", 0)


def _in_tar(path: Path) -> Place | Link:
    tar = tar_of(path)
    if tar is None:
        raise _absent(path)
    name, holder = path.relative_to(tar).as_posix(), find(tar)
    return replace(holder, member=name) if isinstance(holder, Link) else _member(holder, name)


def _member(holder: Place, name: str) -> Place:
    from src.audio.storage.tars import read_index

    found = read_index(holder.file).find(name)
    if found is None:
        raise FileNotFoundError(
            f"There is no recording {name} in {holder.file}: did the tar change? Make the tables again."
        )
    return Place(holder.file, *found, changed=holder.changed, is_member=True)


def _fetched(link: Link) -> Place:
    from src.audio.storage.source import fetched

    file = fetched(link)
    state = file.stat()
    whole = Place(link.path, 0, state.st_size, state.st_mtime_ns)
    return _member(whole, link.member) if link.member else whole


def _absent(path: Path) -> FileNotFoundError:
    return FileNotFoundError(f"There is no recording {path}.")
