"""What every classifier must do, by the same tests for each."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from src.metrics.eer import compute_eer
from src.models import CLASSIFIERS, classifier_class
from src.utils.embeddings import EmbeddingTable

Make = Callable[..., Any]
DrawTable = Callable[..., EmbeddingTable]


def saved_and_loaded(classifier: Any, folder: Path) -> Any:
    classifier.save(folder)
    return type(classifier).load(folder, classifier.config)


def test_bona_fide_scores_higher_and_separable_classes_have_no_error(make: Make, draw_table: DrawTable) -> None:
    """Fault 8: a label was 1 = real in one place and 1 = spoof in another."""
    classifier, val = make(), draw_table(distance=12, seed=1)
    history = classifier.fit(draw_table(distance=12), val)
    scores = classifier.scores(val.vectors)
    assert history.best_eer == 0
    assert scores[val.labels == 1].min() > scores[val.labels == 0].max()
    assert scores[val.labels == 1].min() > 0 > scores[val.labels == 0].max()


def test_classes_that_do_not_differ_cannot_be_separated(make: Make, draw_table: DrawTable) -> None:
    classifier, test = make(), draw_table(1000, distance=0, seed=2)
    classifier.fit(draw_table(distance=0), draw_table(distance=0, seed=1))
    assert abs(np.corrcoef(test.labels, classifier.scores(test.vectors))[0, 1]) < 0.15


@pytest.mark.filterwarnings("ignore:There are only:UserWarning")
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_eer_reported_is_that_of_the_weights_saved(
    make: Make, draw_table: DrawTable, tmp_path: Path, seed: int
) -> None:
    """Fault 4: the EER of any epoch was reported, the weights of the best loss were saved."""
    classifier, val = make(seed=seed), draw_table(101, seed=10 + seed)
    history = classifier.fit(draw_table(seed=seed), val)
    loaded = saved_and_loaded(classifier, tmp_path)
    assert history.val_eers[history.best] == history.best_eer == history.val_eers.min()
    assert history.best_eer == compute_eer(val.labels, loaded.scores(val.vectors))[0]
    assert 0.05 < history.best_eer < 0.45, "a number that could have gone wrong"


def test_the_eer_comes_from_scores_and_not_from_decisions(make: Make, draw_table: DrawTable) -> None:
    """Fault 2: SVM and RF computed it from predicted labels. Here validation lies shifted, so the two differ."""
    classifier, val = make(), draw_table(400, distance=2, seed=1)
    vectors = val.vectors.copy()
    vectors[:, 0] += 1  # more of the spoofs are taken for bona fide, fewer of the bona fide for spoofs
    val = replace(val, vectors=vectors)
    history = classifier.fit(draw_table(400, distance=2), val)
    scores = classifier.scores(val.vectors)
    of_scores = compute_eer(val.labels, scores)[0]
    with pytest.warns(UserWarning, match="only 2 distinct score"):
        of_decisions = compute_eer(val.labels, (scores > 0).astype(float))[0]
    assert history.best_eer == of_scores
    assert abs(of_scores - of_decisions) > 0.02


def test_scores_are_finite_numbers_and_the_same_after_saving(make: Make, draw_table: DrawTable, tmp_path: Path) -> None:
    classifier, val = make(), draw_table(seed=1)
    classifier.fit(draw_table(), val)
    scores = classifier.scores(val.vectors)
    assert scores.shape == (len(val),)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    assert saved_and_loaded(classifier, tmp_path).scores(val.vectors).tobytes() == scores.tobytes()
    for same in (val.vectors.astype(np.float64), np.asfortranarray(val.vectors)):
        np.testing.assert_allclose(classifier.scores(same), scores, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(classifier.scores(val.vectors[3:4]), scores[3:4], rtol=1e-5, atol=1e-6)


def test_same_seed_same_bytes_and_another_seed_others(name: str, make: Make, draw_table: DrawTable) -> None:
    train, val = draw_table(), draw_table(seed=1)

    def run(seed: int) -> tuple[bytes, bytes]:
        classifier = make(seed=seed)
        history = classifier.fit(train, val)
        np.random.default_rng().random()
        return classifier.scores(val.vectors).tobytes(), history.val_losses.tobytes()

    assert run(3) == run(3)
    assert (run(3) == run(4)) == (name in ("svm", "lr", "knn")), "nothing in them is random"


def test_scoring_twice_gives_the_same_bytes(make: Make, draw_table: DrawTable) -> None:
    classifier, test = make(), draw_table(seed=2)
    classifier.fit(draw_table(), draw_table(seed=1))
    assert classifier.scores(test.vectors).tobytes() == classifier.scores(test.vectors).tobytes()


def test_training_neither_changes_nor_uses_a_global_generator(make: Make, draw_table: DrawTable) -> None:
    def state() -> tuple[Any, ...]:
        _, keys, *rest = np.random.get_state()  # noqa: NPY002
        return keys.tobytes(), rest, torch.get_rng_state().numpy().tobytes(), random.getstate()

    make().fit(draw_table(), draw_table(seed=1))  # what it imports may draw while it is imported
    results = []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        random.seed(seed)
        before = state()
        classifier = make()
        classifier.fit(draw_table(), draw_table(seed=1))
        assert state() == before
        results.append(classifier.scores(draw_table(seed=1).vectors).tobytes())
    assert results[0] == results[1]


def test_the_history_has_one_value_per_epoch(name: str, make: Make, draw_table: DrawTable) -> None:
    history = make().fit(draw_table(), draw_table(seed=1))
    curves = history.train_losses, history.val_losses, history.val_eers
    assert {curve.shape for curve in curves} == {(8 if name == "mlp" else 1,)}
    assert all(np.isfinite(curve).all() for curve in curves)
    assert all((curve >= 0).all() for curve in curves)
    assert (history.val_eers <= 1).all()
    assert 0 <= history.best < len(history.val_eers)


def test_both_classes_weigh_the_same_however_many_clips_they_have(name: str, make: Make, draw_table: DrawTable) -> None:
    values = {
        "rf": {"min_samples_leaf": 20, "n_estimators": 100},
        "svm": {"C": 0.1},
        "lr": {},
        "mlp": {"n_hidden_layers": 0},
        "gb": {"max_leaf_nodes": 3, "min_samples_leaf": 20},
        "knn": {"n_neighbors": 10},
    }
    classifier, test = make(**values[name]), draw_table(2000, seed=2)
    classifier.fit(draw_table(1000, bonafide=0.06), draw_table(seed=1))
    scores = classifier.scores(test.vectors)
    misses, false_alarms = (scores[test.labels == 1] < 0).mean(), (scores[test.labels == 0] >= 0).mean()
    assert abs(misses - false_alarms) < 0.2, (misses, false_alarms)
    assert max(misses, false_alarms) < 0.5


def test_a_constant_feature_does_no_harm(make: Make, draw_table: DrawTable) -> None:
    tables = []
    for drawn, little in ((draw_table(150), 0), (draw_table(seed=1), 1e-3)):  # constant in training, not later
        vectors = drawn.vectors.copy()
        vectors[:, 3] = 0.1
        vectors[:, 4] = little
        tables.append(replace(drawn, vectors=vectors))
    train, val = tables
    classifier = make()
    history = classifier.fit(train, val)
    assert np.isfinite(classifier.scores(val.vectors)).all()
    assert history.best_eer < 0.4


def test_scale_and_offset_of_the_features_do_not_matter(name: str, make: Make, draw_table: DrawTable) -> None:
    scores = []
    for scale, offset in ((1, 0), (1024, 4096)):
        drawn = (draw_table(), draw_table(seed=1))
        train, val = (replace(table, vectors=table.vectors * scale + offset) for table in drawn)
        classifier = make()
        classifier.fit(train, val)
        scores.append(classifier.scores(val.vectors))
    assert np.corrcoef(scores)[0, 1] > 0.99


def test_the_table_of_classifiers_and_unknown_ones() -> None:
    assert [classifier_class(name).__name__ for name in CLASSIFIERS] == [
        "Mlp",
        "Svm",
        "RandomForest",
        "LogisticRegression",
        "GradientBoosting",
        "NearestNeighbours",
    ]
    with pytest.raises(ValueError, match="Unknown classifier 'cnn'; allowed: mlp, svm, rf, lr, gb, knn"):
        classifier_class("cnn")
    with pytest.raises(ValueError, match=r"No classifier given \(`classifier`\)"):
        classifier_class("")


def test_without_class_weights_the_larger_class_wins(name: str, make: Make, draw_table: DrawTable) -> None:
    """Nine of ten clips are spoofs: what is not balanced calls more clips spoofs than what is."""
    values: dict[str, dict[str, Any]] = {
        "rf": {"min_samples_leaf": 20, "n_estimators": 100},
        "svm": {"C": 0.1},
        "gb": {"max_leaf_nodes": 3},
    }
    train, val, test = draw_table(600, bonafide=0.1), draw_table(seed=1), draw_table(500, seed=2)
    shares = []
    for weight in ("balanced", "none"):
        classifier = make(**values.get(name, {}), class_weight=weight)
        classifier.fit(train, val)
        shares.append((classifier.scores(test.vectors) > 0).mean())
    assert shares[1] < shares[0] - 0.1
