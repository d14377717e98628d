"""The random forest: scikit-learn's, trained on all cores. Trees use only the order of values, so nothing is scaled."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from src.models.balance import check_class_weight, in_sklearn, suggest_class_weight
from src.models.contract import Config, History, Watch, check_range, keep_going
from src.models.judging import judged
from src.models.trees import WEIGHTS, load_trees, save_trees
from src.utils.embeddings import EmbeddingTable

if TYPE_CHECKING:
    import optuna

MOST_FOR_ANY_SHARE = 5_000
"""Training clips up to which a study tries any share of the features for a split; above, at most `LARGEST_SHARE`."""
LARGEST_SHARE = 0.1
"""A tree takes time in proportion to its share, 3.6 s with this one of 20,000 x 1,536 (docs/benchmarks.md)."""
TRUSTED = ["sklearn.tree._tree.Tree"]
"""Types that the saved file may hold beyond those skops knows."""


@dataclass(frozen=True)
class RandomForestConfig(Config):
    """Hyperparameters of the random forest."""

    n_estimators: int = 300
    """Number of trees."""
    max_depth: int = 0
    """Largest depth of a tree; 0 = no limit."""
    min_samples_leaf: int = 1
    max_features: float = 0.1
    """Share of the d features that each split considers."""
    class_weight: str = "balanced"
    """Whether both classes weigh the same: "balanced" or "none"."""

    def __post_init__(self) -> None:
        check_range("n_estimators", self.n_estimators, 1, 100_000)
        check_range("max_depth", self.max_depth, 0, 1_000)
        check_range("min_samples_leaf", self.min_samples_leaf, 1, 1_000_000)
        check_range("max_features", self.max_features, 1e-6, 1)
        check_class_weight(self.class_weight)

    @classmethod
    def search_space(cls, trial: "optuna.Trial", n_clips: int = 0) -> Self:
        """Let a trial choose all hyperparameters; for many clips, splits that consider a few features only."""
        largest = 1.0 if n_clips <= MOST_FOR_ANY_SHARE else LARGEST_SHARE
        return cls(
            n_estimators=trial.suggest_int("n_estimators", 100, 500, step=100),
            max_depth=trial.suggest_categorical("max_depth", (0, 4, 8, 16)),
            min_samples_leaf=trial.suggest_int("min_samples_leaf", 1, 10),
            max_features=trial.suggest_float("max_features", 0.01, largest, log=True),
            class_weight=suggest_class_weight(trial),
        )


class RandomForest:
    """The forest behind the contract of all classifiers."""

    Config = RandomForestConfig
    takes = "embeddings"
    files = (WEIGHTS,)

    def __init__(self, config: RandomForestConfig, *, seed: int = 7) -> None:
        self.config = config
        self.seed = seed
        self.estimator: Any = None

    def fit(self, train: EmbeddingTable, val: EmbeddingTable, watch: Watch = keep_going) -> History:
        """Train on `train` and evaluate on `val`; there are no epochs, so `watch` is not called."""
        from sklearn.ensemble import RandomForestClassifier

        self.estimator = RandomForestClassifier(
            n_estimators=self.config.n_estimators,
            max_depth=self.config.max_depth or None,
            min_samples_leaf=self.config.min_samples_leaf,
            max_features=self.config.max_features,
            class_weight=in_sklearn(self.config.class_weight),
            random_state=self.seed,
            n_jobs=-1,
        ).fit(train.vectors, train.labels)
        return judged(self.scores, train, val)

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """Return the log-odds of bona fide, shape (n,); a unanimous vote counts as half a tree short of certainty."""
        self.estimator.set_params(n_jobs=1)  # threads sum trees in the order they finish: last digits vary
        doubt = 0.5 / self.config.n_estimators
        probability = self.estimator.predict_proba(vectors)[:, 1].clip(doubt, 1 - doubt)
        return np.log(probability) - np.log1p(-probability)

    def save(self, folder: Path) -> None:
        """Write `model.skops`."""
        save_trees(folder, self.estimator)

    @classmethod
    def load(cls, folder: Path, config: RandomForestConfig) -> Self:
        """Read `model.skops`."""
        classifier = cls(config)
        classifier.estimator = load_trees(folder, TRUSTED)
        return classifier
