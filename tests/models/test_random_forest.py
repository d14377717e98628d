from collections.abc import Callable

import numpy as np
import pytest

from src.models.random_forest import RandomForest, RandomForestConfig
from src.utils.embeddings import EmbeddingTable

DrawTable = Callable[..., EmbeddingTable]


def test_forest_scores_are_the_log_odds_of_what_the_trees_say_on_average(draw_table: DrawTable) -> None:
    val = draw_table(seed=1)
    classifier = RandomForest(RandomForestConfig(n_estimators=20, min_samples_leaf=5))
    classifier.fit(draw_table(), val)
    trees = classifier.estimator.estimators_
    assert len(trees) == 20
    mean = np.mean([tree.predict_proba(val.vectors)[:, 1] for tree in trees], axis=0)
    np.testing.assert_allclose(classifier.scores(val.vectors), np.log(mean / (1 - mean)), rtol=1e-9, atol=1e-9)


def test_forest_scores_do_not_depend_on_which_tree_ends_first(draw_table: DrawTable) -> None:
    """Sums in another order have other last digits: near ties change places, and the EER with them."""
    classifier = RandomForest(RandomForestConfig(n_estimators=150, min_samples_leaf=3))
    classifier.fit(draw_table(300), draw_table(seed=1))
    test = draw_table(1500, seed=2)
    assert len({classifier.scores(test.vectors).tobytes() for _ in range(10)}) == 1


def test_trees_that_all_agree_count_as_half_a_tree_short_of_certainty(draw_table: DrawTable) -> None:
    classifier = RandomForest(RandomForestConfig(n_estimators=10, max_features=1.0))
    classifier.fit(draw_table(distance=20), draw_table(distance=20, seed=1))
    certain = np.zeros((2, 6), np.float32)
    certain[:, 0] = (-30, 50)
    np.testing.assert_allclose(classifier.scores(certain), [np.log(0.05 / 0.95), np.log(0.95 / 0.05)])


def test_the_forests_loss_is_the_cross_entropy(draw_table: DrawTable) -> None:
    val = draw_table(seed=1)
    classifier = RandomForest(RandomForestConfig(n_estimators=20))
    history = classifier.fit(draw_table(), val)
    probability = 1 / (1 + np.exp(-classifier.scores(val.vectors)))
    right = np.where(val.labels == 1, probability, 1 - probability)
    assert history.val_losses[0] == pytest.approx(-np.log(right).mean())


def test_the_forests_hyperparameters_reach_its_trees(draw_table: DrawTable) -> None:
    train, val = draw_table(), draw_table(seed=1)
    free, low, coarse = (
        RandomForest(RandomForestConfig(n_estimators=5, max_features=1.0, **values))
        for values in ({}, {"max_depth": 2}, {"min_samples_leaf": 30})
    )
    for classifier in (free, low, coarse):
        classifier.fit(train, val)
        assert {tree.max_features_ for tree in classifier.estimator.estimators_} == {6}
    assert max(tree.get_depth() for tree in low.estimator.estimators_) == 2
    assert min(tree.get_depth() for tree in free.estimator.estimators_) > 2, "0 is no limit"
    for tree in coarse.estimator.estimators_:
        leaves = tree.tree_.children_left == -1
        assert tree.tree_.n_node_samples[leaves].min() >= 15, "thirty drawn with repetition are fewer clips"
