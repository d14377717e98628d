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

LOCK = "audios-librosa.lock"
PARTS = ("filters.mel", "griffinlim", "stft", "yin")


@cache
def load_librosa() -> ModuleType:
    """Return librosa, with the parts of it that vocoders call imported; they would be when they are first named.

    That takes half a minute where nothing is compiled yet.
    """
    import librosa

    with FileLock(_shared_folder(librosa) / LOCK, mode=0o666):
        attrgetter(*PARTS)(librosa)
    return librosa


def _shared_folder(package: ModuleType) -> Path:
    """Return a folder that all processes that share compiled code can write to: where numba keeps it, if possible."""
    from numba.core import config

    given = config.CACHE_DIR  # type: ignore[attr-defined]
    beside = Path(str(package.__file__)).parent / "__pycache__"
    folders = (Path(given) if given else beside, Path(tempfile.gettempdir()))
    return next((folder for folder in folders if os.access(folder, os.W_OK)), folders[-1])
