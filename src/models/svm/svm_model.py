"""The SVM: scikit-learn's SVC on embeddings of which every number has mean 0 and variance 1 over the training clips."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from src.models.contract import Config, History, Watch, check_range, keep_going
from src.models.estimators import EstimatorClassifier
from src.utils.embeddings import EmbeddingTable

if TYPE_CHECKING:
    import optuna

KERNELS = ("rbf", "linear")


@dataclass(frozen=True)
class SvmConfig(Config):
    """Hyperparameters of the SVM."""

    C: float = 10.0
    """Price of an error in training; large = a narrow margin."""
    kernel: str = "rbf"
    gamma: float = 1.0
    """Narrowness of the RBF kernel, in units of 1 / d for embeddings of d numbers (scikit-learn's "scale")."""

    def __post_init__(self) -> None:
        check_range("C", self.C, 1e-6, 1e6)
        check_range("gamma", self.gamma, 1e-6, 1e6)
        if self.kernel not in KERNELS:
            raise ValueError(f"Unknown kernel '{self.kernel}'; allowed: {', '.join(KERNELS)}.")

    @classmethod
    def search_space(cls, trial: "optuna.Trial") -> Self:
        """Let a trial choose kernel, price and, for the RBF kernel, its narrowness."""
        kernel = trial.suggest_categorical("kernel", KERNELS)
        price = trial.suggest_float("C", 1e-3, 1e3, log=True)
        gamma = trial.suggest_float("gamma", 1e-2, 1e1, log=True) if kernel == "rbf" else cls.gamma
        return cls(C=price, kernel=kernel, gamma=gamma)


class Svm(EstimatorClassifier):
    """Both classes weigh the same, however many clips each has."""

    Config = SvmConfig

    def fit(self, train: EmbeddingTable, val: EmbeddingTable, watch: Watch = keep_going) -> History:
        """Learn from `train` and judge on `val`."""
        self._dimension = train.vectors.shape[1]
        return super().fit(train, val, watch)

    def make_estimator(self) -> Any:
        """Return standardisation and SVC."""
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        gamma = self.config.gamma / self._dimension
        svc = SVC(
            C=self.config.C,
            kernel=self.config.kernel,
            gamma=gamma,
            class_weight="balanced",
            cache_size=1000,
            random_state=self.seed,  # changes nothing, but without it numpy's global generator is asked
        )
        return make_pipeline(StandardScaler(), svc)

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """Return the signed distance from the decision boundary, shape (n,): positive = bona fide."""
        return np.asarray(self.estimator.decision_function(vectors))

    def loss(self, labels: np.ndarray, scores: np.ndarray) -> float:
        """Return the mean hinge loss."""
        return float(np.maximum(0.0, 1.0 - (2 * labels - 1) * scores).mean())
