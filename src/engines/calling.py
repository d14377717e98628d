"""How a call travels, and how its answer comes back.

What other machines are sent is one function that imports nothing of ours until it has made sure that it can: so a
machine without the project's folder says so, and which machine it is, in place of an error from the depths of an
engine. It is nested in another function because such functions are sent whole, and those of modules by their names.
Errors come back as values; the driver raises them again, with the frames of the other machine as their cause.
"""

import os
from collections.abc import Callable
from typing import Any

from src.engines.contract import ROOT, Call

Answer = tuple[bool, Any, str]
"""Whether it is a result; the result or the error; the frames of the error as text."""
HANDED_ON = ("HF_", "TRANSFORMERS_")
"""Beginnings of the names of environment variables that say where models are kept; tokens are never written down."""


class RemoteTraceback(Exception):  # noqa: N818 (tasks know it by this name)
    """The frames of an error on another machine; tasks tell bad input from bugs by them."""


def carrier() -> Callable[..., Answer]:
    """Return the function that makes a call on another machine, from what `packed` returns."""

    def carry_out(root: str, module: str, name: str, arguments: Any, environment: Any) -> Any:
        import importlib
        import os
        import socket
        import sys
        import traceback
        from pathlib import Path

        os.environ.update(environment)
        if not Path(root, "src").is_dir():
            lacks = f"The machine {socket.gethostname()} has no folder {root}: all machines need the project there."
            return False, FileNotFoundError(lacks), ""
        if root not in sys.path:
            sys.path.insert(0, root)
        try:
            return True, getattr(importlib.import_module(module), name)(*arguments), ""
        except Exception as error:
            told = error
            if type(error).__module__ != "builtins":  # it may not be there where it is raised again
                kinds = [kind for kind in (ValueError, OSError) if isinstance(error, kind)]  # what bad input raises
                told = kinds[0](str(error)) if kinds else RuntimeError(f"{type(error).__name__}: {error}")
            return False, told, traceback.format_exc()

    return carry_out


def packed(call: Call, cpus: int) -> tuple[Any, ...]:
    """Return the arguments of `carrier`'s function for a call that may use so many CPUs."""
    kept = [name for name in os.environ if name.startswith(HANDED_ON) and "TOKEN" not in name]
    environment = {name: os.environ[name] for name in kept} | {
        "LOKY_MAX_CPU_COUNT": str(cpus),
        "OMP_NUM_THREADS": str(cpus),
    }
    return str(ROOT), call.function.__module__, call.function.__qualname__, call.arguments, environment


def result_of(answer: Answer) -> Any:
    """Return the result of a call, or raise its error."""
    is_result, value, frames = answer
    if is_result:
        return value
    raise value from RemoteTraceback(frames)
