import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from src.metrics.roc import compute_auc, roc_curve

tied_trials = st.tuples(
    st.lists(st.integers(-5, 5), min_size=1, max_size=30), st.lists(st.integers(-5, 5), min_size=1, max_size=30)
).map(lambda pair: (np.repeat([1, 0], [len(pair[0]), len(pair[1])]), np.array(pair[0] + pair[1], dtype=float)))


def test_curve_by_hand_with_a_tie():
    fpr, tpr, thresholds = roc_curve([1, 0, 1, 0], [0.9, 0.5, 0.5, 0.1])
    np.testing.assert_array_equal(fpr, [0, 0, 0.5, 1])
    np.testing.assert_array_equal(tpr, [0, 0.5, 1, 1])
    np.testing.assert_array_equal(thresholds, [np.inf, 0.9, 0.5, 0.1])


@given(tied_trials)
def test_curve_is_that_of_scikit_learn(trials):
    expected = sklearn.metrics.roc_curve(*trials, drop_intermediate=False)
    for ours, theirs in zip(roc_curve(*trials), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


@given(tied_trials)
def test_auc_is_the_chance_that_a_bona_fide_trial_scores_higher(trials):
    y_true, y_scores = trials
    bonafide, spoof = y_scores[y_true == 1], y_scores[y_true == 0]
    wins = mannwhitneyu(bonafide, spoof, method="asymptotic").statistic if len(set(y_scores)) > 1 else None
    auc = compute_auc(y_true, y_scores)
    assert auc == pytest.approx(0.5 if wins is None else wins / (len(bonafide) * len(spoof)), abs=1e-12)
    assert auc == pytest.approx(1 - compute_auc(1 - y_true, y_scores), abs=1e-12)
    assert auc == pytest.approx(compute_auc(y_true, np.exp(y_scores)), abs=1e-12)


@pytest.mark.parametrize(("y_scores", "auc"), [([4, 3, 2, 1], 1.0), ([1, 2, 3, 4], 0.0), ([5, 5, 5, 5], 0.5)])
def test_auc_at_its_ends(y_scores, auc):
    assert compute_auc([1, 1, 0, 0], y_scores) == auc
