"""What the SVM and the random forest share: a scikit-learn estimator behind the contract, saved without pickles.

skops writes the estimator as data and reads it without running code from the file; types beyond its own list must be
named by the reader.
"""

from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from src.models.contract import History, Watch, keep_going, reading_weights, validation_eer
from src.utils.embeddings import EmbeddingTable
from src.utils.files import atomic_path

WEIGHTS = "model.skops"


class EstimatorClassifier:
    """A classifier around a scikit-learn estimator; subclasses say which, and how it scores and is judged."""

    trusted: ClassVar[list[str]] = []
    """Types that the saved file may hold beyond those skops knows."""

    def __init__(self, config: Any, *, seed: int = 7) -> None:
        self.config = config
        self.seed = seed
        self.estimator: Any = None

    def make_estimator(self) -> Any:
        """Return an estimator that has learnt nothing yet."""
        raise NotImplementedError

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """Return a score for every row of vectors (n, d): shape (n,), higher = more bona fide."""
        raise NotImplementedError

    def loss(self, labels: np.ndarray, scores: np.ndarray) -> float:
        """Return the mean loss of scores (n,) by the measure that the estimator minimises."""
        raise NotImplementedError

    def fit(self, train: EmbeddingTable, val: EmbeddingTable, watch: Watch = keep_going) -> History:
        """Learn from `train` and judge on `val`, once: there are no epochs to watch."""
        self.estimator = self.make_estimator().fit(train.vectors, train.labels)
        train_scores, val_scores = self.scores(train.vectors), self.scores(val.vectors)
        return History(
            train_losses=np.array([self.loss(train.labels, train_scores)]),
            val_losses=np.array([self.loss(val.labels, val_scores)]),
            val_eers=np.array([validation_eer(val.labels, val_scores)]),
            best=0,
        )

    def save(self, folder: Path) -> None:
        """Write `model.skops`."""
        import skops.io

        with atomic_path(folder / WEIGHTS) as temporary:
            skops.io.dump(self.estimator, temporary)

    @classmethod
    def load(cls, folder: Path, config: Any) -> Self:
        """Read `model.skops`."""
        import skops.io

        classifier = cls(config)
        with reading_weights(folder / WEIGHTS):
            classifier.estimator = skops.io.load(folder / WEIGHTS, trusted=cls.trusted)
        return classifier
