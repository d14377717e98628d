"""Two sets of clips: alike or not, with people who differ."""

import numpy as np
import pytest

from src.metrics.two_samples import energy_gap

PEOPLE, CLIPS = 16, 5


def voices(rng: np.random.Generator, people: int = PEOPLE) -> tuple[np.ndarray, np.ndarray]:
    """Return clips (n, 4) of people who differ as much as their clips do, and the people."""
    means = np.repeat(rng.standard_normal((people, 4)), CLIPS, axis=0)
    return means + rng.standard_normal(means.shape), np.repeat(np.arange(people), CLIPS)


@pytest.mark.parametrize("people", [3, 8, 30])
def test_other_people_of_the_same_kind_are_no_gap(people: int) -> None:
    rng = np.random.default_rng(people)
    found = [energy_gap(*voices(rng), *voices(rng, people)) for _ in range(12)]
    assert sum(gap is not None and gap.p <= 0.05 for gap in found) <= 3


def test_a_shift_is_a_gap_and_grows_with_it() -> None:
    rng = np.random.default_rng(1)
    known, people = voices(rng)
    gaps = [energy_gap(known, people, voices(rng)[0] + shift, people) for shift in (0.0, 2.0, 4.0)]
    assert [gap.value for gap in gaps if gap] == sorted(gap.value for gap in gaps if gap)
    assert gaps[2] is not None and gaps[2].p < 0.01 and gaps[2].value > gaps[2].usual


def test_the_energy_distance_of_points_on_a_line() -> None:
    """Known clips 0 and new clips 3, one for each person: 2 x 3 - 0 - 0."""
    gap = energy_gap(np.zeros((6, 1)), np.arange(6), np.full((6, 1), 3.0), np.arange(6))
    assert gap is not None and gap.value == pytest.approx(6.0) and gap.usual == 0.0


def test_few_people_tell_nothing() -> None:
    assert energy_gap(np.zeros((3, 1)), np.arange(3), np.ones((3, 1)), np.arange(3)) is None
