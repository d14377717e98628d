import numpy as np
import pytest

from src.metrics.calibration import Calibration, compute_cllr, fit_calibration
from src.metrics.eer import compute_eer


def test_scores_that_say_nothing_cost_one_bit():
    assert compute_cllr([1, 0, 0], [0.0, 0.0, 0.0]) == 1.0


def test_value_by_hand():
    # e^-s = 1/3 for the bona fide trial, e^s = 1 and 1/7 for the spoofs.
    expected = (np.log2(4 / 3) + (np.log2(2) + np.log2(8 / 7)) / 2) / 2
    assert compute_cllr([1, 0, 0], [np.log(3), 0.0, -np.log(7)]) == pytest.approx(expected, abs=1e-15)


def test_it_is_the_cross_entropy_of_the_balanced_posterior():
    from sklearn.metrics import log_loss

    rng = np.random.default_rng(5)
    y_true = np.repeat([1, 0], [300, 900])
    llrs = rng.normal(size=1200) + 2 * y_true - 1
    weights = np.where(y_true == 1, 1 / 300, 1 / 900)
    expected = log_loss(y_true, 1 / (1 + np.exp(-llrs)), sample_weight=weights) / np.log(2)
    assert compute_cllr(y_true, llrs) == pytest.approx(expected, abs=1e-12)


def test_swapped_classes_and_negated_scores_cost_the_same():
    y_true, llrs = np.array([1, 0, 0, 1, 0]), np.array([1.5, -2.0, 0.3, -0.7, -4.0])
    assert compute_cllr(1 - y_true, -llrs) == pytest.approx(compute_cllr(y_true, llrs), abs=1e-15)


def test_true_log_likelihood_ratios_cost_less_than_scaled_or_shifted_ones():
    rng = np.random.default_rng(6)
    y_true = np.repeat([1, 0], 20_000)
    llrs = rng.normal(np.repeat([2.0, -2.0], 20_000), 2.0)  # N(s^2/2, s^2) and N(-s^2/2, s^2) are their own LLRs
    best = compute_cllr(y_true, llrs)
    for worse in (0.5 * llrs, 2 * llrs, llrs + 1, llrs - 1):
        assert compute_cllr(y_true, worse) > best + 0.01


def test_huge_scores_neither_overflow_nor_vanish():
    # Warnings are errors here, so an overflow would fail.
    assert compute_cllr([1, 0], [1e4, -1e4]) == 0.0
    assert compute_cllr([1, 0], [-1e4, 1e4]) == pytest.approx(1e4 / np.log(2), rel=1e-12)


def gaussian_scores(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and scores, N(0, 1) and N(2, 1): their log-likelihood ratio is 2 s - 2."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([1, 0], [n, 3 * n])
    return labels, rng.normal(size=4 * n) + 2 * labels


def test_the_line_of_two_equal_bells_is_their_likelihood_ratio():
    line = fit_calibration(*gaussian_scores(20_000))
    assert (line.scale, line.offset) == pytest.approx((2.0, -2.0), abs=0.06)


def test_calibration_costs_less_and_changes_no_order():
    labels, scores = gaussian_scores(2_000, seed=1)
    shifted = 40 * scores + 300
    line = fit_calibration(labels, shifted)
    fresh_labels, fresh = gaussian_scores(2_000, seed=2)
    calibrated = line.apply(40 * fresh + 300)
    assert compute_cllr(fresh_labels, calibrated) < 0.65 < 1 < compute_cllr(fresh_labels, 40 * fresh + 300)
    assert compute_eer(fresh_labels, calibrated)[0] == compute_eer(fresh_labels, fresh)[0]


def test_it_is_the_weighted_logistic_regression_of_scikit_learn():
    """Platt's targets as two weighted copies of every trial, one of each label."""
    from sklearn.linear_model import LogisticRegression

    labels, scores = gaussian_scores(50, seed=3)
    n_own = np.bincount(labels)[labels]
    targets = np.where(labels == 1, n_own + 1, 1) / (n_own + 2)
    weights = np.concatenate([targets / n_own, (1 - targets) / n_own])
    regression = LogisticRegression(C=1e9, tol=1e-12, max_iter=10_000)
    regression.fit(np.tile(scores, 2)[:, None], np.repeat([1, 0], len(scores)), sample_weight=weights)
    line = fit_calibration(labels, scores)
    assert line.scale == pytest.approx(regression.coef_[0, 0], rel=1e-4)
    assert line.offset == pytest.approx(regression.intercept_[0], rel=1e-4)


def test_few_trials_without_an_error_promise_no_certainty():
    line = fit_calibration([1] * 10 + [0] * 10, [1.0] * 10 + [0.0] * 10)
    assert line.apply([1.0, 0.0]) == pytest.approx([np.log(11), -np.log(11)], rel=1e-6)


def test_scores_that_run_the_wrong_way_keep_their_order():
    labels, scores = gaussian_scores(100)
    line = fit_calibration(labels, -scores)
    assert 0 < line.scale < 0.01
    assert fit_calibration([1, 0], [2.0, 2.0]).apply([2.0]) == pytest.approx([0.0], abs=1e-6)


@pytest.mark.parametrize("line", [(0.0, 0.0), (-1.0, 0.0), (1.0, np.inf), (np.nan, 0.0)])
def test_a_calibration_that_is_no_rising_line_is_refused(line: tuple[float, float]):
    with pytest.raises(ValueError, match="A calibration is a scale above 0 and an offset"):
        Calibration(*line)
