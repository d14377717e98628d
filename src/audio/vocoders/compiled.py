"""librosa, imported by one process at a time, because numba compiles parts of it at import and keeps them on the disk.

Each such function becomes two files, and one calls the other by a name that the process gave it. Processes that compile
at the same time, such as two workers just after an installation, can leave two files that do not belong together, and
every later process that calls the function ends with a segmentation fault. Under a lock the first one compiles, and the
others find both of its files.
"""

import os
import tempfile
from functools import cache
from operator import attrgetter
from pathlib import Path
from types import ModuleType

from filelock import FileLock

PARTS = ("filters.mel", "griffinlim", "stft", "yin")


@cache
def load_librosa() -> ModuleType:
    """Return librosa, with the parts of it that vocoders call imported; they would be when they are first named.

    That takes half a minute where nothing is compiled yet.
    """
    import librosa

    with FileLock(_lock_file(librosa), mode=0o666):
        attrgetter(*PARTS)(librosa)
    return librosa


def _lock_file(package: ModuleType) -> Path:
    """Return a file that those who share compiled code share: where numba keeps it, else one of the user's own."""
    from numba.core import config

    given = config.CACHE_DIR  # type: ignore[attr-defined]
    folder = Path(given) if given else Path(str(package.__file__)).parent / "__pycache__"
    if os.access(folder, os.W_OK):
        return folder / "audios-librosa.lock"
    user = os.getuid() if hasattr(os, "getuid") else ""
    return Path(tempfile.gettempdir()) / f"audios-librosa-{user}.lock"
