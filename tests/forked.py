"""Work in a process of its own, forked off this one: what it imports is there already, unlike in a new one.

It is a real process, which may be killed, and whose locks and files are its own; only its start costs no imports. What
a test needs of a new interpreter (a launcher, the environment read at an import) it starts as one.
"""

import multiprocessing
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

FORK = multiprocessing.get_context("fork")
SECONDS = 300
"""After which a process that does not end is taken for one that hangs."""


def forked(
    work: Callable[..., object],
    *arguments: Any,
    output: Path | None = None,
    environment: dict[str, str] | None = None,
) -> BaseProcess:
    """Start a function in a process of its own.

    Parameters
    ----------
    work : callable
        What it changes of modules stays in its process. It may raise SystemExit.
    arguments : object
    output : Path, optional
        File for what it writes to its output and error streams.
    environment : dict, optional
        Variables that its process has in addition.
    """
    process = FORK.Process(target=_work, args=(work, arguments, output, environment or {}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12, where this process has threads
        process.start()
    return process


def finished(process: BaseProcess) -> int:
    """Wait for the end of a process; return its exit code, of a killed one the negative signal."""
    process.join(SECONDS)
    if process.exitcode is None:
        process.kill()
        raise AssertionError("the process hangs")
    return process.exitcode


def kill(process: BaseProcess) -> None:
    """Kill a process by SIGKILL."""
    process.kill()
    assert finished(process) == -signal.SIGKILL


def _work(
    work: Callable[..., object], arguments: tuple[Any, ...], output: Path | None, environment: dict[str, str]
) -> None:
    os.environ.update(environment)
    if output:
        with output.open("ab") as file:
            for stream in (1, 2):
                os.dup2(file.fileno(), stream)
        sys.stdout, sys.stderr = (os.fdopen(stream, "w", 1, closefd=False) for stream in (1, 2))
    warnings.resetwarnings()
    warnings.simplefilter("ignore")
    try:
        work(*arguments)
    except Exception:
        traceback.print_exc()
        sys.exit(1)
