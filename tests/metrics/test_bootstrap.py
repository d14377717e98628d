"""Intervals that cover what they should when people differ; the official EER where nothing is resampled."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from src.metrics import bootstrap
from src.metrics.bootstrap import Resamplings, Trials, interval
from src.metrics.eer import compute_eer, detection_error_curve, equal_error_point
from src.metrics.report import evaluate
from src.metrics.resampled import resample_eer, resample_metrics

DISTANCE = 3.0
TRUE_EER = norm.cdf(-DISTANCE / (2 * np.sqrt(2)))
"""Of scores with a deviation of 1 between people and of 1 within them."""


def draw_trials(n_people: int, n_clips: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels, people and scores of people who differ: n clips of each class a person."""
    people = np.repeat(np.arange(n_people), 2 * n_clips)
    labels = np.tile(np.repeat([1, 0], n_clips), n_people)
    offsets = rng.standard_normal((2, n_people))
    scores = np.where(labels == 1, DISTANCE + offsets[1, people], offsets[0, people]) + rng.standard_normal(len(people))
    return labels, people, scores


def once(labels: np.ndarray, people: np.ndarray) -> Resamplings:
    """Return one resampling in which everybody was drawn once."""
    person = np.unique(people, return_inverse=True)[1]
    return Resamplings(labels, person, np.ones((1, person.max() + 1), dtype=int))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(-4, 4)), min_size=2, max_size=40))
def test_everybody_drawn_once_gives_the_official_eer(trials: list[tuple[int, int]]) -> None:
    labels, scores = np.array(trials).T
    if len(set(labels)) < 2:
        return
    expected = equal_error_point(*detection_error_curve(labels, scores))[0]
    assert resample_eer(scores, once(labels, np.arange(len(labels))))[0] == pytest.approx(expected, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_weights_give_what_repeated_trials_give(seed: int) -> None:
    """Distinct scores: a person drawn three times is three people with the same scores, up to steps inside a tie."""
    rng = np.random.default_rng(seed)
    labels, people, scores = draw_trials(6, 3, rng)
    drawn = Trials(labels, people).draw(rng, 1)
    weights = drawn.weights_of_people[0][people]
    found = resample_eer(scores, drawn)[0]
    repeated = [np.repeat(values, weights) for values in (labels, scores)]
    expected = equal_error_point(*detection_error_curve(*repeated))[0]
    step = weights.max() / min(weights[labels == 1].sum(), weights[labels == 0].sum())
    assert abs(found - expected) <= step


def test_whole_people_are_drawn() -> None:
    labels, people, _ = draw_trials(5, 4, np.random.default_rng(0))
    drawn = Trials(labels, people).draw(np.random.default_rng(1), 300)
    (weights,) = drawn.blocks(np.arange(len(labels)))
    assert weights.shape == (300, 40)
    for person in range(5):
        assert (weights[:, people == person] == weights[:, [person * 8]]).all()
    assert (weights[:, ::8].sum(axis=1) == 5).all()


def test_spoof_systems_are_drawn_as_well_where_all_are_known() -> None:
    labels, people, _ = draw_trials(4, 4, np.random.default_rng(0))
    systems = np.where(labels == 1, "", np.where(np.arange(len(labels)) % 2, "xtts", "world"))
    drawn = Trials(labels, people, systems).draw(np.random.default_rng(1), 200)
    (weights,) = drawn.blocks(np.arange(len(labels)))
    mine = (people == 0) & (labels == 0)
    assert (weights[:, mine & (systems == "xtts")][:, 0] != weights[:, mine & (systems == "world")][:, 0]).any()
    assert (weights[:, mine & (systems == "xtts")].std(axis=1) == 0).all()
    unknown = np.where(systems == "xtts", "", systems)
    assert Trials(labels, people, unknown).draw(np.random.default_rng(1), 2).system is None


def test_the_same_seed_draws_the_same() -> None:
    labels, people, scores = draw_trials(10, 3, np.random.default_rng(0))
    first, second = (resample_eer(scores, Trials(labels, people).draw(np.random.default_rng(5), 50)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(-4, 4)), min_size=2, max_size=40), st.integers(-5, 5))
def test_everybody_drawn_once_gives_every_metric_of_the_report(trials: list[tuple[int, int]], threshold: int) -> None:
    labels, scores = np.array(trials).T
    if len(set(labels)) < 2:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few or reversed scores
        expected = evaluate(labels, scores, threshold=threshold)
    found = resample_metrics(scores, once(labels, np.arange(len(labels))), threshold)
    assert {"eer", "auc", "min_dcf", "act_dcf", "cllr", "accuracy", "f1"} <= set(found)
    for name, values in found.items():
        assert values[0] == pytest.approx(expected[name], abs=1e-12), name


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_metrics_of_weights_are_those_of_repeated_trials(seed: int) -> None:
    """Of all but the EER, whose steps inside a tie depend on the order of the copies."""
    rng = np.random.default_rng(seed)
    labels, people, scores = draw_trials(6, 3, rng)
    drawn = Trials(labels, people).draw(rng, 1)
    repeated = [np.repeat(values, drawn.weights_of_people[0][people]) for values in (labels, scores)]
    expected = evaluate(*repeated, threshold=1.0)
    for name, values in resample_metrics(scores, drawn, threshold=1.0).items():
        if name != "eer":
            assert values[0] == pytest.approx(expected[name], abs=1e-12), name


def test_the_eer_alone_is_that_among_all_metrics() -> None:
    labels, people, scores = draw_trials(20, 5, np.random.default_rng(0))
    drawn = Trials(labels, people).draw(np.random.default_rng(1), 50)
    np.testing.assert_array_equal(resample_eer(scores, drawn), resample_metrics(scores, drawn)["eer"])


@pytest.mark.parametrize(("n_groups", "at_once"), [(1, 400_000), (7, 400_000), (7, 1), (300, 1000)])
def test_counts_are_those_of_numpy_whatever_is_drawn_at_once(
    n_groups: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "VALUES_AT_ONCE", at_once)
    drawn = bootstrap._draw_counts(n_groups, 40, np.random.default_rng(7))
    expected = np.random.default_rng(7).multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=40)
    np.testing.assert_array_equal(drawn, expected)
    assert drawn.dtype == np.uint8


@pytest.mark.parametrize("at_once", [1, 700, 10_000_000])
def test_metrics_do_not_depend_on_how_many_weights_are_held_at_once(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels, people, scores = draw_trials(5, 20, np.random.default_rng(0))
    drawn = Trials(labels, people).draw(n_resamplings=50)
    usual = resample_metrics(scores, drawn, 0.0)
    monkeypatch.setattr(bootstrap, "VALUES_AT_ONCE", at_once)
    found = resample_metrics(scores, drawn, 0.0)
    np.testing.assert_allclose(found.pop("cllr"), usual.pop("cllr"), rtol=1e-12)  # a matrix product: sums in any order
    for name in usual:
        np.testing.assert_array_equal(found[name], usual[name])


def test_a_resampling_without_one_class_is_left_out() -> None:
    labels, people = np.array([1, 0, 0]), np.array([0, 1, 2])
    drawn = Resamplings(labels, people, np.array([[0, 2, 1], [1, 1, 1]]))
    found = resample_eer([3.0, 1.0, 2.0], drawn)
    assert np.isnan(found[0])
    assert found[1] == 0.0
    assert all(np.isnan(values[0]) for values in resample_metrics([3.0, 1.0, 2.0], drawn, 2.5).values())
    assert interval([np.nan, 1.0, 3.0], 3) == interval([1.0, 3.0], 3)


def test_one_person_has_no_interval_nor_have_draws_that_never_vary() -> None:
    assert np.isnan(interval([0.1, 0.2], n_people=1).low)
    assert np.isnan(interval(np.zeros(100), n_people=20).high), "no error seen is not no error at all"


@pytest.mark.slow
def test_the_interval_covers_the_truth_when_people_differ_and_that_over_clips_does_not() -> None:
    """500 repetitions of 40 people: 93 to 97 % of the intervals over people hold the true EER; 100 tell of clips."""
    rng = np.random.default_rng(7)
    covered: dict[str, list[bool]] = {"people": [], "clips": []}
    for number in range(500):
        labels, people, scores = draw_trials(40, 10, rng)
        for what, groups in (("people", people), ("clips", np.arange(len(people)))):
            if what == "clips" and number >= 100:
                continue
            found = resample_eer(scores, Trials(labels, groups).draw(rng, 400))
            between = interval(found, len(np.unique(groups)))
            covered[what].append(bool(between.low <= TRUE_EER <= between.high))
    assert 0.93 <= np.mean(covered["people"]) <= 0.97
    assert np.mean(covered["clips"]) < 0.8


def test_the_middle_of_the_resamplings_is_the_eer() -> None:
    labels, people, scores = draw_trials(60, 10, np.random.default_rng(3))
    found = resample_eer(scores, Trials(labels, people).draw(np.random.default_rng(4), 300))
    assert np.median(found) == pytest.approx(compute_eer(labels, scores)[0], abs=0.01)
