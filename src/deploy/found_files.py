"""The recordings that were named: files, folders, globs, lists, any of them separated by commas.

    clip.wav                     a recording, whatever its suffix; one that is missing is reported among the others
    folder                       all recordings below it, by their suffixes (videos are recordings too)
    clips/*.mp3, a/**/b?.wav     a glob; ** is any number of folders
    list.txt                     paths, one a line; empty lines and those that begin with # do not count

Relative paths, those of a list as well, are taken from where the user stands. Each recording is taken once, in the
order in which it was named; those of a folder or glob are sorted.
"""

import errno
import glob
import os
from collections.abc import Iterator
from pathlib import Path

from src.audio.io import AUDIO_SUFFIXES
from src.audio.storage.links import FETCHED
from src.audio.storage.places import exists
from src.utils.paths import absolute

LIST_SUFFIX = ".txt"
WILD = "*?["
ONLY_WILD = "*?"
"""Unlike brackets, hardly ever part of a name."""


def find_files(typed: str) -> list[Path]:
    """Return the recordings that are named.

    Parameters
    ----------
    typed : str

    Raises
    ------
    ValueError
        When nothing is named, a folder holds no recording, a glob matches nothing, or a list is empty or no text.
    """
    items = [typed] if _is_there(typed) else [item.strip() for item in typed.split(",")]
    found = dict.fromkeys(path for item in items if item for path in _of(item))
    if not found:
        raise ValueError("Which recordings? Give `files`: a file, a folder, a glob such as 'clips/*.wav', or a list.")
    return list(found)


def _is_there(typed: str) -> bool:
    """Tell whether one file or folder has this name; a list of many files is longer than a name may be."""
    try:
        return absolute(typed).exists()
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return False


def _of(item: str) -> Iterator[Path]:
    path = absolute(item)
    if path.is_dir():
        yield from _in_folder(path)
    elif path.exists():
        yield from _in_list(path) if path.suffix.lower() == LIST_SUFFIX else [path]
    elif any(sign in item for sign in WILD):
        # Not `path`: signs in the name of the current folder are no part of the glob.
        found = map(absolute, glob.glob(os.path.expanduser(item), recursive=True))  # noqa: PTH111, PTH207
        matches = sorted(match for match in found if exists(match))
        if not matches and any(sign in item for sign in ONLY_WILD):
            raise ValueError(f"`files`: nothing matches {item}.")
        yield from matches or [path]
    else:
        yield path  # missing: whoever reads it says so, and goes on


def _in_folder(folder: Path) -> list[Path]:
    inside = (Path(place) / name for place, _, names in os.walk(folder) for name in names)
    inside = (path for path in inside if FETCHED not in path.parts)  # copies of what is listed
    recordings = sorted(path for path in inside if path.suffix.lower() in AUDIO_SUFFIXES)
    if not recordings:
        raise ValueError(f"`files`: {folder} holds no recording ({', '.join(AUDIO_SUFFIXES)}).")
    return recordings


def _in_list(path: Path) -> list[Path]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError:
        raise ValueError(f"`files`: {path} is no list of paths: it is not text in UTF-8.") from None
    named = [absolute(line) for line in lines if line and not line.startswith("#")]
    if not named:
        raise ValueError(f"`files`: the list {path} names no recording.")
    return named
