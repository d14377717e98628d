"""Write files atomically: into a temporary file in the same folder, then one rename.

`os.replace` is atomic within a folder, so whoever opens the name sees the old content or the new, whatever
happens in between: a kill, a full disk, an exception. The temporary name contains `.part`; the file is removed on
failure, and errors name the file that was to be written.
"""

import errno
import hashlib
import json
import math
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from src.audio.storage.links import Link
from src.audio.storage.places import find

PROBE_BYTES = 32 * 1024
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a disk that is full, or of a limit on what may be written."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path with the same suffix, and rename it to `path` if the block succeeds.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic_path(folder / "a.txt") as temporary:
    ...     _ = temporary.write_text("whole")
    >>> (folder / "a.txt").read_text(), len(list(folder.iterdir()))
    ('whole', 1)
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    temporary = _temporary_neighbour(path)
    try:
        with as_os_errors(temporary):
            yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except Exception as error:
        _name_in(error, temporary, path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def as_os_errors(path: Path) -> Iterator[None]:
    """Raise OSError where PyTorch or safetensors cannot write to a path: their own errors are of other kinds.

    PyTorch's says nothing of the reason, which is a full disk as a rule.
    """
    try:
        yield
    except Exception as error:
        said = str(error)
        if isinstance(error, OSError) or not re.search("PytorchStreamWriter failed|unexpected pos|I/O error", said):
            raise
        number = re.search(r"os error (\d+)", said)
        code = int(number[1]) if number else errno.ENOSPC
        raise OSError(code, os.strerror(code), str(path)) from error


def check_output(output: Path, inputs: Iterable[Path]) -> None:
    """Refuse to write a result over a folder or over a file that it is computed from.

    Parameters
    ----------
    output : Path
        Where the result is to be written; the messages call it `output`.
    inputs : iterable of Path
        The files that are read. A link counts as the file that it leads to.

    Raises
    ------
    ValueError
        When the output is one of them, or a folder.
    """
    if output.is_dir():
        raise ValueError(f"`output` must be a file, and {output} is a folder; name a file in it, such as results.json.")
    for path in inputs:
        if output.exists() and path.exists() and output.samefile(path):
            raise ValueError(f"`output` is {output}, which is read and must not be overwritten; name another file.")


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files that a kill left below a folder; no other process may be writing there."""
    for leftover in folder.rglob(".*.part*"):
        if leftover.is_file():
            leftover.unlink()


def write_text(path: Path, text: str) -> None:
    """Write `text` in UTF-8, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON in UTF-8; NaN is refused, because JSON has none."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def finite_or_none(number: float) -> float | None:
    """Return a number for JSON, which has no word but null for those that are not finite.

    >>> finite_or_none(0.5), finite_or_none(float("nan"))
    (0.5, None)
    """
    return float(number) if math.isfinite(number) else None


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    ValueError
        When the file is not JSON; the message names it.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid JSON ({error}).") from error


def read_record(path: Path, *keys: str) -> dict[str, Any]:
    """Read a JSON object that must hold the given keys.

    Raises
    ------
    ValueError
        When the file is not JSON, not an object, or lacks a key; the message names the file.
    """
    record = read_json(path)
    require_keys(record, path, *keys)
    return record


def require_keys(record: Any, path: Path, *keys: str) -> None:
    """Raise ValueError, naming the file `path`, when what it holds is no JSON object or lacks a key."""
    missing = [key for key in keys if not isinstance(record, dict) or key not in record]
    if missing or not isinstance(record, dict):
        raise ValueError(f"{path} is damaged: it holds no {', '.join(missing) or 'JSON object'}.")


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(path: Path) -> str:
    """Return a digest of a recording's size, beginning and end, by which a change is noticed.

    A recording inside a tar has the fingerprint that it would have as a file of its own; that of one in storage over a
    network comes from the storage's listing, and nothing is fetched. Reading 64 KiB per clip limits
    the check of a large corpus to seconds; a change that keeps the size and both ends goes unnoticed.
    """
    place = find(path)
    if isinstance(place, Link):
        return place.fingerprint
    digest = hashlib.blake2b(str(place.size).encode(), digest_size=8)
    with place.file.open("rb") as file:
        for start in (0, max(0, place.size - PROBE_BYTES)):
            file.seek(place.start + start)
            digest.update(file.read(min(PROBE_BYTES, place.size)))
    return digest.hexdigest()


def text_digest(text: str) -> str:
    """Return the SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _temporary_neighbour(path: Path) -> Path:
    """Create an empty file beside `path`, with a shortened name: that of `path` may be as long as names can be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem[:40]}-", suffix=f".part{path.suffix}", dir=path.parent)
    except FileExistsError as error:  # mkdir: a file is in the way
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), error.filename) from None
    except OSError as error:
        if ".part" in str(error.filename):
            error.filename = str(path)
        raise
    os.close(handle)
    return Path(name)


def _name_in(error: Exception, temporary: Path, path: Path) -> None:
    """Make an error name the file that was to be written instead of the temporary one."""
    if isinstance(error, OSError) and error.filename is not None and temporary.name in str(error.filename):
        error.filename = str(path)
        if error.filename2 is not None:
            del error.filename2
    error.args = tuple(arg.replace(temporary.name, path.name) if isinstance(arg, str) else arg for arg in error.args)


def _umask() -> int:
    """Return the process's umask: mkstemp makes private files, ours should have the usual permissions."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
