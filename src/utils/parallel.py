"""Worker processes: apply one function to many clips on every core, in order, and report when a worker dies.

The workers are joblib's, which notice when one of them dies and do not run the main program again when they start.
"""

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")
R = TypeVar("R")


def map_clips(function: Callable[[T], R], items: Sequence[T], *, jobs: int = 0, description: str = "") -> list[R]:
    """Apply `function` to every item.

    Parameters
    ----------
    function : callable
        Defined at the top of a module, so that worker processes can import it.
    items : sequence
    jobs : int
        Number of processes; 0 = one per core, 1 = this process only.
    description : str
        Label of the progress bar, which is shown only on a terminal.

    Returns
    -------
    list
        Results in the order of the items.

    Raises
    ------
    ChildProcessError
        When a worker dies.
    ValueError
        When `jobs` is negative.

    >>> map_clips(len, ["a", "bb"], jobs=1)
    [1, 2]
    """
    if jobs < 0:
        raise ValueError(f"`jobs` must be 0 (all cores) or more, not {jobs}.")
    results: Any = map(function, items)
    if jobs != 1 and len(items) > 1:
        from joblib import Parallel, delayed

        workers = Parallel(n_jobs=jobs or -1, return_as="generator", batch_size="auto")
        results = workers(delayed(function)(item) for item in items)
    try:
        return list(tqdm(results, total=len(items), desc=description, unit="clip", disable=None))
    except BrokenProcessPool as death:
        raise ChildProcessError(
            f"A worker process died ({signal_of(death)}), possibly out of memory: run the same command again."
        ) from None


def signal_of(death: BrokenProcessPool) -> str:
    """Return the name of the signal that ended a worker, which loky puts into its message as `{SIGSEGV(-11)}`.

    >>> signal_of(BrokenProcessPool("The exit codes of the workers are {SIGKILL(-9)}"))
    'SIGKILL'
    """
    found = re.search("SIG[A-Z]+", str(death))
    return found[0] if found else "no signal reported"


def serve(parent: int) -> None:
    """Leave Ctrl-C to the parent process, and end when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(parent)


def end_with(parent: int) -> None:
    """Make this process end soon after its parent, even if the parent is killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
