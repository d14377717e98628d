import math

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from src.metrics.classification import confusion_matrix, decision_metrics

Y_TRUE = [1, 1, 1, 0, 0, 0, 0]
Y_SCORES = [0.9, 0.5, 0.1, 0.7, 0.3, 0.2, 0.0]
trials = st.tuples(
    st.lists(st.integers(-3, 3), min_size=1, max_size=20), st.lists(st.integers(-3, 3), min_size=1, max_size=20)
).map(lambda pair: (np.repeat([1, 0], [len(pair[0]), len(pair[1])]), np.array(pair[0] + pair[1], dtype=float)))


def test_counts_by_hand_and_the_threshold_itself_is_bona_fide():
    np.testing.assert_array_equal(confusion_matrix(Y_TRUE, Y_SCORES, 0.5), [[3, 1], [1, 2]])
    np.testing.assert_array_equal(confusion_matrix(Y_TRUE, Y_SCORES, 0.50001), [[3, 1], [2, 1]])


def test_metrics_by_hand():
    metrics = decision_metrics(Y_TRUE, Y_SCORES, 0.5)
    assert metrics == {
        "accuracy": pytest.approx(5 / 7),
        "balanced_accuracy": pytest.approx((2 / 3 + 3 / 4) / 2),
        "precision": pytest.approx(2 / 3),
        "recall": pytest.approx(2 / 3),
        "f1": pytest.approx(2 / 3),
        "true_bonafide": 2,
        "false_bonafide": 1,
        "false_spoof": 1,
        "true_spoof": 3,
    }


@given(trials, st.integers(-4, 4))
def test_metrics_are_those_of_scikit_learn(pair, threshold):
    y_true, y_scores = pair
    decisions = (y_scores >= threshold).astype(int)
    metrics = decision_metrics(y_true, y_scores, threshold)
    precision, recall, f1, _ = sklearn.metrics.precision_recall_fscore_support(
        y_true, decisions, average="binary", zero_division=0.0
    )
    assert metrics["accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(y_true, decisions))
    assert metrics["balanced_accuracy"] == pytest.approx(sklearn.metrics.balanced_accuracy_score(y_true, decisions))
    assert (metrics["precision"], metrics["recall"], metrics["f1"]) == pytest.approx((precision, recall, f1))
    np.testing.assert_array_equal(
        confusion_matrix(y_true, y_scores, threshold),
        sklearn.metrics.confusion_matrix(y_true, decisions, labels=[0, 1]),
    )


def test_precision_is_0_where_nothing_is_accepted():
    metrics = decision_metrics(Y_TRUE, Y_SCORES, math.inf)
    assert (metrics["precision"], metrics["recall"], metrics["f1"]) == (0.0, 0.0, 0.0)
    assert (metrics["accuracy"], metrics["balanced_accuracy"]) == (4 / 7, 0.5)


def test_accuracy_follows_the_share_of_spoofs_and_balanced_accuracy_does_not():
    few = decision_metrics([1, 0], [0.0, 0.0], 0.5)
    many = decision_metrics([1] + [0] * 9, [0.0] * 10, 0.5)
    assert (few["accuracy"], many["accuracy"]) == (0.5, 0.9)
    assert few["balanced_accuracy"] == many["balanced_accuracy"] == 0.5


def test_a_threshold_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="The decision threshold is NaN"):
        decision_metrics(Y_TRUE, Y_SCORES, math.nan)
