"""The nearest neighbours found by hand, and what the score means."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from src.metrics.eer import eer_of
from src.models.knn import NearestNeighbours, NearestNeighboursConfig
from src.utils.embeddings import EmbeddingTable

DrawTable = Callable[..., EmbeddingTable]


def fitted(table: EmbeddingTable, **values: Any) -> NearestNeighbours:
    classifier = NearestNeighbours(NearestNeighboursConfig(**values))
    classifier.fit(table, table)
    return classifier


def by_hand(train: EmbeddingTable, clip: np.ndarray, k: tuple[int, int]) -> float:
    """Return the score of a clip from all its distances, sorted; per feature, of vectors as they are."""
    distances = np.sqrt(((train.vectors.astype(float) - clip) ** 2).mean(axis=1))
    spoof, bonafide = (np.sort(distances[train.labels == label])[: k[label]].mean() for label in (0, 1))
    return float(np.log(spoof) - np.log(bonafide))


@pytest.mark.parametrize(("class_weight", "k"), [("balanced", (12, 3)), ("none", (3, 3))])
def test_scores_are_those_of_all_distances_sorted(draw_table: DrawTable, class_weight: str, k: tuple[int, int]) -> None:
    train, test = draw_table(100, bonafide=0.2), draw_table(20, seed=1)
    scores = fitted(train, n_neighbors=3, scaling="none", class_weight=class_weight).scores(test.vectors)
    np.testing.assert_allclose(scores, [by_hand(train, clip, k) for clip in test.vectors.astype(float)], rtol=1e-9)


def test_the_nearest_agree_with_scikit_learn(draw_table: DrawTable) -> None:
    from sklearn.neighbors import NearestNeighbors

    train, test = draw_table(200), draw_table(50, seed=1)
    deviation, mean = train.vectors.std(axis=0, dtype=float), train.vectors.mean(axis=0, dtype=float)
    inside, outside = ((table.vectors - mean) / deviation for table in (train, test))
    means = [
        NearestNeighbors(n_neighbors=7).fit(inside[train.labels == label]).kneighbors(outside)[0].mean(axis=1)
        for label in (0, 1)
    ]
    scores = fitted(train, n_neighbors=7).scores(test.vectors)
    np.testing.assert_allclose(scores, np.log(means[0]) - np.log(means[1]), rtol=1e-9, atol=1e-12)


def test_unit_scaling_looks_at_directions_only(draw_table: DrawTable) -> None:
    train, test = draw_table(), draw_table(seed=1)
    classifier = fitted(train, scaling="unit")
    mean = classifier.arrays["mean"]
    longer = (3 * (test.vectors - mean) + mean).astype(np.float32)
    np.testing.assert_allclose(classifier.scores(longer), classifier.scores(test.vectors), atol=1e-5)


def test_scores_are_not_tied(draw_table: DrawTable) -> None:
    test = draw_table(1000, distance=8, seed=1)
    assert len(set(fitted(draw_table(distance=8), n_neighbors=1).scores(test.vectors))) == 1000


def test_a_clip_of_the_training_has_a_finite_score(draw_table: DrawTable) -> None:
    train = draw_table()
    scores = fitted(train, n_neighbors=1, scaling="none").scores(train.vectors)
    assert np.isfinite(scores).all()
    assert eer_of(train.labels, scores) == 0


def test_more_neighbours_than_clips_of_a_class_are_all_of_them(draw_table: DrawTable) -> None:
    train, test = draw_table(50, bonafide=0.1), draw_table(20, seed=1)
    scores = fitted(train, n_neighbors=1000, scaling="none").scores(test.vectors)
    np.testing.assert_allclose(scores, [by_hand(train, clip, (45, 5)) for clip in test.vectors.astype(float)])


def test_parts_of_a_table_are_scored_as_the_whole(draw_table: DrawTable, monkeypatch: pytest.MonkeyPatch) -> None:
    from src.models.knn import knn_model

    classifier, test = fitted(draw_table()), draw_table(seed=1)
    whole = classifier.scores(test.vectors)
    monkeypatch.setattr(knn_model, "SCORING_NUMBERS", 1)
    np.testing.assert_allclose(classifier.scores(test.vectors), whole, rtol=1e-9)


def test_density_decides_where_classes_are_not_balanced(draw_table: DrawTable) -> None:
    """Nine of ten clips are spoofs of the same distribution: nearer without balance, as near with it."""
    train, test = draw_table(1000, distance=0, bonafide=0.1), draw_table(500, distance=0, seed=1)
    plain, balanced = (fitted(train, class_weight=how).scores(test.vectors).mean() for how in ("none", "balanced"))
    assert plain < -0.2
    assert abs(balanced) < 0.05


def test_a_copy_of_the_data_changes_nothing(draw_table: DrawTable) -> None:
    train, test = draw_table(), draw_table(seed=1)
    order = np.random.default_rng(0).permutation(len(train))
    shuffled = replace(train, vectors=train.vectors[order], labels=train.labels[order])
    scores = [fitted(table, scaling="none").scores(test.vectors) for table in (train, shuffled)]
    np.testing.assert_allclose(*scores, rtol=1e-9)
