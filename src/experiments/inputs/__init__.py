"""The inputs of models, read and checked: each kind is one file and one row of the table below."""

from collections.abc import Mapping
from typing import Any

from src.experiments.inputs.contract import Input
from src.utils.registry import lookup

INPUTS = {
    "embeddings": "src.experiments.inputs.embeddings:Embeddings",
    "waveforms": "src.experiments.inputs.waveforms:Waveforms",
    "scores": "src.experiments.inputs.scores:Scores",
}
"""Kind of input -> "module:class"."""
FIRST_EDITION = "embeddings"
"""The kind of input of runs that name none."""

__all__ = ["INPUTS", "Input", "input_class", "input_class_of", "input_of"]


def input_class(kind: str) -> type[Input]:
    """Return the class of a kind of input; ValueError lists those there are."""
    found: type[Input] = lookup(INPUTS, kind, "input")
    return found


def input_class_of(hyperparameters: Mapping[str, Any]) -> type[Input]:
    """Return the class of the input that a run's hyperparameters name."""
    return input_class(hyperparameters.get("input", FIRST_EDITION))


def input_of(hyperparameters: Mapping[str, Any]) -> Input:
    """Return the input that a run's hyperparameters name."""
    return input_class_of(hyperparameters).from_json(hyperparameters)
