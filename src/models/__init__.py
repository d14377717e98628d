"""Classifiers turn embeddings (n, d) into scores (n,), higher = more bona fide, behind one contract.

A classifier is one folder and one row of the table below.
"""

from src.models.contract import Classifier, Config, History
from src.utils.registry import lookup

CLASSIFIERS = {
    "mlp": "src.models.mlp:Mlp",
    "svm": "src.models.svm:Svm",
    "rf": "src.models.random_forest:RandomForest",
    "lr": "src.models.logistic_regression:LogisticRegression",
}
"""Name of a classifier -> "module:class"."""

__all__ = ["CLASSIFIERS", "Classifier", "Config", "History", "classifier_class"]


def classifier_class(name: str) -> type[Classifier]:
    """Return the class of a classifier; ValueError lists those there are."""
    found: type[Classifier] = lookup(CLASSIFIERS, name, "classifier")
    return found
