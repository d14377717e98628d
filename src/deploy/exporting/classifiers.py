"""The classifiers as modules: what a run's model does in NumPy, in operations that every runtime has.

Vectors (b, d), or (b, layers, d) of a learnt mix, become scores (b,) before calibration, in float32: a distance of two
standardised vectors is a difference of large numbers, and still good to about six digits.
"""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from src.deploy.exporting.trees import Boosted, Forest
from src.models.contract import Classifier
from src.models.gradient_boosting import GradientBoosting
from src.models.knn import NearestNeighbours
from src.models.knn.knn_model import SMALLEST
from src.models.logistic_regression import LogisticRegression
from src.models.mlp import Mlp
from src.models.random_forest import RandomForest
from src.models.scaling import Scaling
from src.models.svm import Svm


class Scaled(nn.Module):
    """A `Scaling`: vectors (b, d) -> vectors (b, d)."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: np.ndarray, deviation: np.ndarray, how: str) -> None:
        super().__init__()
        self.to_unit_length = how == "unit"
        self.register_buffer("mean", torch.from_numpy(np.asarray(mean, np.float32)))
        self.register_buffer("deviation", torch.from_numpy(np.asarray(deviation, np.float32)))

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the vectors scaled."""
        scaled = (vectors - self.mean) / self.deviation
        if self.to_unit_length:
            scaled = scaled * (scaled.shape[1] ** 0.5 / scaled.norm(dim=1, keepdim=True).clamp_min(1e-12))
        return scaled


class Linear(nn.Module):
    """A weighted sum of scaled numbers: logistic regression, and the SVM without a kernel."""

    weights: Tensor

    def __init__(self, model: LogisticRegression | Svm, weights: np.ndarray) -> None:
        super().__init__()
        self.scale = _scaled(model)
        self.intercept = float(model.arrays["intercept"][0])
        self.register_buffer("weights", torch.from_numpy(np.asarray(weights, np.float32)))

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the scores."""
        return (self.scale(vectors) * self.weights).sum(dim=1) + self.intercept


class Distances(nn.Module):
    """Squared distances of scaled vectors (b, d) to others (m, d): (b, m)."""

    others: Tensor
    lengths: Tensor

    def __init__(self, others: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("others", torch.from_numpy(np.ascontiguousarray(others.T, np.float32)))
        self.register_buffer("lengths", torch.from_numpy(np.square(others, dtype=np.float64).sum(axis=1)).float())

    def forward(self, scaled: Tensor) -> Tensor:
        """Return the distances."""
        squares = scaled.square().sum(dim=1, keepdim=True) + self.lengths - 2 * scaled @ self.others
        return squares.clamp(min=0.0)


class Kernel(nn.Module):
    """An SVM on the RBF kernel: a weighted sum of kernels with its support vectors, or its landmarks."""

    coefficients: Tensor

    def __init__(self, model: Svm) -> None:
        super().__init__()
        arrays = model.arrays
        self.scale = _scaled(model)
        scaling = Scaling(model.config.scaling, arrays["mean"], arrays["deviation"])
        self.distances = Distances(scaling.apply(arrays["support_vectors"]))
        self.gamma, self.intercept = float(arrays["gamma"][0]), float(arrays["intercept"][0])
        self.register_buffer("coefficients", torch.from_numpy(np.asarray(arrays["coefficients"], np.float64)))

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the scores; large coefficients of either sign cancel in their sum, which is taken in float64."""
        kernel = torch.exp(-self.gamma * self.distances(self.scale(vectors)).double())
        return ((kernel * self.coefficients).sum(dim=1) + self.intercept).float()


class Neighbours(nn.Module):
    """The nearest neighbours: how much nearer those of bona fide are than those of spoofs."""

    def __init__(self, model: NearestNeighbours) -> None:
        super().__init__()
        self.scale = _scaled(model)
        classes = model.classes
        self.of_classes = nn.ModuleList(Distances(each.vectors) for each in classes)
        self.n_neighbors = [each.n_neighbors for each in classes]
        self.dimension = classes[0].vectors.shape[1]

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the scores."""
        scaled = self.scale(vectors)
        spoof, bonafide = (
            self._mean_distance(distances(scaled), k)
            for distances, k in zip(self.of_classes, self.n_neighbors, strict=True)
        )
        return spoof.log() - bonafide.log()

    def _mean_distance(self, squares: Tensor, k: int) -> Tensor:
        nearest = squares.topk(k, dim=1, largest=False).values / self.dimension
        return nearest.clamp(min=SMALLEST**2).sqrt().mean(dim=1)


class Perceptron(nn.Module):
    """The MLP, its scaling and its mix of layers."""

    def __init__(self, model: Mlp) -> None:
        super().__init__()
        self.network = copy.deepcopy(model.network).cpu()

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the scores."""
        scores: Tensor = self.network(self.network.scale(vectors))
        return scores


def classifier_module(model: Classifier) -> nn.Module:
    """Return a fitted classifier as a module: vectors (b, d) -> scores (b,) before calibration."""
    for kind, make in MODULES.items():
        if isinstance(model, kind):
            return make(model)
    raise ValueError(f"A {type(model).__name__} cannot be exported.")


def _of_svm(model: Svm) -> nn.Module:
    return Linear(model, model.arrays["coefficients"]) if model.config.kernel == "linear" else Kernel(model)


def _scaled(model: Any) -> Scaled:
    return Scaled(model.arrays["mean"], model.arrays["deviation"], model.config.scaling)


MODULES: dict[type, Callable[[Any], nn.Module]] = {
    LogisticRegression: lambda model: Linear(model, model.arrays["weights"]),
    Svm: _of_svm,
    Mlp: Perceptron,
    RandomForest: lambda model: Forest(model.estimator),
    GradientBoosting: lambda model: Boosted(model.estimator),
    NearestNeighbours: Neighbours,
}
"""Class of a classifier -> its module."""
