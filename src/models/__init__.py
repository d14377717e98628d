"""Classifiers turn embeddings (n, d) into scores (n,), higher = more bona fide, behind one contract.

A classifier is one folder and one row of the table below, which imports nothing: the help of tasks reads it.
"""

from typing import TYPE_CHECKING

from src.utils.registry import lookup

if TYPE_CHECKING:
    from src.models.contract import Classifier

CLASSIFIERS = {
    "mlp": "src.models.mlp:Mlp",
    "svm": "src.models.svm:Svm",
    "rf": "src.models.random_forest:RandomForest",
    "lr": "src.models.logistic_regression:LogisticRegression",
    "gb": "src.models.gradient_boosting:GradientBoosting",
    "knn": "src.models.knn:NearestNeighbours",
}
"""Name of a classifier -> "module:class"."""
FUSIONS = {"fusion": "src.models.fusion:Fusion"}
"""Name of a fusion of the scores of several runs -> "module:class"; none of them is a classifier of embeddings."""


def classifier_class(name: str) -> "type[Classifier]":
    """Return the class of a classifier; ValueError lists those there are."""
    found: type[Classifier] = lookup(CLASSIFIERS, name, "classifier")
    return found


def mixes_layers(name: str) -> bool:
    """Tell whether a classifier learns a mix of all layers of a store: its class says so by `mixes_layers = True`."""
    return bool(getattr(classifier_class(name), "mixes_layers", False))


def mixing_classifiers() -> list[str]:
    """Return the names of the classifiers that learn a mix of all layers of a store."""
    return list(filter(mixes_layers, CLASSIFIERS))
