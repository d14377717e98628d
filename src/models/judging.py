"""What a classifier without epochs says of its training, where its scores are log-odds of bona fide."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from src.metrics.eer import eer_of
from src.models.contract import History, cross_entropy

if TYPE_CHECKING:
    from src.utils.embeddings import EmbeddingTable


def judged(score: Callable[[np.ndarray], np.ndarray], train: "EmbeddingTable", val: "EmbeddingTable") -> History:
    """Return the cross entropy of both tables, and the validation EER, by what scores vectors (n, d) after training."""
    train_scores, val_scores = score(train.vectors), score(val.vectors)
    return History.of_one(
        cross_entropy(train.labels, train_scores),
        cross_entropy(val.labels, val_scores),
        eer_of(val.labels, val_scores),
    )
