"""The k nearest neighbours, by exact search.

Counting votes among k neighbours gives k + 1 distinct scores, and most clips of a good embedding get one of the two
extremes: an EER of ties says nothing. So the score compares distances, which are never tied. With r_c(x) the mean
distance to the k nearest training clips of class c,

    score(x) = log r_spoof(x) - log r_bona_fide(x).

It is the logarithm of a ratio of densities: the density of a class at x is estimated by k / (n_c V r_c^d), where n_c
is the number of its clips and V r^d the volume that holds k of them (Loftsgaarden and Quesenberry, 1965), so with k_c
neighbours of each class

    log p(x | bona fide) - log p(x | spoof) = d (log r_spoof - log r_bona_fide) + log (k_b / n_b) - log (k_s / n_s).

The last terms vanish where k_c is the same share of each class: that is what `class_weight` "balanced" does (k of the
smaller class, as large a share of the other). With "none" k is the same number of both, so that the larger class, which
lies denser, is nearer. The factor d is left out: the dimension that counts is that of the manifold on which clips lie,
which nobody knows, and the calibration finds the scale. The mean over the neighbours in place of the distance of the
k-th uses all of them, and varies less.

Distances are Euclidean in scaled vectors; with the scaling "unit" their order is that of the cosine. All training clips
are kept (4 bytes x n x d); a product of matrices gives n distances a clip: 2 n d operations.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from src.models.arrays import WEIGHTS, load_arrays, save_arrays
from src.models.balance import check_class_weight, suggest_class_weight
from src.models.contract import Config, History, Watch, check_range, keep_going
from src.models.judging import judged
from src.models.scaling import SCALINGS, Scaling, check_scaling
from src.models.svm.kernels import chunks, squared_lengths
from src.utils.embeddings import EmbeddingTable

if TYPE_CHECKING:
    import optuna

ARRAYS = ("mean", "deviation", "vectors", "labels")
SCORING_NUMBERS = 2**21
"""Distances computed at a time."""
SMALLEST = 1e-6
"""Distance of a clip to itself, in deviations of a feature; rounding errors are smaller."""


@dataclass(frozen=True)
class NearestNeighboursConfig(Config):
    """Hyperparameters of the nearest neighbours."""

    n_neighbors: int = 10
    """k; at most all clips of a class."""
    scaling: str = "standard"
    class_weight: str = "balanced"
    """Whether k is the same share of both classes, "balanced", or the same number, "none"."""

    def __post_init__(self) -> None:
        check_range("n_neighbors", self.n_neighbors, 1, 1_000_000)
        check_scaling(self.scaling)
        check_class_weight(self.class_weight)

    @classmethod
    def search_space(cls, trial: "optuna.Trial", n_clips: int = 0) -> Self:
        """Let a trial choose all hyperparameters."""
        return cls(
            n_neighbors=trial.suggest_int("n_neighbors", 1, 200, log=True),
            scaling=trial.suggest_categorical("scaling", SCALINGS),
            class_weight=suggest_class_weight(trial),
        )


class NearestNeighbours:
    """The nearest neighbours behind the contract of all classifiers."""

    Config = NearestNeighboursConfig
    takes = "embeddings"
    files = (WEIGHTS,)

    def __init__(self, config: NearestNeighboursConfig, *, seed: int = 7) -> None:
        self.config = config
        self.seed = seed
        self.arrays: dict[str, np.ndarray]
        """The training clips, unscaled, and the scaling."""
        self._scaling: Scaling
        self.classes: list[_Class]

    def fit(self, train: EmbeddingTable, val: EmbeddingTable, watch: Watch = keep_going) -> History:
        """Keep `train` and evaluate on `val`; every clip of `train` is its own neighbour, so its loss says little."""
        scaling = Scaling.learn(train.vectors, self.config.scaling, always=train.of_several_stores)
        self._take(
            {
                "mean": scaling.mean,
                "deviation": scaling.deviation,
                "vectors": train.vectors,
                "labels": train.labels.astype(np.uint8),
            }
        )
        return judged(self.scores, train, val)

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """Return how much nearer bona fide neighbours are than spoofs, as a log-ratio of distances, shape (n,)."""
        scores = np.empty(len(vectors))
        for rows in chunks(len(vectors), max(1, SCORING_NUMBERS // len(self.arrays["labels"]))):
            scaled = self._scaling.apply(vectors[rows])
            spoof, bonafide = (np.log(one.mean_distance(scaled)) for one in self.classes)
            scores[rows] = spoof - bonafide
        return scores

    def save(self, folder: Path) -> None:
        """Write `model.safetensors`."""
        save_arrays(folder, self.arrays)

    @classmethod
    def load(cls, folder: Path, config: NearestNeighboursConfig) -> Self:
        """Read `model.safetensors`."""
        classifier = cls(config)
        classifier._take(load_arrays(folder, ARRAYS))
        return classifier

    def _take(self, arrays: dict[str, np.ndarray]) -> None:
        self.arrays = arrays
        self._scaling = Scaling(self.config.scaling, arrays["mean"], arrays["deviation"])
        of_class = [self._scaling.apply(arrays["vectors"][arrays["labels"] == label]) for label in (0, 1)]
        smallest = min(map(len, of_class))
        k = self.config.n_neighbors
        shares = [len(found) / smallest if self.config.class_weight == "balanced" else 1.0 for found in of_class]
        self.classes = [
            _Class(found, squared_lengths(found), min(len(found), max(1, round(share * min(k, smallest)))))
            for found, share in zip(of_class, shares, strict=True)
        ]


@dataclass(frozen=True)
class _Class:
    """The training clips of a class."""

    vectors: np.ndarray
    """Shape (n, d), scaled."""
    lengths: np.ndarray
    """Shape (n,), squared."""
    n_neighbors: int

    def mean_distance(self, scaled: np.ndarray) -> np.ndarray:
        """Return the mean distance of scaled vectors (m, d) to their nearest clips, shape (m,), per feature."""
        squares = squared_lengths(scaled)[:, None] + self.lengths - 2 * (scaled @ self.vectors.T)
        nearest = np.sort(np.partition(squares, self.n_neighbors - 1, axis=1)[:, : self.n_neighbors], axis=1)
        return np.sqrt(np.maximum(nearest / scaled.shape[1], SMALLEST**2)).mean(axis=1)
