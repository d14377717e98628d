"""Where libraries of pictures keep what they make for later, on machines where they find no place for it.

matplotlib lists the fonts, and numba, which UMAP is made with, keeps compiled code: beside the packages, or below the
home folder. In a container, on a cluster or for a service neither can be written. numba then refuses to work at all,
and matplotlib complains. A temporary folder of this process does as well; it is removed at the end.
"""

import atexit
import os
import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path


def give_matplotlib_a_place() -> None:
    """Set MPLCONFIGDIR to a temporary folder where matplotlib has none to write to; before it is first imported."""
    if "MPLCONFIGDIR" in os.environ or "matplotlib" in sys.modules:
        return
    if not all(can_be_written(folder) for folder in (_base("XDG_CONFIG_HOME", ".config"), _cache())):
        os.environ["MPLCONFIGDIR"] = _temporary("audios-matplotlib-")


def give_numba_a_place(*packages: str) -> None:
    """Set the cache folder of numba to a temporary one where the functions of `packages` have no place to be kept."""
    from numba.core import config

    given = config.CACHE_DIR  # type: ignore[attr-defined]
    if can_be_written(_cache() / "numba") or (given and can_be_written(Path(given))):
        return
    origins = [spec.origin for package in packages if (spec := find_spec(package)) and spec.origin]
    if not all(can_be_written(Path(origin).parent / "__pycache__") for origin in origins):
        folder = _temporary("audios-numba-")
        config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"] = folder  # type: ignore[attr-defined]


def can_be_written(folder: Path) -> bool:
    """Tell whether files can be written to a folder, or to the nearest folder above it that is there.

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
    except RuntimeError:  # a user without an entry anywhere
        return Path(os.devnull)


def _temporary(prefix: str) -> str:
    folder = tempfile.mkdtemp(prefix=prefix)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
