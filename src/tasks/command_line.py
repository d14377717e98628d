"""What all tasks share: the words for their flags, what is typed turned into values, errors of one line.

Fabric would turn what is typed for `seed: int = 7` into a number itself, and end in a traceback when it is none. So it
is told that every flag is text, and the function's annotations decide: int, float, str, Path (taken from where the user
stands), any of them `| None`; bool is a switch. A task of many flags takes them as one record, a frozen dataclass whose
fields are the flags. A task that cannot do its work ends with one line on the error stream
(`errors.py` writes it); `fab -d TASK` shows where it happened.
"""

import functools
import inspect
import logging
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType
from typing import Any, get_args

from fabric import task
from invoke.exceptions import Exit

from src.backbones import BACKBONES
from src.models import CLASSIFIERS
from src.tasks.errors import ending, with_flags
from src.tasks.words import listed
from src.utils.paths import absolute

STOPPED = 130  # as shells say it of Ctrl-C
GREATEST_SEED = 2**32 - 1
"""What every library that draws numbers takes."""
FLAGS = {
    "dataset": "folder of the corpus (default datasets/release)",
    "seed": "whole number, 0 to 4294967295, from which all randomness follows (default 7)",
    "jobs": "processes; 0 = all cores (default)",
    "backbone": listed(BACKBONES),
    "classifier": listed(CLASSIFIERS),
    "layer": "hidden layer: 0 enters the first transformer layer, -1 is the last (default)",
    "pooling": "mean, std or mean+std",
    "model": "hub id, or local folder made by save_pretrained (default: the backbone's own)",
    "splits": "splits, separated by commas (default: the three downstream splits)",
    "split": "one of pretext_train, pretext_val, downstream_train, downstream_val, downstream_test",
    "device": "auto (default: a CUDA GPU where there is one), cpu, cuda or cuda:1",
    "precision": "auto (default: bf16 where the hardware computes in it), fp32, tf32 or bf16",
    "layers": "hidden layers to keep, such as 0-6 or 0,3,6; none above is computed (default: all)",
    "batch_seconds": "seconds of audio in a batch, padding included; 0 = automatic (default)",
    "max_seconds": "longer clips go through in windows, pooled together (default 30)",
    "shard": "which part of the clips to do, from 0 (default 0)",
    "num_shards": "parts among which processes or machines share the clips (default 1)",
    "color_by": "label (default), gender, speaker or system",
    "max_points": "of more clips than this, so many are drawn at random (default 5000)",
    "trials": "trials in all, those of earlier starts included; 0 = as many as suit the classifier (default)",
    "study_number": "number of the study; -1 = none (default)",
    "output": "folder of the new corpus (default: beside the dataset, named after the step)",
}
"""What a flag means wherever it occurs; a task may say it in its own words."""
KNOWN_FLAGS = set(FLAGS)
"""The flags of all tasks that were made, with underscores: errors name parameters, and these are typed with dashes."""


def command(name: str, **help_texts: str) -> Callable[[Callable[..., None]], Any]:
    """Make a function a Fabric task called `name`, with every flag explained and every error in one line.

    Parameters
    ----------
    name : str
        As users type it.
    **help_texts : str
        What flags mean, where FLAGS does not say it.
    """

    def make_task(written: Callable[..., None]) -> Any:
        function = _one_by_one(written)
        signature = inspect.signature(function)
        flags = {flag: about for flag, about in signature.parameters.items() if flag != "c"}
        texts = {flag: help_texts.get(flag) or FLAGS[flag] for flag in flags}
        KNOWN_FLAGS.update(flags)

        @functools.wraps(function)
        def in_one_line(c: Any, **typed: Any) -> None:
            try:
                given = {flag: _as_typed(flag, text, flags[flag].annotation) for flag, text in typed.items()}
                _check_seed(given.get("seed"))
                with warnings.catch_warnings():
                    warnings.showwarning = lambda message, *_, **__: print(_note(message))
                    function(c, **given)
            except Exit:
                raise
            except Exception as error:
                logging.getLogger("audios").debug("%s", error, exc_info=True)
                line, code = ending(name, error, KNOWN_FLAGS)
                raise Exit(line, code=code) from None
            except KeyboardInterrupt as stop:
                how = str(stop) or "stopped; run the same command again to resume."
                raise Exit(f"{name}: {how}", code=STOPPED) from None

        in_one_line.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[_as_text(about) for about in signature.parameters.values()]
        )
        return task(name=name, help=texts, auto_shortflags=False)(in_one_line)

    return make_task


def fixed(written: Callable[..., None], **values: Any) -> Callable[..., None]:
    """Return a task's function with some of its flags filled in, which are no flags any more."""
    function = _one_by_one(written)

    def filled(c: Any, **given: Any) -> None:
        function(c, **given, **values)

    signature = inspect.signature(function)
    left = [about for flag, about in signature.parameters.items() if flag not in values]
    filled.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
    named = " ".join(f"--{flag}={value}" for flag, value in values.items())
    filled.__doc__ = f"{str(function.__doc__).rstrip('.')} ({named})."
    return filled


def _one_by_one(function: Callable[..., None]) -> Callable[..., None]:
    """Let a task's function that takes a record of flags be called with the flags themselves."""
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
    """Let Fabric read a flag as text, whatever it stands for; switches stay switches."""
    if flag.default is inspect.Parameter.empty or isinstance(flag.default, bool):
        return flag
    return flag.replace(default="" if flag.default is None else str(flag.default))


def _check_seed(seed: int | None) -> None:
    if seed is not None and not 0 <= seed <= GREATEST_SEED:
        raise ValueError(f"`seed` must lie in 0 to {GREATEST_SEED}, not {seed}.")


def _note(message: Warning | str) -> str:
    return f"Note: {with_flags(str(message), KNOWN_FLAGS)}"


def _as_typed(name: str, typed: str, wanted: Any) -> Any:
    """Turn what was typed for a flag into what its annotation asks for; nothing typed stays nothing."""
    kinds = [kind for kind in (get_args(wanted) or (wanted,)) if kind is not NoneType]
    if not typed and len(kinds) < len(get_args(wanted)):
        return None
    with suppress(ValueError, OverflowError, RuntimeError):  # RuntimeError: ~somebody, who has no home here
        if kinds != [Path]:
            return kinds[0](typed)
        if typed:
            return absolute(typed)
    allowed = {int: "a whole number", float: "a number", Path: "a path"}[kinds[0]]
    raise ValueError(f"`{name}` must be {allowed}, not '{typed}'.")
