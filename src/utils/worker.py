"""A process that calls functions for this one, one after another, and can be ended at once.

Where it is safe, the process is forked off this one: it has at once what this one has imported, and shares the memory
of what it has read. A fork copies one thread alone. Threads that OpenMP (PyTorch, scikit-learn), CUDA or another
library keeps for its computations would be missing, and the first computation in the new process would wait for them
for ever. So this process is forked only on Linux, where its threads can be counted, and only while it has none but
Python's own and those of OpenBLAS, which ends them at a fork and starts others when it is used again; nor does CUDA
survive a fork. Elsewhere a new interpreter is started by loky, which imports everything anew: a few seconds.
"""

import multiprocessing
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakSet

import threadpoolctl

from src.utils.parallel import serve
from src.utils.threads import limit_this_thread

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
"""Variables from which libraries take their number of threads when they are loaded."""
NATIVE_THREADS = Path("/proc/self/task")
_has_forked = threading.Event()
_ends_here: "WeakSet[Connection]" = WeakSet()
"""This process's ends of the pipes to its forks, which a further fork closes: each fork sees when its own one ends."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_parent=_has_forked.set)  # OpenBLAS has ended its threads, and may start them again


class Worker(Protocol):
    """A process that calls functions, one after another."""

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function there and wait for what it returns or raises.

        Parameters
        ----------
        function : callable
            Defined at the top of a module.
        *arguments
            They are pickled, as is what the function returns.

        Raises
        ------
        BrokenProcessPool
            When the process dies, or is ended.
        """

    def end(self) -> None:
        """End the process, whatever it is doing."""


def start_worker(n_threads: int) -> Worker:
    """Start a process, which leaves Ctrl-C to this one and ends with it.

    Parameters
    ----------
    n_threads : int
        How many threads it computes with.

    >>> worker = start_worker(1)
    >>> worker.call(len, "abc")
    3
    >>> worker.end()
    """
    return ForkedWorker(n_threads) if can_fork() else NewWorker(n_threads)


def can_fork() -> bool:
    """Tell whether a fork of this process would find all that its libraries need.

    >>> can_fork() in (True, False)
    True
    """
    if sys.platform != "linux" or not NATIVE_THREADS.is_dir():
        return False
    if threading.current_thread() is not threading.main_thread():
        return False  # the main thread may hold locks at any moment, which nobody would release in the new process
    if "torch" in sys.modules and sys.modules["torch"].cuda.is_available():
        return False
    pools = [library for library in threadpoolctl.threadpool_info() if library["internal_api"] == "openblas"]
    of_blas = sum(library["num_threads"] - 1 for library in pools if library.get("threading_layer") == "pthreads")
    known = threading.active_count() + (0 if _has_forked.is_set() else of_blas)
    return len(list(NATIVE_THREADS.iterdir())) <= known


class ForkedWorker:
    """A process forked off this one.

    >>> worker = ForkedWorker(1)
    >>> worker.call(sorted, "cab")
    ['a', 'b', 'c']
    >>> worker.end()
    """

    def __init__(self, n_threads: int) -> None:
        forking = multiprocessing.get_context("fork")
        self._pipe, theirs = forking.Pipe()
        _ends_here.add(self._pipe)
        self._process = forking.Process(target=_answer, args=(theirs, os.getpid(), n_threads), daemon=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12, wherever there are threads
            self._process.start()
        theirs.close()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function there; see `Worker`."""
        call = ForkingPickler.dumps((function, arguments))
        try:
            self._pipe.send_bytes(call)
            received = self._pipe.recv_bytes()
        except (EOFError, OSError):
            raise BrokenProcessPool("A worker process died.") from None
        succeeded, answer = ForkingPickler.loads(received)
        if succeeded:
            return answer
        raise answer

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.join()


class NewWorker:
    """A new interpreter, started by loky."""

    def __init__(self, n_threads: int) -> None:
        import loky

        self._process = loky.ProcessPoolExecutor(
            max_workers=1,
            # loky would mistake what a worker keeps for its next call for a leak, and replace it.
            env={**dict.fromkeys(THREADS, str(n_threads)), "LOKY_MAX_MEMORY_LEAK_SIZE": "1e15"},
            initializer=serve,
            initargs=(os.getpid(),),
        )

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function there; see `Worker`."""
        from loky.process_executor import ShutdownExecutorError

        try:
            return self._process.submit(function, *arguments).result()
        except ShutdownExecutorError as ended:
            raise BrokenProcessPool(str(ended)) from None

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self._process.shutdown(wait=False, kill_workers=True)


def _answer(pipe: Connection, parent: int, n_threads: int) -> None:
    """Call what arrives until the parent closes its end, or ends."""
    for end in list(_ends_here):
        end.close()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    serve(parent)
    os.environ.update(dict.fromkeys(THREADS, str(n_threads)))  # of libraries that are loaded from now on
    threadpoolctl.threadpool_limits(n_threads)
    limit_this_thread(n_threads)
    while True:
        try:
            call = pipe.recv_bytes()
        except EOFError:
            return
        pipe.send_bytes(_outcome(call))


def _outcome(call: bytes) -> memoryview:
    """Return, pickled, whether a pickled call succeeded, and what it returned or raised."""
    try:
        function, arguments = ForkingPickler.loads(call)
        return ForkingPickler.dumps((True, function(*arguments)))
    except Exception as error:
        error.add_note(f"In a worker process:\n{traceback.format_exc()}")
        return _pickled(error)


def _pickled(error: Exception) -> memoryview:
    """Return an error as the outcome of a call; what cannot be pickled and read again keeps its kind in words."""
    try:
        outcome = ForkingPickler.dumps((False, error))
        ForkingPickler.loads(outcome)
    except Exception:
        outcome = ForkingPickler.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
    return outcome
