"""What is particular to gradient-boosted trees: maps of features that keep their order, and scikit-learn's scores."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from src.models.gradient_boosting import GradientBoosting, GradientBoostingConfig
from src.utils.embeddings import EmbeddingTable

DrawTable = Callable[..., EmbeddingTable]
QUICK = GradientBoostingConfig(n_estimators=20, max_features=0.5)


def test_only_the_order_of_values_counts(draw_table: DrawTable) -> None:
    train, val = draw_table(), draw_table(seed=1)
    scores = []
    for table in (train, replace(train, vectors=np.exp(train.vectors))):
        classifier = GradientBoosting(QUICK)
        classifier.fit(table, val)
        scores.append(classifier.scores(table.vectors))
    np.testing.assert_allclose(*scores, rtol=1e-6)


def test_scores_are_the_log_odds_of_scikit_learns_probabilities(draw_table: DrawTable) -> None:
    classifier, val = GradientBoosting(QUICK), draw_table(seed=1)
    classifier.fit(draw_table(), val)
    probability = classifier.estimator.predict_proba(val.vectors)[:, 1]
    np.testing.assert_allclose(classifier.scores(val.vectors), np.log(probability / (1 - probability)), atol=1e-9)


def test_as_many_trees_are_grown_as_asked_for(draw_table: DrawTable) -> None:
    classifier = GradientBoosting(QUICK)
    classifier.fit(draw_table(), draw_table(seed=1))
    assert classifier.estimator.n_iter_ == 20
