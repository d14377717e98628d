"""The number of threads that compute: sums over another number of threads differ in their last digits."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import threadpoolctl


def count_threads() -> int:
    """Return how many threads matrix products use in this process.

    >>> count_threads() >= 1
    True
    """
    if "torch" in sys.modules:
        return int(sys.modules["torch"].get_num_threads())
    counts = [library["num_threads"] for library in threadpoolctl.threadpool_info()]
    return max(counts, default=int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1))


@contextmanager
def limited_threads(n_threads: int) -> Iterator[None]:
    """Let matrix products inside the block use at most `n_threads` threads.

    >>> with limited_threads(1):
    ...     count_threads()
    1
    """
    before = count_threads()
    limit_this_thread(n_threads)
    try:
        with threadpoolctl.threadpool_limits(n_threads):
            yield
    finally:
        limit_this_thread(before)


def limit_this_thread(n_threads: int) -> None:
    """Let torch, where it is imported, use at most `n_threads` threads for what this thread computes."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(n_threads)
