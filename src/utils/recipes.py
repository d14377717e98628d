"""Recipes of augmentation as hyperparameters hold them: a name, or the whole recipe as JSON where it came from a file.

A file may change after a run was trained with it, a run's hyperparameters may not.
"""

import json
from pathlib import Path

from src.audio.augment.recipes import Recipe, read_recipe, recipe_from_json


def written_recipe(typed: str) -> str:
    """Return what hyperparameters hold of a recipe that was named, or whose file was.

    Raises
    ------
    ValueError, FileNotFoundError
        When there is no such recipe, or the file holds none.

    >>> written_recipe("field"), written_recipe("")
    ('field', '')
    """
    if not Path(typed).suffix:
        return read_recipe(typed).name if typed else ""
    return json.dumps(read_recipe(typed).as_json(), separators=(",", ":"))


def parse_recipe(written: str) -> Recipe:
    """Return the recipe that hyperparameters hold.

    Raises
    ------
    ValueError
        When there is none of that name, or the JSON is none.

    >>> parse_recipe("field").name, parse_recipe("[]").entries
    ('field', ())
    """
    if not written.startswith("["):
        if Path(written).suffix:
            raise ValueError(f"`augment` must be a recipe, not the name of the file {written}, which may change.")
        return read_recipe(written)
    try:
        content = json.loads(written)
    except ValueError as error:
        raise ValueError(f"`augment` is no JSON: {error}.") from None
    return recipe_from_json("own", content)


def name_of(written: str) -> str:
    """Return a short name of a recipe, fit for a file's name: its own, or one with a digest of what it says.

    >>> name_of("field"), name_of("[]")
    ('field', 'own4f53cda1')
    """
    return f"own{parse_recipe(written).digest}" if written.startswith("[") else written
