"""Recipes: what may happen to a clip, how often, and how strongly; each clip draws steps of its own from it.

A recipe is a list of entries, which are drawn one after another in the order in which sound meets them (voice, room,
noise, microphone, line, coding). An entry happens with its probability; where it happens, one of its options is drawn,
all being equally probable, and then a value for each parameter. As JSON:

    [{"probability": 0.5, "one_of": [
        {"effect": "white", "parameters": {"snr": {"from": 5, "to": 30}}},
        {"effect": "level", "parameters": {"dbfs": [-20, -26, -40]}}]}]

A parameter is a value, a list of values of which one is drawn, or a range from which it is drawn uniformly (whole
numbers where the effect wants whole numbers); what is left out has the effect's default.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from src.audio.augment.built_in import RECIPES
from src.audio.augment.contract import Choice, Number, Value, check_machine, check_parameters, find_effect
from src.audio.augment.sources import NO_SOURCES, Sources
from src.audio.augment.steps import Step, make_step

GREATEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Option:
    """An effect with what its parameters are drawn from."""

    effect: str
    parameters: Mapping[str, Any]

    def __post_init__(self) -> None:
        allowed = find_effect(self.effect).parameters
        for name, drawn_from in self.parameters.items():
            for value in _extremes(name, drawn_from):
                check_parameters(self.effect, {name: value})
            if isinstance(drawn_from, dict) and isinstance(allowed[name], Choice):
                raise ValueError(f"`{name}` of the effect '{self.effect}' has no range: give a list of values.")

    def draw(self, rng: np.random.Generator, sources: Sources) -> Step:
        """Draw a step."""
        effect = find_effect(self.effect)
        drawn = {name: _drawn(drawn_from, effect.parameters[name], rng) for name, drawn_from in self.parameters.items()}
        step = make_step(self.effect, int(rng.integers(GREATEST_SEED, endpoint=True)), (), **drawn)
        if not effect.draws:
            return step
        count = int(step.parameters[effect.how_many]) if effect.how_many else 1
        return Step(step.effect, step.parameters, step.seed, sources.draw(effect.draws, count, rng))


@dataclass(frozen=True)
class Entry:
    """Options of which one is taken, with a probability."""

    probability: float
    one_of: tuple[Option, ...]

    def __post_init__(self) -> None:
        if isinstance(self.probability, bool) or not isinstance(self.probability, int | float):
            raise ValueError(f"A probability of a recipe must be a number, not {self.probability!r}.")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"A probability of a recipe must lie between 0 and 1, not {self.probability}.")
        if not self.one_of:
            raise ValueError("An entry of a recipe needs at least one effect (`one_of`).")


@dataclass(frozen=True)
class Recipe:
    """What may happen to a clip."""

    name: str
    entries: tuple[Entry, ...]

    def draw(self, rng: np.random.Generator, sources: Sources = NO_SOURCES) -> tuple[Step, ...]:
        """Draw what happens to one clip: the same for the same state of the generator and the same sources.

        Raises
        ------
        ValueError
            When an effect mixes in recordings and the sources have none.

        >>> recipe = Recipe("hiss", (Entry(1.0, (Option("white", {"snr": [10]}),)),))
        >>> [str(step) for step in recipe.draw(np.random.default_rng(7))]
        ['white (snr 10 dB)']
        """
        happening = [entry for entry in self.entries if rng.random() < entry.probability]
        return tuple(entry.one_of[rng.integers(len(entry.one_of))].draw(rng, sources) for entry in happening)

    def check(self, sources: Sources = NO_SOURCES) -> None:
        """Raise ValueError where an option cannot be had: no package, no encoder, no recordings; before any work."""
        for option in (option for entry in self.entries if entry.probability for option in entry.one_of):
            check_machine(option.effect)
            if kind := find_effect(option.effect).draws:
                sources.names(kind)

    @property
    def keeps_length(self) -> bool:
        """Whether every clip stays as long as it was."""
        return all(find_effect(option.effect).keeps_length for entry in self.entries for option in entry.one_of)

    def as_json(self) -> list[dict[str, Any]]:
        """Return the entries as plain JSON."""
        return [
            {
                "probability": entry.probability,
                "one_of": [{"effect": option.effect, "parameters": dict(option.parameters)} for option in entry.one_of],
            }
            for entry in self.entries
        ]

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that differ where recipes differ; the name does not count.

        >>> read_recipe("field").digest == Recipe("other", read_recipe("field").entries).digest
        True
        """
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()[:8]


def read_recipe(name: str) -> Recipe:
    """Return a recipe by its name in `RECIPES`, or out of a JSON file.

    Raises
    ------
    ValueError
        When there is no such recipe, or the file holds none; the message says what is wrong.
    FileNotFoundError
        When there is no such file.

    >>> read_recipe("field").name
    'field'
    """
    if name in RECIPES:
        return recipe_from_json(name, RECIPES[name])
    path = Path(name)
    if path.suffix.lower() != ".json":
        raise ValueError(f"Unknown recipe '{name}'; allowed: {', '.join(RECIPES)}, or a JSON file.")
    if not path.is_file():
        raise FileNotFoundError(f"There is no recipe {path}.")
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}.") from error
    try:
        return recipe_from_json(path.stem, content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def recipe_from_json(name: str, content: Any) -> Recipe:
    """Return a recipe from what `Recipe.as_json` wrote.

    >>> recipe_from_json("none", [])
    Recipe(name='none', entries=())
    """
    if not isinstance(content, list):
        raise ValueError("A recipe is a list of entries.")
    return Recipe(name, tuple(map(_entry, content)))


def _entry(content: Any) -> Entry:
    if not isinstance(content, dict) or set(content) != {"probability", "one_of"}:
        raise ValueError(f"An entry of a recipe is an object of probability and one_of, not {content!r:.80}.")
    if not isinstance(content["one_of"], list):
        raise ValueError(f"The one_of of an entry must be a list of effects, not {content['one_of']!r:.80}.")
    return Entry(content["probability"], tuple(map(_option, content["one_of"])))


def _option(content: Any) -> Option:
    if not isinstance(content, dict) or not {"effect"} <= set(content) <= {"effect", "parameters"}:
        raise ValueError(f"An effect of a recipe is an object of effect and parameters, not {content!r:.80}.")
    parameters = content.get("parameters", {})
    if not isinstance(parameters, dict):
        raise ValueError(f"The parameters of an effect must be an object, not {parameters!r:.80}.")
    return Option(content["effect"], parameters)


def _extremes(name: str, drawn_from: Any) -> list[Any]:
    """Return the values between which a parameter is drawn."""
    if isinstance(drawn_from, list) and drawn_from:
        return drawn_from
    if isinstance(drawn_from, dict) and set(drawn_from) == {"from", "to"}:
        low, high = drawn_from["from"], drawn_from["to"]
        if isinstance(low, int | float) and isinstance(high, int | float) and low <= high:
            return [low, high]
    if isinstance(drawn_from, float | int | str):
        return [drawn_from]
    raise ValueError(
        f'`{name}` must be a value, a list of values or {{"from": lowest, "to": highest}}, not {drawn_from!r:.80}.'
    )


def _drawn(drawn_from: Any, allowed: Any, rng: np.random.Generator) -> Value:
    if isinstance(drawn_from, list):
        chosen: Value = drawn_from[rng.integers(len(drawn_from))]
        return chosen
    if isinstance(drawn_from, dict):
        low, high = drawn_from["from"], drawn_from["to"]
        whole = isinstance(allowed, Number) and allowed.whole
        return int(rng.integers(low, high, endpoint=True)) if whole else float(rng.uniform(low, high))
    value: Value = drawn_from
    return value
