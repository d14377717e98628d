"""Several batches at the same time on a CPU, each by one thread, which shares the model's weights with the others.

Threads that share a batch meet after every product, thousands of times a second, and all wait for the last of them.
Threads that have a batch each never meet: nothing is waited for on a quiet machine, and beside other programs every
thread gets its fair share of a core, where threads that wait for each other would spin. A clip's numbers do not depend
on how many cores there are, either, as long as there is memory for a batch of each.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from queue import SimpleQueue

import numpy as np

from src.backbones.contract import Backbone, Statistics
from src.experiments.extraction.computer import Computer
from src.utils.threads import count_threads, limit_this_thread, limited_threads


class Lanes:
    """Computes batches side by side, as many as a backbone has twins; of one without any, in this thread.

    Parameters
    ----------
    backbone : Backbone
    seconds : float
        Sound of the largest batch, padding included.
    """

    def __init__(self, backbone: Backbone, seconds: float) -> None:
        n_threads = count_threads()
        twins = backbone.twins(n_threads, seconds) if hasattr(backbone, "twins") else [backbone]
        self.count = len(twins)
        self._threads_each = max(1, n_threads // self.count)
        self._idle: SimpleQueue[Computer] = SimpleQueue()
        for twin in twins:
            self._idle.put(Computer(twin))
        self._pool: ThreadPoolExecutor | None = None
        self._opened = ExitStack()

    def __enter__(self) -> "Lanes":
        if self.count > 1:
            self._opened.enter_context(limited_threads(self._threads_each))
            self._pool = ThreadPoolExecutor(self.count, initializer=limit_this_thread, initargs=(self._threads_each,))
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
        self._opened.close()

    def begin(self, waveforms: Sequence[np.ndarray]) -> Callable[[], Statistics]:
        """Start computing the statistics of b waveforms; the function returned waits for them.

        Raises
        ------
        ValueError
            When a single waveform does not fit into memory; of several lanes, the function returned raises it.
        """
        return self._pool.submit(lambda: self._begin(waveforms)()).result if self._pool else self._begin(waveforms)

    def _begin(self, waveforms: Sequence[np.ndarray]) -> Callable[[], Statistics]:
        """Start computing by a computer that is idle; on a CPU, all is done when this returns."""
        computer = self._idle.get()
        try:
            return computer.begin(waveforms)
        finally:
            self._idle.put(computer)
