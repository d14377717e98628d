"""What a classifier without epochs says of its training, where its scores are log-odds of bona fide."""

from typing import TYPE_CHECKING

from src.metrics.eer import eer_of
from src.models.contract import History, cross_entropy

if TYPE_CHECKING:
    from src.models.contract import Classifier
    from src.utils.embeddings import EmbeddingTable


def judged(classifier: "Classifier", train: "EmbeddingTable", val: "EmbeddingTable") -> History:
    """Return the cross entropy of both tables, and the validation EER, by the scores of a fitted classifier."""
    train_scores, val_scores = classifier.scores(train.vectors), classifier.scores(val.vectors)
    return History.of_one(
        cross_entropy(train.labels, train_scores),
        cross_entropy(val.labels, val_scores),
        eer_of(val.labels, val_scores),
    )
