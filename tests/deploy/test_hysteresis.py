"""Alarms are raised and end by the scores of windows: not by one window, and not to and fro."""

import math

import numpy as np
import pytest

from src.deploy.hysteresis import ENDED, LEAVE_ABOVE, RAISED, Hysteresis, Limits

LENGTH, HOP = 40, 10


def changes(scores: list[float | None], limits: Limits) -> tuple[list[tuple[int, str]], Hysteresis]:
    """Return which window changed what, and the alarm."""
    alarm = Hysteresis(limits)
    found = [(at, alarm.step(at * HOP, at * HOP + LENGTH, score)) for at, score in enumerate(scores)]
    return [(at, change) for at, change in found if change], alarm


def test_between_the_limits_nothing_changes() -> None:
    limits = Limits(enter=-1, leave=1)
    assert changes([0, 0.9, -0.9, 0], limits)[0] == []
    assert changes([-1.1, 0, 0.99, -0.99], limits)[0] == [(0, RAISED)]
    assert changes([-1.1, 0, 1], limits)[0] == [(0, RAISED), (2, ENDED)]
    assert changes([-1, -1], limits)[0] == []  # at the limit itself is not below it


def test_an_alarm_takes_the_least_duration_without_a_break() -> None:
    limits = Limits(enter=0, leave=1, least=2 * HOP)
    assert changes([-1, -1, 0.5, -1, -1, -1], limits)[0] == [(5, RAISED)]
    found, alarm = changes([-1, -1, -1, 2, 2, 0.5, 2, 2, 2], limits)
    assert found == [(2, RAISED), (8, ENDED)]
    assert (alarm.start, alarm.end) == (0, 5 * HOP + LENGTH)


def test_windows_without_a_score_speak_against_an_alarm() -> None:
    limits = Limits(enter=0, leave=1, least=HOP)
    assert changes([-1, None, -1, -1, None, None], limits)[0] == [(3, RAISED), (5, ENDED)]


def test_an_alarm_does_not_outlast_its_sound() -> None:
    _, alarm = changes([-1, -1], Limits(enter=0, leave=1))
    assert alarm.interrupt() == ENDED
    assert not alarm.is_raised
    assert alarm.interrupt() == ""


def test_with_one_limit_and_no_duration_it_is_the_threshold_itself() -> None:
    scores = np.random.default_rng(7).normal(size=200)
    alarm, raised = Hysteresis(Limits(0, 0)), []
    for at, score in enumerate(scores):
        alarm.step(at, at + 1, float(score))
        raised.append(alarm.is_raised)
    np.testing.assert_array_equal(raised, scores < 0)


def test_the_usual_distance_takes_the_probability_of_a_spoof_from_even_odds_to_0_35() -> None:
    for prior in (0.5, 0.01):
        at_enter = math.log(prior / (1 - prior))  # where the odds are even, by Bayes
        odds = math.exp(at_enter - (at_enter + LEAVE_ABOVE))
        assert odds / (1 + odds) == pytest.approx(0.35)


@pytest.mark.parametrize(
    ("enter", "leave", "said"), [(1.0, 0.5, "`leave` must be `enter` or more"), (math.nan, 0, "numbers")]
)
def test_wrong_limits(enter: float, leave: float, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Limits(enter, leave)
