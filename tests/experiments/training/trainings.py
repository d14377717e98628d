"""What tests of trainings train: by default an SVM on the drawn embeddings."""

from pathlib import Path
from typing import Any

from src.experiments.inputs.embeddings import Embeddings
from src.experiments.training.recipe import Recipe, choose_recipe
from src.experiments.training.trainer import Run, train_model


def recipe_in(
    root: Path,
    classifier: str = "svm",
    *,
    backbone: str = "hubert",
    layer: int | None = None,
    pooling: str | None = None,
    **options: Any,
) -> Recipe:
    """Return a recipe for `<root>/datasets/corpus`; what is not given is that of the hyperparameter file."""
    return choose_recipe(root / "datasets" / "corpus", Embeddings(backbone, layer, pooling), classifier, **options)


def train(root: Path, classifier: str = "svm", **options: Any) -> Run:
    """Train what `recipe_in` says."""
    return train_model(recipe_in(root, classifier, **options), root=root)
