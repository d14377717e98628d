"""Long recordings that cannot seek, read in one pass: M4A, AAC, the sound of videos, GSM.

Each window of such a recording costs all that lies before it: k windows by several processes would cost what k^2 / 2
windows are long. So one process reads all of them, one after another, and keeps what it has decoded in between.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

import loky
import numpy as np

from src.audio.io import Stretches

B = TypeVar("B")
S = TypeVar("S")


class OneReader(Generic[B, S]):
    """A process that is started with the first batch and reads batches in the order in which they are submitted.

    Parameters
    ----------
    read : callable
        Reads a batch.
    settings : mapping of str to Any
        Of the process, as loky takes them.
    """

    def __init__(self, read: Callable[[B], S], settings: Mapping[str, Any]) -> None:
        self._read, self._settings = read, settings
        self._process: Any = None

    def submit(self, batch: B) -> "Future[S]":
        """Read a batch after those that were submitted before."""
        if self._process is None:
            self._process = loky.ProcessPoolExecutor(max_workers=1, timeout=120, **self._settings)
        found: Future[S] = self._process.submit(self._read, batch)
        return found

    def close(self) -> None:
        """Let the process end; the next batch starts another."""
        if self._process is not None:
            self._process.shutdown(wait=False)
            self._process = None


def kept_stretch(path: Path, start: int, stop: int, rate: int) -> np.ndarray:
    """Return what `load_stretch` returns; the recording stays open for the stretch that comes next."""
    return _stretches(path, rate).read(start, stop)


@lru_cache(maxsize=1)
def _stretches(path: Path, rate: int) -> Stretches:
    return Stretches(path, rate)
