"""Rates of decisions at a threshold: known counts, one class or both, and intervals that agree with accuracy's."""

import numpy as np
import pytest

from src.metrics.bootstrap import Trials
from src.metrics.error_rates import error_rates
from src.metrics.verdict import evaluate_with_intervals

LABELS = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
PEOPLE = np.array(list("aabbaabbcc"))
SCORES = np.array([2.0, -1.0, 1.0, 0.0, 0.5, -1.0, -2.0, 3.0, -0.1, 0.0])


def test_rates_are_counts_over_clips_and_a_score_at_the_threshold_is_accepted() -> None:
    found = error_rates(Trials(LABELS, PEOPLE), SCORES, 0.0)
    assert {name: rate["value"] for name, rate in found.items()} == {
        "false_acceptance": 0.5,
        "false_rejection": 0.25,
        "right": 0.6,
    }


@pytest.mark.parametrize(("label", "wrong"), [(0, "false_acceptance"), (1, "false_rejection")])
def test_of_one_class_right_and_wrong_add_up_to_one(label: int, wrong: str) -> None:
    one = label == LABELS
    found = error_rates(Trials(LABELS[one], PEOPLE[one]), SCORES[one], 0.0)
    assert set(found) == {wrong, "right"}
    assert found[wrong]["value"] + found["right"]["value"] == pytest.approx(1)


def test_intervals_are_those_of_accuracy_and_recall() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 400)
    trials = Trials(labels, np.repeat([f"p{number}" for number in range(20)], 20))
    scores = labels + rng.standard_normal(400)
    found, others = error_rates(trials, scores, 0.5), evaluate_with_intervals(trials, scores, 0.5)
    for end in ("value", "low", "high"):
        assert found["right"][end] == pytest.approx(others["accuracy"][end])
    assert found["false_rejection"]["value"] == pytest.approx(1 - others["recall"]["value"])
    assert found["false_rejection"]["low"] == pytest.approx(1 - others["recall"]["high"])


def test_a_single_person_has_no_interval() -> None:
    found = error_rates(Trials(LABELS, np.full(10, "a")), SCORES, 0.0)
    assert all(rate["low"] is None for rate in found.values())
