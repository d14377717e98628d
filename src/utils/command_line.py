"""What all tasks share: the words for their flags, numbers that are checked, and errors of one line.

Fabric takes a flag's type from its default value, so `Count(7)` makes a flag that reads a whole number and says so when
it is given something else. A task that cannot do its work ends with one line on the error stream and exit code 2;
`fab -d TASK` shows where it happened.
"""

import errno
import functools
import inspect
import logging
import warnings
from collections.abc import Callable
from typing import Any

from fabric import task
from invoke.exceptions import Exit

BAD_INPUT = 2
FLAGS = {
    "dataset": "folder of the corpus (default datasets/release)",
    "seed": "whole number from which all randomness follows (default 7)",
    "jobs": "processes; 0 = all cores (default)",
    "backbone": "wav2vec2, hubert or lfcc",
    "classifier": "mlp, svm or rf",
    "layer": "hidden layer: 0 enters the first transformer layer, -1 is the last (default)",
    "pooling": "mean, std or mean+std",
    "model": "hub id, or local folder made by save_pretrained (default: the backbone's own)",
    "splits": "splits, separated by commas (default: the three downstream splits)",
    "split": "one of pretext_train, pretext_val, downstream_train, downstream_val, downstream_test",
    "device": "auto (default: a CUDA GPU where there is one), cpu, cuda or cuda:1",
    "precision": "auto (default: fp32), fp32 or bf16",
    "batch_seconds": "seconds of audio in memory at once; 0 = automatic (default)",
    "color_by": "label (default), gender, speaker or system",
    "max_points": "of more clips than this, so many are drawn by lot (default 5000)",
    "trials": "trials in all, those of earlier starts included; 0 = 100 for mlp, 30 for svm and rf (default)",
    "study_number": "number of the study; -1 = none (default)",
    "output": "folder of the new corpus (default: beside the dataset, named after the step)",
}
"""What a flag means wherever it occurs; a task may say it in its own words."""


class Count(int):
    """A flag that holds a whole number."""

    def __new__(cls, typed: object) -> "Count":
        """Read what was typed, or end the program with one line."""
        return _read(super().__new__, cls, typed, "a whole number")


class Number(float):
    """A flag that holds a number."""

    def __new__(cls, typed: object) -> "Number":
        """Read what was typed, or end the program with one line."""
        return _read(super().__new__, cls, typed, "a number")


def command(name: str, **help_texts: str) -> Callable[[Callable[..., None]], Any]:
    """Make a function a Fabric task called `name`, with every flag explained and every error in one line.

    Parameters
    ----------
    name : str
        As users type it.
    **help_texts : str
        What flags mean, where FLAGS does not say it.
    """

    def make_task(function: Callable[..., None]) -> Any:
        flags = list(inspect.signature(function).parameters)[1:]
        texts = {flag: help_texts.get(flag) or FLAGS[flag] for flag in flags}

        @functools.wraps(function)
        def in_one_line(*arguments: Any, **flags: Any) -> None:
            try:
                if flags.get("seed", 0) < 0:
                    raise ValueError(f"--seed must be 0 or more, not {flags['seed']}.")
                with warnings.catch_warnings():
                    warnings.showwarning = lambda message, *_, **__: print(f"Note: {message}")
                    function(*arguments, **flags)
            except (ValueError, OSError) as error:
                logging.getLogger("audios").debug("%s", error, exc_info=True)
                raise Exit(f"{name}: {one_line(error)}", code=BAD_INPUT) from None

        return task(name=name, help=texts)(in_one_line)

    return make_task


def one_line(error: Exception) -> str:
    """Say in one line what went wrong; what the system says is put into words.

    >>> one_line(OSError(errno.ENOSPC, "No space left on device", "a.csv"))
    'No space left on device: a.csv. Free some space and run the same command again; finished work is kept.'
    """
    if not isinstance(error, OSError) or error.strerror is None:
        return " ".join(str(error).split()) or type(error).__name__
    where = f": {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{error.strerror}{where}. Free some space and run the same command again; finished work is kept."
    return f"{error.strerror}{where}."


def _read(make: Callable[..., Any], cls: type, typed: object, wanted: str) -> Any:
    try:
        return make(cls, typed)
    except (ValueError, OverflowError):
        raise Exit(
            f"'{typed}' was given where {wanted} is expected; fab -h TASK explains each flag.", code=BAD_INPUT
        ) from None
