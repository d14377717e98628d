"""Other processes: one function over many clips, on every core, in order; and what is said when a worker dies.

joblib's worker processes notice when one of them dies and start without running the main program again.
"""

import os
import re
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
        Processes; 0 = one for each core, 1 = this process alone.
    description : str
        Stands before the progress bar, which is shown on a terminal only.

    Returns
    -------
    list
        Results in the order of the items.

    Raises
    ------
    ChildProcessError
        When a process dies.

    >>> map_clips(len, ["a", "bb"], jobs=1)
    [1, 2]
    """
    if jobs < 0:
        raise ValueError(f"--jobs must be 0 (all cores) or more, not {jobs}.")
    results: Any = map(function, items)
    if jobs != 1 and len(items) > 1:
        from joblib import Parallel, delayed

        workers = Parallel(n_jobs=jobs or -1, return_as="generator", batch_size="auto")
        results = workers(delayed(function)(item) for item in items)
    try:
        return list(tqdm(results, total=len(items), desc=description, unit="clip", disable=None))
    except BrokenProcessPool as death:
        raise ChildProcessError(
            f"A working process died ({signal_of(death)}), perhaps for want of memory: run the same command again."
        ) from None


def signal_of(death: BrokenProcessPool) -> str:
    """Return the name of the signal that ended a worker, which loky puts into its message as `{SIGSEGV(-11)}`.

    >>> signal_of(BrokenProcessPool("The exit codes of the workers are {SIGKILL(-9)}"))
    'SIGKILL'
    """
    found = re.search("SIG[A-Z]+", str(death))
    return found[0] if found else "it left without a word"


def end_with(parent: int) -> None:
    """Have this process end soon after its parent, which may be killed without a word."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
