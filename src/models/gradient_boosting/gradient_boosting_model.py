"""Gradient-boosted trees: scikit-learn's histogram kind.

Each tree is fitted to the gradient of the logistic loss that the trees before it left (Friedman, 2001), and adds a
share, the learning rate, to the score. Features are put into 255 bins once, so that a split looks at bins and not at
clips (Ke et al., 2017, LightGBM). Trees use only the order of values, so nothing is scaled.

Embeddings have hundreds of features that resemble each other: each split looks at a random share of them, which is
faster in proportion and makes the trees differ. Trees are added up to their number: stopping early on a part of the
training clips would put clips of one person on both sides.
"""

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

TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]
"""Types that the saved file may hold beyond those skops knows."""


@dataclass(frozen=True)
class GradientBoostingConfig(Config):
    """Hyperparameters of the gradient-boosted trees."""

    n_estimators: int = 150
    """Number of trees."""
    learning_rate: float = 0.1
    """Share of its fit that each tree adds."""
    max_leaf_nodes: int = 15
    min_samples_leaf: int = 10
    max_features: float = 0.1
    """Share of the d features that each split considers."""
    l2_regularization: float = 1.0
    """Pulls the values of the leaves to 0, as so many clips without a preference would."""
    class_weight: str = "balanced"
    """Whether both classes weigh the same: "balanced" or "none"."""

    def __post_init__(self) -> None:
        check_range("n_estimators", self.n_estimators, 1, 100_000)
        check_range("learning_rate", self.learning_rate, 1e-6, 1)
        check_range("max_leaf_nodes", self.max_leaf_nodes, 2, 65_536)
        check_range("min_samples_leaf", self.min_samples_leaf, 1, 1_000_000)
        check_range("max_features", self.max_features, 1e-6, 1)
        check_range("l2_regularization", self.l2_regularization, 0, 1e6)
        check_class_weight(self.class_weight)

    @classmethod
    def search_space(cls, trial: "optuna.Trial", n_clips: int = 0) -> Self:
        """Let a trial choose all hyperparameters."""
        return cls(
            n_estimators=trial.suggest_int("n_estimators", 50, 400, step=50),
            learning_rate=trial.suggest_float("learning_rate", 0.02, 0.4, log=True),
            max_leaf_nodes=trial.suggest_categorical("max_leaf_nodes", (4, 8, 15, 31)),
            min_samples_leaf=trial.suggest_int("min_samples_leaf", 2, 40, log=True),
            max_features=trial.suggest_float("max_features", 0.01, 0.5, log=True),
            l2_regularization=trial.suggest_float("l2_regularization", 1e-2, 1e2, log=True),
            class_weight=suggest_class_weight(trial),
        )


class GradientBoosting:
    """scikit-learn's HistGradientBoostingClassifier behind the contract of all classifiers."""

    Config = GradientBoostingConfig
    takes = "embeddings"
    files = (WEIGHTS,)

    def __init__(self, config: GradientBoostingConfig, *, seed: int = 7) -> None:
        self.config = config
        self.seed = seed
        self.estimator: Any = None

    def fit(self, train: EmbeddingTable, val: EmbeddingTable, watch: Watch = keep_going) -> History:
        """Train on `train` and evaluate on `val`; there are no epochs, so `watch` is not called."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        self.estimator = HistGradientBoostingClassifier(
            max_iter=self.config.n_estimators,
            learning_rate=self.config.learning_rate,
            max_leaf_nodes=self.config.max_leaf_nodes,
            min_samples_leaf=self.config.min_samples_leaf,
            max_features=self.config.max_features,
            l2_regularization=self.config.l2_regularization,
            class_weight=in_sklearn(self.config.class_weight),
            early_stopping=False,
            random_state=self.seed,
        ).fit(train.vectors, train.labels)
        return judged(self.scores, train, val)

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """Return the log-odds of bona fide, shape (n,)."""
        return np.asarray(self.estimator.decision_function(vectors))

    def save(self, folder: Path) -> None:
        """Write `model.skops`."""
        save_trees(folder, self.estimator)

    @classmethod
    def load(cls, folder: Path, config: GradientBoostingConfig) -> Self:
        """Read `model.skops`."""
        classifier = cls(config)
        classifier.estimator = load_trees(folder, TRUSTED)
        return classifier
