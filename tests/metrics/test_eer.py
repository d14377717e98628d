import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm

from src.metrics.eer import compute_eer, detection_error_curve, equal_error_point, operating_threshold

# Labels and whole-number scores with many ties, both classes present.
tied_trials = st.tuples(
    st.lists(st.integers(-5, 5), min_size=1, max_size=30), st.lists(st.integers(-5, 5), min_size=1, max_size=30)
).map(lambda pair: (np.repeat([1, 0], [len(pair[0]), len(pair[1])]), np.array(pair[0] + pair[1], dtype=float)))


def silent_eer(y_true, y_scores):
    return equal_error_point(*detection_error_curve(y_true, y_scores))


def test_curve_of_four_trials_by_hand():
    # Sorted: -2 spoof, 0 bona fide, 1 spoof, 3 bona fide.
    frr, far, thresholds = detection_error_curve([0, 1, 0, 1], [-2.0, 0.0, 1.0, 3.0])
    np.testing.assert_array_equal(frr, [0, 0, 0.5, 0.5, 1])
    np.testing.assert_array_equal(far, [1, 0.5, 0.5, 0, 0])
    np.testing.assert_array_equal(thresholds, [-2.001, -2, 0, 1, 3])


def test_curve_passes_bona_fide_first_among_equal_scores():
    frr, far, _ = detection_error_curve([0, 1, 0, 1], [7.0, 7.0, 7.0, 7.0])
    np.testing.assert_array_equal(frr, [0, 0.5, 1, 1, 1])
    np.testing.assert_array_equal(far, [1, 1, 1, 0.5, 0])


@pytest.mark.parametrize(
    ("bonafide", "spoof", "eer", "threshold"),
    [
        ([3, 4, 5], [0, 1, 2], 0.0, 2.0),  # separated: the last trial rejected is the highest spoof
        ([3], [0, 1, 2], 0.0, 2.0),
        ([1, 4, 5], [0, 2, 3], 1 / 3, 2.0),  # rejecting 0, 1, 2 leaves 1/3 missed and 1/3 accepted
        ([1, 4, 5, 6], [0, 2], (0.25 + 0.5) / 2, 1.0),  # 1/4 against 1/2 is as close as 1/4 against 0, and comes first
    ],
)
def test_eer_by_hand(bonafide, spoof, eer, threshold):
    y_true = [1] * len(bonafide) + [0] * len(spoof)
    assert compute_eer(y_true, bonafide + spoof) == (pytest.approx(eer, abs=1e-15), threshold)


def test_eer_of_two_gaussians_is_the_theoretical_one():
    # Equal widths, means 2 apart: both errors meet half way, at Phi(-1).
    n = 200_000
    quantiles = norm.ppf((np.arange(n) + 0.5) / n)
    eer, threshold = compute_eer(np.repeat([1, 0], n), np.concatenate([quantiles + 1, quantiles - 1]))
    assert eer == pytest.approx(norm.cdf(-1), abs=1e-5)
    assert threshold == pytest.approx(0, abs=1e-4)


def test_eer_agrees_with_the_interpolated_crossing_of_the_roc():
    from sklearn.metrics import roc_curve

    rng = np.random.default_rng(3)
    y_true = np.repeat([1, 0], [3000, 5000])
    y_scores = rng.normal(size=8000) + 1.3 * y_true
    fpr, tpr, _ = roc_curve(y_true, y_scores)
    crossing = brentq(lambda x: 1 - x - np.interp(x, fpr, tpr), 0, 1)
    assert compute_eer(y_true, y_scores)[0] == pytest.approx(crossing, abs=1 / 3000)


def test_order_of_the_trials_does_not_count():
    rng = np.random.default_rng(4)
    y_true = rng.integers(0, 2, 500)
    y_scores = np.round(rng.normal(size=500) + y_true, 1)  # with ties
    shuffled = rng.permutation(500)
    assert compute_eer(y_true[shuffled], y_scores[shuffled]) == compute_eer(y_true, y_scores)


@given(tied_trials)
def test_increasing_maps_leave_the_eer_and_move_the_threshold(trials):
    y_true, y_scores = trials
    eer, threshold = silent_eer(y_true, y_scores)
    for increasing in (np.exp, lambda x: x**3, lambda x: 1000 * x - 7):
        mapped_eer, mapped_threshold = silent_eer(y_true, increasing(y_scores))
        assert mapped_eer == eer
        if threshold in y_scores:
            assert mapped_threshold == increasing(np.float64(threshold))


@given(st.integers(1, 40), st.randoms(use_true_random=False))
def test_swapped_classes_and_negated_scores_have_the_same_eer(n, random):
    y_true = np.array(random.sample([0] * n + [1] * n, 2 * n))
    y_scores = np.array(random.sample(range(1000), 2 * n))
    assert silent_eer(y_true, y_scores)[0] == silent_eer(1 - y_true, -y_scores)[0]


@given(tied_trials)
def test_curve_holds_the_error_rates_of_every_threshold(trials):
    y_true, y_scores = trials
    frr, far, thresholds = detection_error_curve(y_true, y_scores)
    assert (np.diff(frr) >= 0).all()
    assert (np.diff(far) <= 0).all()
    # A point that ends a tie is a threshold between two scores: count its errors from scratch.
    ends = np.flatnonzero(np.append(np.diff(thresholds) > 0, True))
    for i in ends:
        assert frr[i] == pytest.approx(np.mean(y_scores[y_true == 1] <= thresholds[i]))
        assert far[i] == pytest.approx(np.mean(y_scores[y_true == 0] > thresholds[i]))


def test_hard_decisions_are_no_scores():
    with pytest.warns(UserWarning, match=r"only 2 distinct score\(s\), so the EER of .* means nothing"):
        compute_eer([1, 1, 1, 1, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0, 0, 1])


def test_all_equal_scores_give_the_official_1_and_one_warning():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert compute_eer([1, 0, 1, 0], [0.5] * 4) == (1.0, 0.5)
    assert [str(warning.message)[:29] for warning in caught] == ["There are only 1 distinct sco"]


def test_inverted_scores_are_warned_of():
    with pytest.warns(UserWarning, match=r"The EER is 66\.67 %, above 50 %: the score probably runs the other way"):
        compute_eer([0, 0, 0, 1, 1, 1], [1, 4, 5, 0, 2, 3])


def test_eer_of_one_half_is_not_warned_of():
    assert compute_eer([0, 1, 0, 1], [-2.0, 0.0, 1.0, 3.0]) == (0.5, 0.0)


def test_operating_threshold_makes_the_errors_of_the_eer() -> None:
    rng = np.random.default_rng(3)
    for shift in (0.0, 1.0, 5.0, -1.0):
        labels = rng.integers(0, 2, 301)
        scores = rng.standard_normal(301) + shift * labels
        threshold = operating_threshold(labels, scores)
        frr = np.mean(scores[labels == 1] < threshold)
        far = np.mean(scores[labels == 0] >= threshold)
        assert (frr + far) / 2 == pytest.approx(equal_error_point(*detection_error_curve(labels, scores))[0], abs=1e-12)
