"""Differences between groups of clips, on data whose answer is known."""

import numpy as np
import pytest
from scipy.stats import binomtest

from src.metrics.bootstrap import Trials
from src.metrics.importance import Rises
from src.metrics.people_tests import difference, holm


def _clips(n_people: int, n_clips: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values that differ from person to person alone, alternating groups, and people."""
    rng = np.random.default_rng(seed)
    people = np.repeat(np.arange(n_people), n_clips)
    values = rng.standard_normal(n_people)[people] + 0.1 * rng.standard_normal(len(people))
    return values, np.arange(len(people)) % 2 == 0, people.astype(str)


def test_people_are_compared_with_themselves_where_they_have_both() -> None:
    values, is_first, people = _clips(10, 20, 0)
    found = difference(values + 0.3 * is_first, is_first, people)
    assert found.paired
    assert found.p < 0.01, "small beside what tells people apart, but the same in each of them"
    assert found.auc == pytest.approx(0.58, abs=0.05)
    assert found.bounds.low < found.auc < found.bounds.high
    assert found.p_smallest == 2 / 2**10


def test_nothing_is_found_where_nothing_is() -> None:
    p_values = [difference(*_clips(8, 6, seed), n_resamplings=10).p for seed in range(200)]
    false_alarms = sum(p <= 0.05 for p in p_values)
    assert binomtest(false_alarms, 200, 0.05).pvalue > 0.001


def test_many_clips_of_few_people_prove_nothing_about_groups_of_people() -> None:
    values, _, people = _clips(6, 200, 1)
    is_first = people < "3"
    found = difference(values, is_first, people)
    assert not found.paired
    assert found.p >= 0.05, "three people against three can be no rarer than 2 in 20"
    assert found.p_smallest == 2 / 20
    assert difference(values, people < "2", people).p_smallest == 1 / 15, "two against four have no mirror image"


def test_a_single_person_has_no_p_value() -> None:
    found = difference(np.arange(4.0), np.array([True, False, True, False]), np.full(4, "ann"))
    assert np.isnan(found.p)
    assert np.isnan(found.p_smallest)
    assert np.isnan(found.bounds.low)


def test_p_values_do_not_depend_on_order_or_sign() -> None:
    values, is_first, people = _clips(7, 4, 3)
    order = np.random.default_rng(0).permutation(len(values))
    one = difference(values, is_first, people)
    assert difference(values[order], is_first[order], people[order]).p == one.p
    assert difference(-values, is_first, people).p == one.p
    assert difference(-values, is_first, people).auc == pytest.approx(1 - one.auc)


def test_holm_is_what_it_is_by_hand() -> None:
    assert holm([0.02, 0.005, 0.5]) == pytest.approx([0.04, 0.015, 0.5])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_p_values_that_are_not_there_change_none_of_the_others_wherever_they_stand() -> None:
    assert holm([0.04, float("nan"), 0.01]) == pytest.approx([0.04, float("nan"), 0.02], nan_ok=True)
    assert holm([float("nan"), 0.5, float("nan"), 0.02, 0.005]) == pytest.approx(
        [float("nan"), 0.5, float("nan"), 0.04, 0.015], nan_ok=True
    )


def test_a_rise_is_measured_on_the_same_draws() -> None:
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(12), 8).astype(str)
    labels = np.arange(len(people)) % 2
    scores = 2.0 * labels + rng.standard_normal(len(people))
    rises = Rises(Trials(labels, people), scores)
    nothing = rises.of([scores, scores])
    assert nothing["eer"] == {"value": 0.0, "low": None, "high": None}
    assert nothing["cllr"]["value"] == 0.0
    lost = rises.of([rng.permutation(scores) for _ in range(3)])
    assert lost["eer"]["low"] is not None
    assert 0 < lost["eer"]["low"] < lost["eer"]["value"] < lost["eer"]["high"]
    assert rises.before()["eer"]["value"] + lost["eer"]["value"] == pytest.approx(0.5, abs=0.15)
