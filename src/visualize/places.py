"""Cache folders for matplotlib and numba, on machines where they cannot write to their usual ones.

matplotlib caches a list of fonts, and numba, which UMAP and librosa use, caches compiled code: beside the packages, or
in the home folder. In a container, on a cluster or for a service neither may be writable. numba then raises an error,
and matplotlib warns. They get a temporary folder instead, which is removed when the process ends. Child processes
inherit it.
"""

import atexit
import os
import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path


def give_matplotlib_a_place() -> None:
    """Set MPLCONFIGDIR to a temporary folder where matplotlib has no writable one; call before importing it."""
    if "MPLCONFIGDIR" in os.environ or "matplotlib" in sys.modules:
        return
    if not all(can_be_written(folder) for folder in (_base("XDG_CONFIG_HOME", ".config"), _cache())):
        os.environ["MPLCONFIGDIR"] = _temporary("audios-matplotlib-")


def give_numba_a_place(*packages: str) -> None:
    """Set numba's cache folder to a temporary one where it could not cache the functions of `packages`.

    Call it before these packages are imported.

    Parameters
    ----------
    *packages : str
        Installed packages that have functions compiled by numba.
    """
    from numba.core import config

    given = config.CACHE_DIR  # type: ignore[attr-defined]
    if can_be_written(_cache() / "numba") or (given and can_be_written(Path(given))):
        return
    origins = [spec.origin for package in packages if (spec := find_spec(package)) and spec.origin]
    if not all(can_be_written(Path(origin).parent / "__pycache__") for origin in origins):
        folder = _temporary("audios-numba-")
        config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"] = folder  # type: ignore[attr-defined]


def can_be_written(folder: Path) -> bool:
    """Return whether files can be written to a folder, or to the nearest existing folder above it.

    >>> can_be_written(Path(tempfile.gettempdir()) / "not" / "there"), can_be_written(Path(os.devnull) / "cache")
    (True, False)
    """
    try:
        there = next(path for path in (folder, *folder.parents) if path.exists())
        with tempfile.TemporaryFile(dir=there):
            return True
    except (OSError, StopIteration):
        return False


def _cache() -> Path:
    return _base("XDG_CACHE_HOME", "Library/Caches" if sys.platform == "darwin" else ".cache")


def _base(variable: str, below_home: str) -> Path:
    return Path(os.environ.get(variable) or _home() / below_home)


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # the user has no home folder
        return Path(os.devnull)


def _temporary(prefix: str) -> str:
    folder = tempfile.mkdtemp(prefix=prefix)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
