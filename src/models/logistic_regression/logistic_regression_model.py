"""Plain logistic regression: the field's strongest simple baseline on frozen embeddings.

On standardised embeddings, both classes weighted the same. Its score is the log-odds of bona fide at equal priors: a
log-likelihood ratio by construction, as far as the training clips go.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from src.models.contract import Config, check_range
from src.models.estimators import EstimatorClassifier

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class LogisticRegressionConfig(Config):
    """Hyperparameters of the logistic regression."""

    C: float = 0.1
    """Inverse strength of the quadratic penalty on the weights; small = smoother."""

    def __post_init__(self) -> None:
        check_range("C", self.C, 1e-8, 1e6)

    @classmethod
    def search_space(cls, trial: "optuna.Trial") -> Self:
        """Let a trial choose the penalty."""
        return cls(C=trial.suggest_float("C", 1e-5, 1e2, log=True))


class LogisticRegression(EstimatorClassifier):
    """scikit-learn's LogisticRegression behind a standardisation; both classes weigh the same."""

    Config = LogisticRegressionConfig

    def make_estimator(self) -> Any:
        """Return standardisation and regression."""
        from sklearn.linear_model import LogisticRegression as Regression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        regression = Regression(C=self.config.C, class_weight="balanced", max_iter=2000, random_state=self.seed)
        return make_pipeline(StandardScaler(), regression)

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """Return the log-odds of bona fide, shape (n,)."""
        return np.asarray(self.estimator.decision_function(vectors.astype(np.float64)))

    def loss(self, labels: np.ndarray, scores: np.ndarray) -> float:
        """Return the mean cross entropy, in nats."""
        return float(np.logaddexp(0.0, -(2 * labels - 1) * scores).mean())
