"""What every effect offers: a function, the ranges of its parameters, and what it needs.

A function takes (waveform (n,), rate, rng, **parameters) and returns a waveform. One that mixes in recordings also
takes `recordings`, a list of waveforms at the same rate; `draws` says of what kind they are and `how_many` how many.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np

from src.audio.augment.table import EFFECTS

Value = float | int | str
"""What a parameter may be: plain JSON."""
Kind = Literal["", "people", "noises", "rooms"]
"""Which recordings an effect mixes in: none, other people's speech, noise, or responses of rooms."""


@dataclass(frozen=True)
class Number:
    """A parameter that is a number from `low` to `high`."""

    default: float
    low: float
    high: float
    unit: str = ""
    whole: bool = False
    """Whether it is a whole number."""

    def fault(self, value: Any) -> str:
        """Return what a value should be, or "" where it is right.

        >>> Number(20, -20, 60, "dB").fault(90)
        'must lie between -20 and 60 dB'
        """
        numeric = isinstance(value, int if self.whole else int | float) and not isinstance(value, bool)
        if numeric and self.low <= value <= self.high:
            return ""
        kind = "be a whole number" if self.whole else "lie"
        return f"must {kind} between {self.low:g} and {self.high:g} {self.unit}".rstrip()


@dataclass(frozen=True)
class Choice:
    """A parameter that is one of a few words or numbers."""

    default: Value
    allowed: tuple[Value, ...]
    unit: str = ""

    def fault(self, value: Any) -> str:
        """Return what a value should be, or "" where it is right.

        >>> Choice("zeros", ("zeros", "repeat")).fault("noise")
        'must be one of: zeros, repeat'
        """
        return "" if value in self.allowed else f"must be one of: {', '.join(map(str, self.allowed))}"


@dataclass(frozen=True)
class Effect:
    """An effect: its function and what may be asked of it."""

    function: Callable[..., np.ndarray]
    imitates: str
    """What it imitates, in a few words."""
    parameters: Mapping[str, Number | Choice]
    strengths: tuple[Mapping[str, Value], ...]
    """Parameters from mild to severe, for tests and galleries; what they leave out has its default."""
    keeps_length: bool = True
    draws: Kind = ""
    how_many: str = ""
    """The parameter that says how many recordings it mixes in; "" = one."""
    package: str = ""
    """A module of the extra `augment` that it imports."""
    encoder: str = ""
    """An encoder of FFmpeg that it needs."""


def find_effect(name: str) -> Effect:
    """Return an effect by its name; ValueError lists those that there are.

    >>> find_effect("white").imitates
    'hiss of an amplifier'
    >>> find_effect("thunder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: Unknown effect 'thunder'; allowed: white, pink, ...
    """
    if name not in tuple(EFFECTS):  # a recipe may hold a list in its place, which no dict can look up
        raise ValueError(f"Unknown effect '{name}'; allowed: {', '.join(EFFECTS)}.")
    module, attribute = EFFECTS[name].split(":")
    found: Effect = getattr(importlib.import_module(module), attribute)
    return found


def check_parameters(name: str, parameters: Mapping[str, Any]) -> None:
    """Raise ValueError where an effect is unknown, or a parameter is unknown or out of its range.

    >>> check_parameters("white", {"snr": 90})
    Traceback (most recent call last):
    ValueError: `snr` of the effect 'white' must lie between -20 and 60 dB, not 90.
    """
    allowed = find_effect(name).parameters
    for parameter, value in parameters.items():
        if parameter not in allowed:
            raise ValueError(f"The effect '{name}' has no `{parameter}`; allowed: {', '.join(allowed) or 'nothing'}.")
        if fault := allowed[parameter].fault(value):
            raise ValueError(f"`{parameter}` of the effect '{name}' {fault}, not {value}.")


def check_machine(name: str) -> None:
    """Raise ValueError where this machine lacks a package or an encoder that an effect needs.

    >>> check_machine("white")
    """
    effect = find_effect(name)
    if effect.package and find_spec(effect.package) is None:
        raise ValueError(
            f"The effect '{name}' needs the package {effect.package}, which is not installed: "
            "pip install -e '.[augment]'."
        )
    if effect.encoder:
        from src.audio.augment.coding import has_encoder

        if not has_encoder(effect.encoder):
            raise ValueError(
                f"The effect '{name}' needs FFmpeg's encoder {effect.encoder}, which this build of PyAV lacks."
            )
