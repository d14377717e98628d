"""How the layers and poolings of one or several backbones are written.

    backbone       layer         pooling
    hubert         -1, 5         mean, std, mean+std    one layer
    hubert         mix           mean                   all layers, in a mix that the classifier learns
    lfcc+hubert    -1            mean                   the same of each backbone
    lfcc+hubert    0+4           mean+std,mean          one for each, in the order of the backbones

Poolings are separated by commas because "mean+std" is the name of one. A learnt mix is of one backbone: the layers of
two have different widths.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from src.backbones import BACKBONES
from src.utils.embeddings import POOLINGS
from src.utils.registry import require_known

if TYPE_CHECKING:
    import optuna

MIX = "mix"
"""The layer of an input that is all layers of its store."""
SEARCHED_POOLINGS = ("mean", "mean+std")
Layer = int | str
"""A number, counted from the end where it is negative; "mix"; or numbers of several backbones, "0+4"."""


def backbones_in(text: str) -> list[str]:
    """Return the backbones that are named, such as lfcc+hubert.

    >>> backbones_in("lfcc+lfcc")
    Traceback (most recent call last):
    ValueError: `backbone` names lfcc twice: name each once.
    """
    names = text.split("+")
    for name in names:
        require_known(BACKBONES, name, "backbone")
        if names.count(name) > 1:
            raise ValueError(f"`backbone` names {name} twice: name each once.")
    return names


def parse_layer(given: object, n_backbones: int, what: str = "`layer`") -> Layer:
    """Return a layer as an input holds it: a number that is the same for all is an int.

    >>> parse_layer("-1", 1), parse_layer("0+4", 2), parse_layer("mix", 1)
    (-1, '0+4', 'mix')
    >>> parse_layer("deep", 1)
    Traceback (most recent call last):
    ValueError: `layer` must be a whole number, not 'deep'; or mix: all layers of a backbone.
    """
    if type(given) is int:  # true is an int as well
        return given
    also = "; or mix: all layers of a backbone"
    if n_backbones > 1:
        also = f", or {n_backbones} of them such as {'+'.join('0' * n_backbones)}"
    if given == MIX and n_backbones > 1:
        raise ValueError(f"A mix of layers is of one backbone: {what} must be a whole number{also}.")
    if given == MIX:
        return MIX
    try:
        numbers = [int(part) for part in given.split("+")] if isinstance(given, str) else []
    except ValueError:
        numbers = []
    if len(numbers) not in (1, n_backbones):
        raise ValueError(f"{what} must be a whole number, not {given!r}{also}.")
    return numbers[0] if len(numbers) == 1 else "+".join(map(str, numbers))


def layers_in(layer: Layer, n_backbones: int) -> list[int]:
    """Return the layer of each backbone.

    >>> layers_in(-1, 2), layers_in("0+4", 2)
    ([-1, -1], [0, 4])
    """
    return [layer] * n_backbones if isinstance(layer, int) else [int(part) for part in layer.split("+")]


def check_pooling(pooling: str, n_backbones: int) -> None:
    """Raise ValueError unless it names a pooling, or one for each backbone."""
    names = pooling.split(",") if n_backbones > 1 else [pooling]
    for name in names:
        require_known(POOLINGS, name, "pooling")
    if len(names) not in (1, n_backbones):
        raise ValueError(
            f"`pooling` must name one pooling, or {n_backbones} separated by commas, one for each backbone; "
            f"not {len(names)}."
        )


def poolings_in(pooling: str, n_backbones: int) -> list[str]:
    """Return the pooling of each backbone.

    >>> poolings_in("mean", 2), poolings_in("mean+std,mean", 2)
    (['mean', 'mean'], ['mean+std', 'mean'])
    """
    names = pooling.split(",")
    return names * n_backbones if len(names) == 1 else names


def suggest_layer(trial: "optuna.Trial", layers: Sequence[int], name: str = "layer") -> int:
    """Draw one of the layers that a store holds."""
    if len(layers) == 1:
        return layers[0]
    if list(layers) == list(range(layers[0], layers[-1] + 1)):
        return trial.suggest_int(name, layers[0], layers[-1])
    return int(trial.suggest_categorical(name, list(layers)))


def suggest_pooling(trial: "optuna.Trial", name: str = "pooling") -> str:
    """Draw one of the poolings worth a search."""
    return str(trial.suggest_categorical(name, SEARCHED_POOLINGS))


def suggest_mix(trial: "optuna.Trial") -> bool:
    """Draw whether all layers are mixed; the page of the study shows it as `layer_mix`."""
    return bool(trial.suggest_categorical("layer_mix", (False, True)))
