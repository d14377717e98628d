"""Every model that a run can be trained with, by its name: classifiers, detectors and fusions, each in its own table.

A name stands in one table only. Which table it is follows from the kind of input that the model takes.
"""

from collections import ChainMap
from typing import TYPE_CHECKING

from src.detectors import DETECTORS
from src.experiments.runs.commands import how_to_train
from src.models import CLASSIFIERS, FUSIONS
from src.utils.registry import lookup

if TYPE_CHECKING:
    from src.models.contract import Classifier

TABLES: dict[str, tuple[str, dict[str, str]]] = {
    "embeddings": ("classifier", CLASSIFIERS),
    "waveforms": ("detector", DETECTORS),
    "scores": ("fusion", FUSIONS),
}
"""Kind of input -> what the models that take it are called, and their table."""
MODELS = ChainMap(*(table for _, table in TABLES.values()))
"""Name of a model -> "module:class", of all tables; it follows changes to them."""


def model_class(name: str, takes: str = "") -> "type[Classifier]":
    """Return the class of a model.

    Parameters
    ----------
    name : str
    takes : str
        The kind of input that it must take, such as "embeddings"; "" = any.

    Raises
    ------
    ValueError
        When there is no such model, or when it takes something else; the line lists those of the input's table.

    >>> model_class("svm").takes
    'embeddings'
    >>> model_class("svm", takes="waveforms")
    Traceback (most recent call last):
    ValueError: svm is trained on embeddings, not on waveforms; fab TrainModel --classifier=svm trains it.
    """
    what, table = TABLES.get(takes, TABLES["embeddings"])
    found: type[Classifier] = lookup(MODELS if name in MODELS else table, name, what)
    if takes and found.takes != takes:
        how = how_to_train(name, found.takes)
        raise ValueError(f"{name} is trained on {found.takes}, not on {takes}; {how} trains it.")
    return found
