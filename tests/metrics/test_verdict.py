"""Metrics with bounds: of all trials and of parts, which are resampled as if they were all there is."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.metrics.bootstrap import Interval, Trials
from src.metrics.report import evaluate
from src.metrics.table import shown_in
from src.metrics.verdict import (
    as_metric,
    break_down,
    evaluate_with_intervals,
    parts_by_duration,
    parts_by_system,
    parts_by_value,
)

THRESHOLD = 1.0
WITHOUT_BOUNDS = {
    "eer_threshold",
    "threshold",
    "true_bonafide",
    "false_spoof",
    "false_bonafide",
    "true_spoof",
    "n_bonafide",
    "n_spoof",
}


def draw_trials(n_people: int = 30, seed: int = 0) -> tuple[Trials, np.ndarray]:
    """Return trials of people who differ, two of each class a person, and their scores."""
    rng = np.random.default_rng(seed)
    people = np.repeat([f"person{number}" for number in range(n_people)], 4)
    labels = np.tile([1, 1, 0, 0], n_people)
    systems = np.tile(["", "", "xtts", "world"], n_people)
    scores = 2.0 * labels + np.repeat(rng.standard_normal(n_people), 4) / 2 + rng.standard_normal(len(people))
    return Trials(labels, people, systems), scores


def test_values_are_those_of_the_report_and_within_their_bounds() -> None:
    trials, scores = draw_trials()
    metrics = evaluate_with_intervals(trials, scores, THRESHOLD, seed=7)
    assert {name: metric["value"] for name, metric in metrics.items()} == evaluate(trials.labels, scores, THRESHOLD)
    assert {name for name, metric in metrics.items() if metric["low"] is None} == WITHOUT_BOUNDS
    for name in set(metrics) - WITHOUT_BOUNDS:
        low, value, high = metrics[name]["low"], metrics[name]["value"], metrics[name]["high"]
        assert low is not None
        assert high is not None
        assert low < value < high, name
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics


def test_a_seed_repeats_the_bounds_and_another_moves_them_a_little() -> None:
    trials, scores = draw_trials()
    one, same, other = (evaluate_with_intervals(trials, scores, THRESHOLD, seed=seed) for seed in (7, 7, 8))
    assert one == same == evaluate_with_intervals(trials, scores, THRESHOLD), "the seed of intervals is always 7"
    assert one["eer"]["value"] == other["eer"]["value"]
    assert one["auc"]["low"] != other["auc"]["low"]
    assert one["auc"]["low"] == pytest.approx(other["auc"]["low"], abs=0.02)


def test_the_order_of_the_trials_does_not_matter() -> None:
    trials, scores = draw_trials()
    shuffled = np.random.default_rng(1).permutation(len(scores))
    other = evaluate_with_intervals(trials.only(shuffled), scores[shuffled], THRESHOLD, seed=7)
    for name, metric in evaluate_with_intervals(trials, scores, THRESHOLD, seed=7).items():
        assert other[name] == pytest.approx(metric, abs=1e-12), name


def test_four_times_the_people_halve_the_interval() -> None:
    widths = []
    for n_people in (40, 160):
        auc = evaluate_with_intervals(*draw_trials(n_people), THRESHOLD, seed=7)["auc"]
        assert auc["high"] is not None
        assert auc["low"] is not None
        widths.append(auc["high"] - auc["low"])
    assert widths[0] / widths[1] == pytest.approx(2, rel=0.3)


def test_clips_of_a_single_person_have_no_bounds() -> None:
    trials, scores = draw_trials(1)
    metrics = evaluate_with_intervals(trials, scores, THRESHOLD, seed=7)
    assert all((metric["low"], metric["high"]) == (None, None) for metric in metrics.values())
    assert metrics["eer"]["value"] == evaluate(trials.labels, scores, THRESHOLD)["eer"]


def test_nothing_to_say_is_none_never_nan() -> None:
    assert as_metric(0.2) == as_metric(0.2, Interval(float("nan"), float("nan")))
    assert as_metric(0.2) == {"value": 0.2, "low": None, "high": None}


# ---- parts


def test_a_part_is_judged_as_if_it_was_all() -> None:
    trials, scores = draw_trials()
    first_half = np.arange(len(scores)) < len(scores) // 2
    parts = {"first": first_half, "second": ~first_half}
    found = break_down(trials, scores, THRESHOLD, parts, seed=7)
    assert list(found) == ["first", "second"]
    for name, part in parts.items():
        alone = Trials(trials.labels[part], trials.people[part], np.asarray(trials.systems)[part])
        whole = evaluate_with_intervals(alone, scores[part], THRESHOLD, seed=7)
        assert found[name] == {row.key: whole[row.key] for row in shown_in("breakdowns") if row.key in whole}
    assert found["first"] != found["second"]


@pytest.mark.parametrize("label", [0, 1])
def test_a_part_of_one_class_has_counts_and_accuracy_only(label: int) -> None:
    trials, scores = draw_trials()
    part = (trials.labels == label) & (np.arange(len(scores)) < 40)
    found = break_down(trials, scores, THRESHOLD, {"one class": part}, seed=7)["one class"]
    correct = ((scores[part] >= THRESHOLD) == label).mean()
    assert found == {
        "accuracy": {"value": correct, "low": None, "high": None},
        "n_bonafide": {"value": 20 * label, "low": None, "high": None},
        "n_spoof": {"value": 20 * (1 - label), "low": None, "high": None},
    }
    assert 0 < correct < 1
    assert json.loads(json.dumps(found)) == found


def test_an_empty_part_is_left_out() -> None:
    trials, scores = draw_trials()
    assert break_down(trials, scores, THRESHOLD, {"nobody": np.zeros(len(scores), bool)}, seed=7) == {}


def test_a_part_worse_than_chance_gives_no_warning() -> None:
    trials, scores = draw_trials()
    everything = {"reversed": np.ones(len(scores), bool)}
    assert break_down(trials, -scores, THRESHOLD, everything, seed=7)["reversed"]["eer"]["value"] > 0.5


def test_each_system_is_compared_with_all_bona_fide_trials() -> None:
    labels = np.array([1, 0, 0, 1, 0, 0])
    parts = parts_by_system(labels, np.array(["", "xtts", "", "", "world", "xtts"]))
    assert {name: np.flatnonzero(part).tolist() for name, part in parts.items()} == {
        "unknown": [0, 2, 3],
        "world": [0, 3, 4],
        "xtts": [0, 1, 3, 5],
    }
    assert parts_by_system(labels, np.full(6, "")) == {}


def test_a_value_that_is_empty_is_called_unknown() -> None:
    parts = parts_by_value(np.array(["F", "", "M", ""]))
    assert {name: np.flatnonzero(part).tolist() for name, part in parts.items()} == {
        "unknown": [1, 3],
        "F": [0],
        "M": [2],
    }


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1e5), min_size=1, max_size=20))
def test_every_duration_is_in_one_band(durations: list[float]) -> None:
    parts = parts_by_duration(np.array(durations))
    assert np.sum(list(parts.values()), axis=0).tolist() == [1] * len(durations)
    assert all(part.any() for part in parts.values())


def test_a_band_holds_its_lower_edge_and_bands_rise() -> None:
    durations = np.array([16.0, 8.0, 4.0, 2.0, 1.0, 0.0])
    assert [(name, np.flatnonzero(part).tolist()) for name, part in parts_by_duration(durations).items()] == [
        ("0-1 s", [5]),
        ("1-2 s", [4]),
        ("2-4 s", [3]),
        ("4-8 s", [2]),
        ("8-16 s", [1]),
        ("16 s and more", [0]),
    ]
    assert parts_by_duration(np.full(3, np.nan)) == {}
