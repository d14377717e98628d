from collections.abc import Callable

import numpy as np
import pytest

from src.models.logistic_regression import LogisticRegression, LogisticRegressionConfig
from src.utils.embeddings import EmbeddingTable

DrawTable = Callable[..., EmbeddingTable]


def test_its_loss_is_the_cross_entropy(draw_table: DrawTable) -> None:
    val = draw_table(seed=1)
    classifier = LogisticRegression(LogisticRegressionConfig())
    history = classifier.fit(draw_table(), val)
    probability = 1 / (1 + np.exp(-classifier.scores(val.vectors)))
    right = np.where(val.labels == 1, probability, 1 - probability)
    assert history.val_losses[0] == pytest.approx(-np.log(right).mean())


def test_scores_are_log_likelihood_ratios_whatever_the_shares_of_the_classes(draw_table: DrawTable) -> None:
    """Two Gaussians of variance 1 whose means lie 2 apart: the ratio is 2 x - 2, known on paper."""
    classifier = LogisticRegression(LogisticRegressionConfig(C=1e3))
    classifier.fit(draw_table(40_000, distance=2, dimension=2, bonafide=0.2), draw_table(distance=2, dimension=2))
    test = draw_table(1000, distance=2, dimension=2, seed=2)
    np.testing.assert_allclose(classifier.scores(test.vectors), 2 * test.vectors[:, 0] - 2, atol=0.25)


def test_a_small_price_keeps_the_weights_small(draw_table: DrawTable) -> None:
    spreads = []
    for price in (1e-4, 1e-2, 1.0):
        classifier = LogisticRegression(LogisticRegressionConfig(C=price))
        classifier.fit(draw_table(), draw_table(seed=1))
        spreads.append(classifier.scores(draw_table(seed=1).vectors).std())
    assert spreads == sorted(spreads)
    assert spreads[0] < spreads[2] / 10
