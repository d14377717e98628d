"""One function over many clips, on every core, in order, behind a progress bar.

joblib's worker processes notice when one of them dies and start without running the main program again.
"""

import re
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
        found = re.search("SIG[A-Z]+", str(death))
        raise ChildProcessError(
            f"A working process died ({found[0] if found else 'it left without a word'}), perhaps for want of memory: "
            "run the same command again."
        ) from None
