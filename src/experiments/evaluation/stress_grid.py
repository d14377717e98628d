"""The distortions of a stress test: every effect that we have, at the strengths that it names, from mild to severe.

Each effect's own file says what it imitates and at which strengths (`src/audio/augment/`, `Effect.strengths`);
docs/augmentation.md lists all of them. Left out are effects that mix in recordings that were not given, and those that
this machine lacks an encoder or a package for; that is told.
"""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from src.audio.augment import EFFECTS
from src.audio.augment.contract import Effect, Value, check_machine, find_effect
from src.audio.augment.sources import Sources
from src.audio.augment.steps import Step, make_step


@dataclass(frozen=True)
class Distortion:
    """An effect at one strength."""

    effect: str
    parameters: Mapping[str, Value]
    """Those that the strength names; the others have their defaults."""
    strength: str
    """In words, such as "20 dB"."""

    @property
    def file(self) -> str:
        """The name of the table of its scores, which holds all that decides the distortion."""
        named = "-".join(f"{name}={value}" for name, value in self.parameters.items())
        return re.sub(r"[^\w.=+-]+", "_", f"{self.effect}-{named}".rstrip("-")) + ".csv"

    def step(self, seed: int, sources: Sources) -> Step:
        """Return the step that distorts a clip; the seed decides its noise, whatever the strength."""
        effect, step = find_effect(self.effect), make_step(self.effect, seed, (), **self.parameters)
        if not effect.draws:
            return step
        count = int(step.parameters[effect.how_many]) if effect.how_many else 1
        return Step(step.effect, step.parameters, seed, sources.draw(effect.draws, count, np.random.default_rng(seed)))


def whole_grid() -> list[Distortion]:
    """Return all distortions, effect by effect, mild ones first."""
    return [
        Distortion(name, parameters, in_words(effect, parameters))
        for name, effect in ((name, find_effect(name)) for name in EFFECTS)
        for parameters in effect.strengths
    ]


def grid_of(effects: Sequence[str], sources: Sources) -> list[Distortion]:
    """Return the distortions of the effects named, or of all that can be had here.

    Parameters
    ----------
    effects : sequence of str
        They exist (`stress.StressWish`); none = all.
    sources : Sources
        What effects may mix in.

    Raises
    ------
    ValueError
        When one that is named cannot be had here.
    """
    grid = []
    for distortion in whole_grid():
        if effects and distortion.effect not in effects:
            continue
        if lack := _what_lacks(distortion, sources):
            if effects:
                raise ValueError(lack)
            warnings.warn(f"Left out {lack}", stacklevel=2)
        else:
            grid.append(distortion)
    return grid


def in_words(effect: Effect, parameters: Mapping[str, Value]) -> str:
    """Return a strength in words: the parameters that differ between an effect's strengths, or all where none does.

    >>> white = find_effect("white")
    >>> in_words(white, {"snr": 20})
    '20 dB'
    """
    differing = [name for name in parameters if len({repr(each.get(name)) for each in effect.strengths}) > 1]
    told = []
    for name in differing or parameters:
        value = parameters[name]
        written, unit = f"{value:g}" if isinstance(value, float) else str(value), effect.parameters[name].unit
        is_word = isinstance(value, str)
        told.append(f"{written} {unit}" if unit else written if is_word else f"{name.replace('_', ' ')} {written}")
    return ", ".join(told)


def _what_lacks(distortion: Distortion, sources: Sources) -> str:
    """Return why a distortion cannot be had here; empty where it can."""
    effect = find_effect(distortion.effect)
    try:
        check_machine(distortion.effect)
        if effect.draws:
            sources.names(effect.draws)
    except (ValueError, FileNotFoundError) as error:
        return f"{distortion.effect}: {error}"
    return ""
