import dataclasses
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from src.metrics.tandem import (
    AsvScores,
    TandemCosts2019,
    TandemCosts2021,
    asv_error_rates,
    min_tdcf_2019,
    min_tdcf_2021,
)

# ASV threshold 2: no target is missed, 1 of 3 nontargets and 1 of 2 spoofs pass.
ASV = AsvScores(target=[3, 4, 5], nontarget=[0, 1, 2], spoof=[1, 4])
scores = st.lists(st.integers(-4, 4), min_size=1, max_size=12)
FORMS = [min_tdcf_2019, min_tdcf_2021]


def tandem_cost(threshold, bonafide, spoof, asv):
    """Follow every kind of trial through CM and ASV, and add up what each error costs: the 2021 form, not normalised.

    The two systems err independently, as the t-DCF supposes.
    """
    cm_miss = sum(score < threshold for score in bonafide) / len(bonafide)
    cm_fa = sum(score >= threshold for score in spoof) / len(spoof)
    rates = asv_error_rates(asv)
    target_lost = 1 - (1 - cm_miss) * (1 - rates.p_miss)
    nontarget_let_in = (1 - cm_miss) * rates.p_fa
    spoof_let_in = cm_fa * rates.p_fa_spoof
    return 0.95 * 0.99 * target_lost + 0.95 * 0.01 * 10 * nontarget_let_in + 0.05 * 10 * spoof_let_in


def test_asv_rates_by_hand():
    rates = asv_error_rates(ASV)
    assert (rates.eer, rates.threshold, rates.p_miss) == (0.0, 2.0, 0.0)
    assert (rates.p_fa, rates.p_fa_spoof) == (pytest.approx(1 / 3), 0.5)


@given(scores, scores, st.integers(0, 10_000))
def test_2021_is_the_cheapest_walk_through_both_systems(bonafide, spoof, seed):
    rng = np.random.default_rng(seed)
    asv = AsvScores(rng.normal(3, 1, 40), rng.normal(-3, 1, 60), rng.normal(1, 2, 30))
    assume(asv_error_rates(asv).p_fa_spoof > 0)
    costs = [tandem_cost(at, bonafide, spoof, asv) for at in (-math.inf, math.inf, *bonafide, *spoof)]
    default = min(costs[:2])  # accept all, or reject all
    y_true = [1] * len(bonafide) + [0] * len(spoof)
    assert min_tdcf_2021(y_true, bonafide + spoof, asv) == pytest.approx(min(costs) / default, abs=1e-12)


def test_2019_by_hand():
    # C1 = 0.9405 - 0.0095 * 10 / 3 = 0.90883, C2 = 10 * 0.05 * 0.5 = 0.25.
    # Of two bona fide and two spoofs one spoof scores too high: P_fa = 1/2 costs 0.125 of 0.25.
    assert min_tdcf_2019([1, 1, 0, 0], [1.0, 3.0, 2.0, 0.0], ASV) == pytest.approx(0.5)
    # The same with C2 > C1 (dear spoofs): missing one of two bona fide costs C1 / 2, normalised by C1.
    dear = TandemCosts2019(c_fa_cm=1000.0)
    assert min_tdcf_2019([1, 1, 0, 0], [1.0, 3.0, 2.0, 0.0], ASV, dear) == pytest.approx(0.5)


def test_2021_by_hand():
    # C0 = 0.0095 * 10 / 3, C1 = 0.9405 - C0, C2 = 0.25; best is P_miss 0, P_fa 1/2.
    c0 = 0.095 / 3
    expected = (c0 + 0.125) / (c0 + 0.25)
    assert min_tdcf_2021([1, 1, 0, 0], [1.0, 3.0, 2.0, 0.0], ASV) == pytest.approx(expected, abs=1e-12)


def test_a_perfect_cm_pays_for_the_asv_in_2021_only():
    perfect = [1, 1, 0, 0], [4.0, 3.0, 2.0, 1.0]
    assert min_tdcf_2019(*perfect, ASV) == 0.0
    assert min_tdcf_2021(*perfect, ASV) == pytest.approx((0.095 / 3) / (0.095 / 3 + 0.25))


@pytest.mark.parametrize("form", FORMS)
def test_a_cm_that_does_not_listen_costs_1(form):
    assert form([1, 0, 1, 0], [0.0, 0.0, 0.0, 0.0], ASV) == pytest.approx(1.0)
    assert form([1, 0, 1, 0], [0.0, 1.0, 0.0, 1.0], ASV) == pytest.approx(1.0)


@pytest.mark.parametrize("form", FORMS)
def test_increasing_maps_of_either_system_change_nothing(form):
    rng = np.random.default_rng(8)
    y_true = rng.integers(0, 2, 300)
    y_scores = rng.normal(size=300) + y_true
    asv = AsvScores(rng.normal(2, 1, 100), rng.normal(-2, 1, 100), rng.normal(0, 2, 100))
    mapped = AsvScores(*(np.exp(part) for part in (asv.target, asv.nontarget, asv.spoof)))
    assert form(y_true, np.arctan(y_scores), mapped) == pytest.approx(form(y_true, y_scores, asv), abs=1e-12)


def test_two_forms_differ_and_take_their_own_costs():
    y_true, y_scores = [1, 1, 0, 0], [1.0, 3.0, 2.0, 0.0]
    assert min_tdcf_2019(y_true, y_scores, ASV) < min_tdcf_2021(y_true, y_scores, ASV)
    assert min_tdcf_2021(y_true, y_scores, ASV, TandemCosts2021(c_fa=1.0)) < min_tdcf_2021(y_true, y_scores, ASV)


@pytest.mark.parametrize("costs", [TandemCosts2019, TandemCosts2021])
def test_costs_are_frozen_and_checked(costs):
    with pytest.raises(dataclasses.FrozenInstanceError):
        costs().p_spoof = 0.5
    with pytest.raises(ValueError, match=r"must add up to 1, not to 1\.45"):
        costs(p_spoof=0.5)
    with pytest.raises(ValueError, match=r"`p_spoof` .*not 0\.0"):
        costs(p_spoof=0.0)
    last = dataclasses.fields(costs)[-1].name
    with pytest.raises(ValueError, match=f"`{last}` .*not -1"):
        costs(**{last: -1})


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "asv",
    [
        AsvScores(target=[3, 4], nontarget=[0, 1], spoof=[-5, -4]),  # no spoof is accepted
        AsvScores(target=range(20), nontarget=range(100, 120), spoof=[50, 60]),  # the wrong direction
    ],
)
def test_an_asv_that_no_cm_can_help_is_refused(form, asv):
    with pytest.raises(ValueError, match="The t-DCF is not defined for these ASV scores"):
        form([1, 0], [1.0, 0.0], asv)


def test_asv_scores_are_checked():
    with pytest.raises(ValueError, match="There are no ASV nontarget scores"):
        AsvScores(target=[1.0], nontarget=[], spoof=[1.0])
    with pytest.raises(ValueError, match="1 of 1 ASV target scores is NaN"):
        AsvScores(target=[math.nan], nontarget=[1.0], spoof=[1.0])
