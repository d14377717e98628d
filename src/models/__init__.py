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
}
"""Name of a classifier -> "module:class"."""
FUSIONS = {"fusion": "src.models.fusion:Fusion"}
"""Name of a fusion of the scores of several runs -> "module:class"; none of them is a classifier of embeddings."""


def classifier_class(name: str) -> "type[Classifier]":
    """Return the class of a classifier; ValueError lists those there are."""
    found: type[Classifier] = lookup(CLASSIFIERS, name, "classifier")
    return found
