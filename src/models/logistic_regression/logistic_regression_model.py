"""Plain logistic regression: the field's strongest simple baseline on frozen embeddings.

On scaled embeddings. With both classes weighted the same, its score is the log-odds of bona fide at equal priors: a
log-likelihood ratio by construction, fitted to the training clips. The fitted parameters are saved as plain arrays.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from src.models.arrays import WEIGHTS, load_arrays, save_arrays
from src.models.balance import check_class_weight, in_sklearn, suggest_class_weight
from src.models.contract import Config, History, Watch, check_range, keep_going
from src.models.judging import judged
from src.models.scaling import SCALINGS, Scaling, check_scaling
from src.utils.embeddings import EmbeddingTable
from src.utils.threads import limited_threads

if TYPE_CHECKING:
    import optuna

ARRAYS = ("mean", "deviation", "weights", "intercept")


@dataclass(frozen=True)
class LogisticRegressionConfig(Config):
    """Hyperparameters of the logistic regression."""

    C: float = 0.1
    """Inverse strength of the quadratic penalty on the weights; small = smoother."""
    scaling: str = "standard"
    class_weight: str = "balanced"
    """Whether both classes weigh the same: "balanced" or "none"."""

    def __post_init__(self) -> None:
        check_range("C", self.C, 1e-8, 1e6)
        check_scaling(self.scaling)
        check_class_weight(self.class_weight)

    @classmethod
    def search_space(cls, trial: "optuna.Trial", n_clips: int = 0) -> Self:
        """Let a trial choose penalty, scaling and the weights of the classes."""
        return cls(
            C=trial.suggest_float("C", 1e-5, 1e2, log=True),
            scaling=trial.suggest_categorical("scaling", SCALINGS),
            class_weight=suggest_class_weight(trial),
        )


class LogisticRegression:
    """scikit-learn's LogisticRegression on scaled vectors."""

    Config = LogisticRegressionConfig
    takes = "embeddings"
    files = (WEIGHTS,)

    def __init__(self, config: LogisticRegressionConfig, *, seed: int = 7) -> None:
        self.config = config
        self.seed = seed
        self.arrays: dict[str, np.ndarray]

    def fit(self, train: EmbeddingTable, val: EmbeddingTable, watch: Watch = keep_going) -> History:
        """Train on `train` and evaluate on `val`; there are no epochs, so `watch` is not called."""
        from sklearn.linear_model import LogisticRegression as Regression

        scaling = Scaling.learn(train.vectors, self.config.scaling, always=train.of_several_stores)
        weight = in_sklearn(self.config.class_weight)
        regression = Regression(C=self.config.C, class_weight=weight, max_iter=2000, random_state=self.seed)
        with limited_threads(1):  # its many small products are over before threads have met
            regression.fit(scaling.apply(train.vectors), train.labels)
        self.arrays = {
            "mean": scaling.mean,
            "deviation": scaling.deviation,
            "weights": regression.coef_[0],
            "intercept": regression.intercept_,
        }
        return judged(self.scores, train, val)

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """Return the log-odds of bona fide, shape (n,)."""
        scaling = Scaling(self.config.scaling, self.arrays["mean"], self.arrays["deviation"])
        return scaling.apply(vectors) @ self.arrays["weights"] + self.arrays["intercept"]

    def save(self, folder: Path) -> None:
        """Write `model.safetensors`."""
        save_arrays(folder, self.arrays)

    @classmethod
    def load(cls, folder: Path, config: LogisticRegressionConfig) -> Self:
        """Read `model.safetensors`."""
        classifier = cls(config)
        classifier.arrays = load_arrays(folder, ARRAYS)
        return classifier
