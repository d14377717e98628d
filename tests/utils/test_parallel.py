"""Many processes give the same results as one, in the same order, and the same errors."""

import os
import signal

import pytest

from src.utils.parallel import map_clips


def square(number: int) -> int:
    return number * number


def first_comes_last(number: int) -> int:
    return sum(range(20_000_000 if number == 0 else number + 1)) and number


def process_id(_: int) -> int:
    return os.getpid()


def fail_on_seven(number: int) -> int:
    if number == 7:
        raise FileNotFoundError(f"There is no recording {number}.")
    return number


def die_on_seven(number: int) -> int:
    if number == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_process_that_dies_is_reported_in_one_line() -> None:
    with pytest.raises(ChildProcessError, match=r"^A worker process died \(SIGKILL\), .* run the same command") as told:
        map_clips(die_on_seven, range(20), jobs=2)
    assert "\n" not in str(told.value)
    assert map_clips(square, [1, 2], jobs=2) == [1, 4], "the next start works"


def test_several_processes_give_what_one_gives_in_order() -> None:
    items = list(range(200))
    assert map_clips(square, items, jobs=2) == map_clips(square, items, jobs=1) == [n * n for n in items]
    assert map_clips(first_comes_last, items, jobs=2) == items
    assert os.getpid() not in map_clips(process_id, items, jobs=2)


def test_one_job_is_this_process() -> None:
    assert set(map_clips(process_id, range(5), jobs=1)) == {os.getpid()}


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_keeps_its_kind_and_its_words(jobs: int) -> None:
    with pytest.raises(FileNotFoundError, match=r"^There is no recording 7\.$"):
        map_clips(fail_on_seven, range(20), jobs=jobs)


@pytest.mark.parametrize("jobs", [0, 1, 2])
def test_nothing_to_do_gives_nothing(jobs: int) -> None:
    assert map_clips(square, [], jobs=jobs) == []


def test_a_negative_number_of_processes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^`jobs` must be 0 \(all cores\) or more, not -2\.$"):
        map_clips(square, [1], jobs=-2)
