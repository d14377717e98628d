"""The SVM, with kernels from matrix products; the fitted parameters are saved as plain arrays.

With the kernel "rbf" it is scikit-learn's SVC to the last digits; its memory grows with the square of the training
clips, and "nystroem" approximates it for corpora too large for that. "linear" has no kernel to compute.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from src.metrics.eer import eer_of
from src.models.arrays import WEIGHTS, load_arrays, save_arrays
from src.models.balance import check_class_weight, in_sklearn, suggest_class_weight
from src.models.contract import Config, History, Watch, check_range, keep_going
from src.models.scaling import SCALINGS, Scaling, check_scaling
from src.models.svm.kernels import SCORING_NUMBERS, Products, chunks, rbf_kernel, squared_lengths
from src.models.svm.solvers import Machine, Solution, solve_by_landmarks, solve_exactly, solve_linearly
from src.utils.embeddings import EmbeddingTable

if TYPE_CHECKING:
    import optuna

KERNELS = ("rbf", "linear", "nystroem")
MOST_FOR_EXACT_SEARCH = 20_000
"""Training clips up to which a study tries the exact RBF kernel (3.2 GB); above, it tries nystroem."""
ARRAYS = ("mean", "deviation", "support_vectors", "coefficients", "intercept", "gamma")
PRODUCTS = Products()
"""Shared by the trainings of this process."""


@dataclass(frozen=True)
class SvmConfig(Config):
    """Hyperparameters of the SVM."""

    C: float = 10.0
    """Penalty of an error in training; large = a narrow margin."""
    kernel: str = "rbf"
    gamma: float = 1.0
    """Inverse width of the RBF kernel, in units of 1 / (d variance of the scaled features) (scikit-learn's "scale");
    the linear kernel is measured in the same unit, so that its C means the same."""
    landmarks: int = 512
    """Training clips that stand for all, with the kernel "nystroem"."""
    scaling: str = "standard"
    class_weight: str = "balanced"
    """Whether both classes weigh the same: "balanced" or "none"."""

    def __post_init__(self) -> None:
        check_range("C", self.C, 1e-6, 1e6)
        check_range("gamma", self.gamma, 1e-6, 1e6)
        check_range("landmarks", self.landmarks, 1, 100_000)
        check_scaling(self.scaling)
        check_class_weight(self.class_weight)
        if self.kernel not in KERNELS:
            raise ValueError(f"Unknown kernel '{self.kernel}'; allowed: {', '.join(KERNELS)}.")

    @classmethod
    def search_space(cls, trial: "optuna.Trial", n_clips: int = 0) -> Self:
        """Let a trial choose all but the kernel, and landmarks for many clips only; `lr` stands for the linear one."""
        kernel = "nystroem" if n_clips > MOST_FOR_EXACT_SEARCH else "rbf"
        sizes = (256, 512, 1024)
        landmarks = trial.suggest_categorical("landmarks", sizes) if kernel == "nystroem" else cls.landmarks
        price = trial.suggest_float("C", 1e-3, 1e3, log=True)
        gamma = trial.suggest_float("gamma", 1e-2, 1e1, log=True)
        scaling = trial.suggest_categorical("scaling", SCALINGS)
        weight = suggest_class_weight(trial)
        return cls(price, kernel, gamma, landmarks, scaling, weight)


class Svm:
    """The SVM behind the contract of all classifiers."""

    Config = SvmConfig
    takes = "embeddings"
    files = (WEIGHTS,)

    @staticmethod
    def bytes_to_train(n_clips: int) -> int:
        """Return how much memory a training in a study takes beyond its embeddings: two matrices of all pairs."""
        return 2 * 8 * n_clips**2 if n_clips <= MOST_FOR_EXACT_SEARCH else 0

    def __init__(self, config: SvmConfig, *, seed: int = 7) -> None:
        self.config = config
        self.seed = seed
        self.arrays: dict[str, np.ndarray]
        """The fitted parameters; support vectors are unscaled, and scaled once for scoring."""
        self._scaling: Scaling
        self._support: np.ndarray
        self._lengths: np.ndarray

    def fit(self, train: EmbeddingTable, val: EmbeddingTable, watch: Watch = keep_going) -> History:
        """Train on `train` and evaluate on `val`; there are no epochs, so `watch` is not called."""
        scaling = Scaling.learn(train.vectors, self.config.scaling, always=train.of_several_stores)
        vectors = scaling.apply(train.vectors)
        gamma = self.config.gamma / (vectors.shape[1] * (vectors.var() or 1.0))
        solution = self._solve(vectors, train.labels, gamma)
        self._take(
            {
                "mean": scaling.mean,
                "deviation": scaling.deviation,
                "support_vectors": train.vectors[solution.support],
                "coefficients": solution.coefficients,
                "intercept": np.array([solution.intercept]),
                "gamma": np.array([gamma]),
            }
        )
        val_scores = self.scores(val.vectors)
        return History.of_one(
            _hinge_loss(train.labels, solution.train_scores),
            _hinge_loss(val.labels, val_scores),
            eer_of(val.labels, val_scores),
        )

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """Return the signed distance from the decision boundary, shape (n,): positive = bona fide."""
        scores = np.empty(len(vectors))
        for rows in chunks(len(vectors), max(1, SCORING_NUMBERS // max(self._support.shape))):
            scores[rows] = self._scores(self._scaling.apply(vectors[rows]))
        return scores

    def save(self, folder: Path) -> None:
        """Write `model.safetensors`."""
        save_arrays(folder, self.arrays)

    @classmethod
    def load(cls, folder: Path, config: SvmConfig) -> Self:
        """Read `model.safetensors`."""
        classifier = cls(config)
        classifier._take(load_arrays(folder, ARRAYS))
        return classifier

    def _solve(self, vectors: np.ndarray, labels: np.ndarray, gamma: float) -> Solution:
        machine = Machine(self.config.C, gamma, in_sklearn(self.config.class_weight))
        if self.config.kernel == "linear":
            return solve_linearly(vectors, labels, machine)
        if self.config.kernel == "rbf":
            return solve_exactly(vectors, labels, machine, products=PRODUCTS)
        n_landmarks = min(self.config.landmarks, len(vectors))
        landmarks = np.sort(np.random.default_rng(self.seed).choice(len(vectors), n_landmarks, replace=False))
        return solve_by_landmarks(vectors, labels, machine, landmarks=landmarks)

    def _take(self, arrays: dict[str, np.ndarray]) -> None:
        self.arrays = arrays
        self._scaling = Scaling(self.config.scaling, arrays["mean"], arrays["deviation"])
        self._support = self._scaling.apply(arrays["support_vectors"])
        self._lengths = squared_lengths(self._support)

    def _scores(self, scaled: np.ndarray) -> np.ndarray:
        coefficients, intercept, gamma = (self.arrays[name] for name in ("coefficients", "intercept", "gamma"))
        if self.config.kernel == "linear":
            return scaled @ coefficients + intercept
        kernel = rbf_kernel(scaled @ self._support.T, squared_lengths(scaled), self._lengths, float(gamma[0]))
        return kernel @ coefficients + intercept


def _hinge_loss(labels: np.ndarray, scores: np.ndarray) -> float:
    return float(np.maximum(0.0, 1.0 - (2 * labels - 1) * scores).mean())
