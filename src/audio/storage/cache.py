"""A folder of fetched files of bounded size, which several processes fill and read at once.

A file appears whole: it is written under another name and renamed. It is fetched once: who writes it holds a lock that
others wait for. Where it would exceed the limit, others are removed before, drawn by chance: by the least recent use, a
corpus that is read from beginning to end, over and over, would never find anything that was fetched. A file that a
process uses is locked by it and stays, so that the limit may be exceeded by what is in use.

All locks are kernel locks (`flock`), which end with their process, however that happens; what a killed one left is
written anew or removed.
"""

import errno
import fcntl
import os
import random
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

IN_USE = 4
"""Files that a process keeps from being removed: those that it asked for last."""
FILLED = 0.9
"""The share of the limit that is left filled when files are removed."""
TOTAL, PART, LOCK = ".total", ".part", ".lock"


class Cache:
    """Files by name, such as `ab/abcdef.flac`.

    Parameters
    ----------
    folder : Path
        Made when the first file is fetched.
    limit : int
        In bytes.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit
        self._used: OrderedDict[str, int] = OrderedDict()
        """Name -> handle of the opened file, which bears the lock."""
        self._guard = threading.Lock()

    def get(self, name: str, size: int, fetch: Callable[[Path], None]) -> Path:
        """Return a file, which stays until this process has asked for `IN_USE` others; fetch it where it is missing.

        Parameters
        ----------
        name : str
        size : int
            In bytes.
        fetch : callable
            Writes so many bytes to a path; whatever it raises is raised here, and nothing is kept.

        Raises
        ------
        ValueError
            When the file alone exceeds the limit.
        """
        if size > self.limit:
            raise ValueError(
                f"`cache_gb` allows {self.limit / 1e9:g} GB in {self.folder}, and one file alone has {size / 1e9:.3g}: "
                "allow more."
            )
        while not self._use(name, size):
            self._fetch(self.folder / name, size, fetch)
        return self.folder / name

    def _use(self, name: str, size: int) -> bool:
        """Keep a file from being removed; return whether it is there, and whole."""
        with self._guard:
            if name in self._used:
                self._used.move_to_end(name)
                return True
            handle = _opened_where_it_lies(self.folder / name, fcntl.LOCK_SH)
            if handle is None:
                return False
            if os.fstat(handle).st_size != size:  # the machine crashed before the disk had it all
                os.close(handle)
                return False
            self._used[name] = handle
            while len(self._used) > IN_USE:
                os.close(self._used.popitem(last=False)[1])
            return True

    def _fetch(self, file: Path, size: int, fetch: Callable[[Path], None]) -> None:
        """Write a file unless another process did so in the meantime."""
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            told = "No folder (a link to a disk that is not there?)"
            raise NotADirectoryError(errno.ENOTDIR, told, str(self.folder)) from None
        part, lock = (file.with_name(f".{file.name}{suffix}") for suffix in (PART, LOCK))
        handle = _opened_where_it_lies(lock, fcntl.LOCK_EX, make=True)
        if handle is None:  # another process has written the file while this one waited
            return
        try:
            if not file.exists() or file.stat().st_size != size:
                self._make_room(size)
                try:
                    fetch(part)
                    part.replace(file)
                except BaseException as error:
                    part.unlink(missing_ok=True)
                    self._add(-size)
                    if isinstance(error, OSError) and error.errno and not error.filename:  # a full disk names no file
                        error.filename = str(self.folder)
                    raise
        finally:
            lock.unlink(missing_ok=True)
            os.close(handle)

    def _make_room(self, size: int) -> None:
        """Count a file that is to come; remove others where it would exceed the limit."""
        with self._counted() as count:
            total = count()
            if total + size > self.limit:
                total = self._remove(self.limit * FILLED - size)
            self._write_total(total + size)

    def _add(self, size: int) -> None:
        with self._counted() as count:
            self._write_total(count() + size)

    @contextmanager
    def _counted(self) -> Iterator[Callable[[], int]]:
        """Lock the count of bytes; yield what reads it, from the files where nobody has counted yet."""
        with (self.folder / f"{TOTAL}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self._total

    def _total(self) -> int:
        noted = self.folder / TOTAL
        if noted.is_file() and (text := noted.read_text()).isdecimal():
            return int(text)
        return sum(size for _, size in self._files())

    def _write_total(self, total: int) -> None:
        written = self.folder / f"{TOTAL}{PART}"
        written.write_text(str(max(0, total)))
        written.replace(self.folder / TOTAL)

    def _remove(self, wanted: float) -> int:
        """Remove files that nobody uses until so many bytes are left at most; return how many are left."""
        files = sorted(self._files())
        total = sum(size for _, size in files)
        chance = random.Random(total)
        chance.shuffle(files)
        for file, size in files:
            is_left = file.name.startswith(".")  # of a process that was killed, unless its lock is held
            if is_left or total > wanted:
                lock = file.with_suffix(LOCK) if is_left else file
                handle = _opened_where_it_lies(lock, fcntl.LOCK_EX | fcntl.LOCK_NB, make=is_left)
                if handle is not None:
                    file.unlink(missing_ok=True)
                    if is_left:
                        lock.unlink(missing_ok=True)
                    os.close(handle)
                    total -= size
        return total

    def _files(self) -> Iterator[tuple[Path, int]]:
        """Yield every file and its size, with what killed processes left."""
        for folder in (path for path in self.folder.iterdir() if path.is_dir()):
            for file in folder.iterdir():
                with suppress(FileNotFoundError):
                    yield file, file.stat().st_size


def _opened_where_it_lies(file: Path, lock: int, *, make: bool = False) -> int | None:
    """Open and lock a file; return its handle, or None where it is missing, locked, or no longer lies there."""
    try:
        handle = os.open(file, os.O_RDWR | os.O_CREAT if make else os.O_RDONLY, 0o666)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, lock)
        if os.fstat(handle).st_ino == file.stat().st_ino:
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None
