import numpy as np
import pytest

from src.metrics.calibration import compute_cllr


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
