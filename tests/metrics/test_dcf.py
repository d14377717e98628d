import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.metrics.dcf import bayes_threshold, compute_act_dcf, compute_min_dcf

trials = st.tuples(
    st.lists(st.integers(-4, 4), min_size=1, max_size=20), st.lists(st.integers(-4, 4), min_size=1, max_size=20)
)
costs = st.fixed_dictionaries(
    {"p_spoof": st.floats(0.01, 0.99), "c_miss": st.floats(0.1, 10), "c_fa": st.floats(0.1, 10)}
)


def cost_at(threshold, bonafide, spoof, *, p_spoof, c_miss, c_fa):
    """Count the normalised cost of one threshold from scratch."""
    p_miss = sum(score < threshold for score in bonafide) / len(bonafide)
    p_fa = sum(score >= threshold for score in spoof) / len(spoof)
    cost = c_miss * (1 - p_spoof) * p_miss + c_fa * p_spoof * p_fa
    return cost / min(c_miss * (1 - p_spoof), c_fa * p_spoof)


def labels_and_scores(bonafide, spoof):
    return [1] * len(bonafide) + [0] * len(spoof), list(bonafide) + list(spoof)


@given(trials, costs)
def test_min_dcf_is_the_lowest_cost_of_any_threshold(pair, given_costs):
    # By brute force, with ties: the extra points of the official curve inside a tie must not be cheaper.
    candidates = [-math.inf, math.inf, *pair[0], *pair[1]]
    lowest = min(cost_at(threshold, *pair, **given_costs) for threshold in candidates)
    assert compute_min_dcf(*labels_and_scores(*pair), **given_costs) == pytest.approx(lowest, abs=1e-12)


@given(trials, costs)
def test_act_dcf_is_the_cost_at_the_bayes_threshold(pair, given_costs):
    expected = cost_at(bayes_threshold(**given_costs), *pair, **given_costs)
    assert compute_act_dcf(*labels_and_scores(*pair), **given_costs) == pytest.approx(expected, abs=1e-12)


@given(trials, costs)
def test_min_dcf_lies_between_0_and_both_act_dcf_and_1(pair, given_costs):
    arguments = labels_and_scores(*pair)
    lowest = compute_min_dcf(*arguments, **given_costs)
    assert 0 <= lowest <= 1 + 1e-12
    assert lowest <= compute_act_dcf(*arguments, **given_costs) + 1e-12


@given(trials, costs)
def test_swapping_classes_costs_and_direction_changes_nothing(pair, given_costs):
    swapped = {"p_spoof": 1 - given_costs["p_spoof"], "c_miss": given_costs["c_fa"], "c_fa": given_costs["c_miss"]}
    y_true, y_scores = labels_and_scores(*pair)
    mirrored = compute_min_dcf(1 - np.array(y_true), -np.array(y_scores), **swapped)
    assert compute_min_dcf(y_true, y_scores, **given_costs) == pytest.approx(mirrored, abs=1e-9)


def test_min_dcf_ignores_increasing_maps_and_act_dcf_does_not():
    y_true, y_scores = labels_and_scores([2.0, -1.0, 3.0], [-2.0, 0.5, -3.0])
    mapped = np.exp(y_scores)
    assert compute_min_dcf(y_true, mapped) == compute_min_dcf(y_true, y_scores)
    assert compute_act_dcf(y_true, mapped) == 1.0  # all of them are above -0.64: every spoof is accepted
    assert compute_act_dcf(y_true, y_scores) == pytest.approx(0.95 / 0.5 / 3 + 1 / 3)


def test_defaults_are_those_of_asvspoof_5():
    assert bayes_threshold() == pytest.approx(-math.log(0.95 / 0.5), abs=1e-15)
    # One of four bona fide below every spoof: missing it costs 0.95 / 0.5 / 4, accepting both spoofs 1.
    y_true, y_scores = labels_and_scores([-3.0, 1.0, 2.0, 3.0], [-2.0, -1.0])
    assert compute_min_dcf(y_true, y_scores) == pytest.approx(0.475)


def test_a_score_at_the_threshold_is_accepted():
    threshold = bayes_threshold()
    assert compute_act_dcf([1, 0], [threshold, -9.0]) == 0.0
    assert compute_act_dcf([1, 0], [9.0, threshold]) == 1.0
    assert compute_act_dcf([1, 0], [9.0, np.nextafter(threshold, -1)]) == 0.0


@pytest.mark.parametrize("metric", [compute_min_dcf, compute_act_dcf])
def test_impossible_costs_are_refused(metric):
    for p_spoof in (0.0, 1.0, -0.1, math.nan):
        with pytest.raises(ValueError, match=f"`p_spoof` .*not {p_spoof}"):
            metric([1, 0], [1.0, 0.0], p_spoof=p_spoof)
    with pytest.raises(ValueError, match=r"`c_fa` .*not -10\.0"):
        metric([1, 0], [1.0, 0.0], c_fa=-10.0)
