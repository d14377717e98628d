"""What all tasks share: the help of their flags, the conversion of what is typed, errors of one line.

Fabric itself would convert what is typed for `seed: int = 7`, and end in a traceback when it is not a number. So every
flag is declared to Fabric as text and converted here by the function's annotation: int, float, str, Path (relative to
the current folder), any of them `| None`; bool is a switch. A task with many flags takes them as one record, a frozen
dataclass whose fields are the flags. A task that fails ends with one line on the error stream (`errors.py` writes it);
`fab -d TASK` shows where it happened.
"""

import functools
import inspect
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType
from typing import Any, get_args

from fabric import task
from invoke.exceptions import Exit

from src.backbones import BACKBONES
from src.detectors import DETECTORS
from src.models import CLASSIFIERS
from src.tasks.errors import INTERNAL, ending, with_flags
from src.tasks.words import listed
from src.utils.paths import absolute
from src.utils.peers import Peers, speaks
from src.utils.processes import check_launcher, is_first, n_processes

STOPPED = 130  # the exit code that shells give after Ctrl-C
GREATEST_SEED = 2**32 - 1
"""The largest seed that every library with a random generator accepts."""
ENGINE_FLAGS = {
    "engine": "local (default: this machine), slurm or ray: what the work is carried out by (docs/engines.md)",
    "workers": "calls of an engine at the same time; 0 = ray: one for each GPU or node (default); slurm needs a number",
    "address": "with --engine=ray: auto (default), host:port or ray://host:port",
    "partition": "with --engine=slurm: the partition (default: that of the cluster)",
    "time_limit": "with --engine=slurm: minutes of a job; one that is cut short goes on (default 60)",
}
FLAGS = {
    "dataset": "folder of the corpus (default datasets/release)",
    "seed": "whole number, 0 to 4294967295, from which all randomness follows (default 7)",
    "jobs": "processes; 0 = all cores (default)",
    "backbone": listed(BACKBONES),
    "classifier": listed(CLASSIFIERS),
    "detector": listed(DETECTORS),
    "layer": "hidden layer: 0 enters the first transformer layer, -1 is the last (default)",
    "pooling": "mean, std or mean+std",
    "model": "hub id, local folder made by save_pretrained, or random:base, random:large (default: the backbone's own)",
    "splits": "splits, separated by commas (default: the three downstream splits)",
    "split": "one of pretext_train, pretext_val, downstream_train, downstream_val, downstream_test, or all clips: all",
    "device": "auto (default: a CUDA GPU where there is one), cpu, cuda or cuda:1",
    "precision": "auto (default: bf16 where the hardware supports it), fp32, tf32 or bf16",
    "layers": "hidden layers to keep, such as 0-6 or 0,3,6; higher ones are not computed (default: all)",
    "batch_seconds": "seconds of audio in a batch, padding included; 0 = automatic (default)",
    "max_seconds": "longer clips are cut into windows and pooled over all of them (default 30)",
    "shard": "which part of the clips to compute, from 0 (default 0)",
    "num_shards": "parts among which processes or machines share the clips (default 1)",
    **ENGINE_FLAGS,
    "window": "own = whisper computes each clip in a window of its own length: faster, other numbers (default: 30 s)",
    "color_by": "label (default), gender, speaker or system",
    "max_points": "most clips to draw; of more, a random choice (default 5000)",
    "trials": "trials in total, including those of earlier starts; 0 = as many as suit the classifier (default)",
    "study_number": "number of the study; -1 = none (default)",
    "hold_out": "judge by what was left out, in turn: system, corpus or system,corpus (default: validation in domain)",
    "reject": "error rate among the decisions that is promised; clips it takes are left uncertain (default 0.05)",
    "output": "folder of the new corpus (default: beside the dataset, named after the step)",
}
"""Help of the flags for all tasks; a task may replace it by its own."""
TASKS_OF_SEVERAL = ("TrainDetector", "FineTune", "PretrainBackbone")
"""Tasks that a launcher may start in several processes, each of which runs the task."""
KNOWN_FLAGS = set(FLAGS)
"""The flags of all tasks, with underscores: errors name them so, users type them with dashes."""
TAKES: dict[str, dict[str, Any]] = {}
"""Task -> its flags, with the types that they are converted to."""


def command(name: str, **help_texts: str) -> Callable[[Callable[..., None]], Any]:
    """Make a function a Fabric task called `name`, with every flag explained and every error in one line.

    Parameters
    ----------
    name : str
        As users type it.
    **help_texts : str
        Help of the flags that FLAGS lacks, or words otherwise.
    """

    def make_task(written: Callable[..., None]) -> Any:
        function = _one_by_one(written)
        signature = inspect.signature(function)
        flags = {flag: about for flag, about in signature.parameters.items() if flag != "c"}
        texts = {flag: help_texts.get(flag) or FLAGS[flag] for flag in flags}
        KNOWN_FLAGS.update(flags)
        TAKES[name] = {flag: about.annotation for flag, about in flags.items()}

        @functools.wraps(function)
        def in_one_line(c: Any, **typed: Any) -> None:
            with _ending_in_one_line(name):
                given = {flag: _as_typed(flag, text, flags[flag].annotation) for flag, text in typed.items()}
                _check_seed(given.get("seed"))
                with warnings.catch_warnings():
                    warnings.showwarning = lambda message, *_, **__: print(_note(message))
                    with nullcontext() if is_first() else redirect_stdout(None):
                        function(c, **given)

        in_one_line.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[_as_text(about) for about in signature.parameters.values()]
        )
        return task(name=name, help=texts, auto_shortflags=False)(in_one_line)

    return make_task


def fixed(written: Callable[..., None], **values: Any) -> Callable[..., None]:
    """Return a task's function with some flags fixed to values; it no longer takes these flags."""
    function = _one_by_one(written)

    def filled(c: Any, **given: Any) -> None:
        function(c, **given, **values)

    signature = inspect.signature(function)
    left = [about for flag, about in signature.parameters.items() if flag not in values]
    filled.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
    named = " ".join(f"--{flag}={value}" for flag, value in values.items())
    filled.__doc__ = f"{str(function.__doc__).rstrip('.')} ({named})."
    return filled


@contextmanager
def _ending_in_one_line(name: str) -> Iterator[None]:
    """Let a task that fails end with one line; of several processes, whichever of them fails, all with the same."""
    peers = None
    try:
        if n_processes() > 1 and name not in TASKS_OF_SEVERAL:
            raise ValueError(f"This task is one process: start it without a launcher of {n_processes()}.")
        if n_processes() > 1:
            check_launcher()
            peers = Peers(name, _tell_at_once)
        yield
        if peers:
            peers.leave()
        return
    except Exit as exit_now:
        line, code = str(exit_now.message or ""), exit_now.code
    except Exception as error:
        logging.getLogger("audios").debug("%s", error, exc_info=True)
        line, code = ending(name, error, KNOWN_FLAGS)
    except KeyboardInterrupt as stop:
        line, code = f"{name}: {str(stop) or 'stopped; run the same command again to resume.'}", STOPPED
    speaking = peers.ended(line, code, expected=code != INTERNAL) if peers else speaks()
    raise Exit(line if speaking else "", code=code)


def _tell_at_once(line: str) -> None:
    """Say a line in a process that is about to end."""
    if sys.stdout:  # which all but the first process keep shut
        sys.stdout.flush()
    print(line, file=sys.stderr, flush=True)


def _one_by_one(function: Callable[..., None]) -> Callable[..., None]:
    """Return a task's function that takes the fields of its record of flags one by one."""
    context, *others = inspect.signature(function).parameters.values()
    if len(others) != 1 or not is_dataclass(record := others[0].annotation):
        return function

    @functools.wraps(function)
    def called(c: Any, **given: Any) -> None:
        function(c, record(**given))  # type: ignore[operator]

    flags = [
        inspect.Parameter(
            field.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=field.default, annotation=field.type
        )
        for field in fields(record)
    ]
    called.__signature__ = inspect.Signature([context, *flags])  # type: ignore[attr-defined]
    return called


def _as_text(flag: inspect.Parameter) -> inspect.Parameter:
    """Declare a flag to Fabric as text; switches stay switches."""
    if flag.default is inspect.Parameter.empty or isinstance(flag.default, bool):
        return flag
    return flag.replace(default="" if flag.default is None else str(flag.default))


def _check_seed(seed: int | None) -> None:
    if seed is not None and not 0 <= seed <= GREATEST_SEED:
        raise ValueError(f"`seed` must lie in 0 to {GREATEST_SEED}, not {seed}.")


def _note(message: Warning | str) -> str:
    return f"Note: {with_flags(str(message), KNOWN_FLAGS)}"


def _as_typed(name: str, typed: str, wanted: Any) -> Any:
    """Convert what was typed for a flag to its annotated type; nothing typed gives None where None is allowed."""
    kinds = [kind for kind in (get_args(wanted) or (wanted,)) if kind is not NoneType]
    if not typed and len(kinds) < len(get_args(wanted)):
        return None
    with suppress(ValueError, OverflowError, RuntimeError):  # RuntimeError: ~user without a home folder
        if kinds != [Path]:
            return kinds[0](typed)
        if typed:
            return absolute(typed)
    allowed = {int: "a whole number", float: "a number", Path: "a path"}[kinds[0]]
    raise ValueError(f"`{name}` must be {allowed}, not '{typed}'.")
