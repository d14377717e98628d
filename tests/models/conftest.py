"""Random embeddings, and classifiers with settings that fit them quickly."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from src.utils.embeddings import EmbeddingTable

DrawTable = Callable[..., EmbeddingTable]
QUICK: dict[str, dict[str, Any]] = {
    "mlp": {"hidden_size": 16, "n_hidden_layers": 1, "epochs": 8, "batch_size": 32, "learning_rate": 3e-2},
    "svm": {},
    "lr": {},
    "rf": {"n_estimators": 25, "max_features": 0.5},
    "gb": {"n_estimators": 25, "max_features": 0.5, "min_samples_leaf": 5},
    "knn": {},
}


@pytest.fixture
def draw_table() -> DrawTable:
    """Return a function that draws clips of two classes whose means lie `distance` deviations apart."""

    def draw(n: int = 160, *, distance: float = 1.5, dimension: int = 6, bonafide: float = 0.5, seed: int = 0) -> Any:
        rng = np.random.default_rng(seed)
        labels = (np.arange(n) < bonafide * n).astype(int)
        rng.shuffle(labels)
        vectors = rng.standard_normal((n, dimension))
        vectors[:, 0] += distance * labels
        texts = np.full(n, "")
        return EmbeddingTable(
            vectors=vectors.astype(np.float32), labels=labels, genders=texts, speakers=texts, systems=texts, files=texts
        )

    return draw


@pytest.fixture(params=list(QUICK))
def name(request: pytest.FixtureRequest) -> str:
    """Return the name of each classifier in turn."""
    return request.param


@pytest.fixture
def make(name: str) -> Callable[..., Any]:
    """Return a function that makes the classifier in question: `make(seed=3, epochs=2)`."""
    from src.models import classifier_class

    def make_classifier(*, seed: int = 7, **values: Any) -> Any:
        kind = classifier_class(name)
        return kind(kind.Config.from_mapping({**QUICK[name], **values}), seed=seed)

    return make_classifier
