"""Worker processes, forked or new: they answer, share what was read before, die alone, and end with this process."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import psutil
import pytest

from src.utils.threads import count_threads
from src.utils.worker import ForkedWorker, NewWorker, Worker, can_fork, start_worker
from tests.forked import forked, kill

READ: dict[str, int] = {}
"""What this process has read; a new interpreter has not."""


@pytest.fixture(params=[ForkedWorker, pytest.param(NewWorker, marks=pytest.mark.slow)])
def worker(request: pytest.FixtureRequest) -> Iterator[Worker]:
    started = request.param(1)
    yield started
    started.end()


def look_up(key: str) -> int:
    return READ[key]


def kill_itself(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def is_alive(process: int) -> bool:
    return psutil.pid_exists(process) and psutil.Process(process).status() != psutil.STATUS_ZOMBIE


def wait_until_gone(processes: list[int]) -> None:
    end = time.monotonic() + 30
    while any(map(is_alive, processes)):
        assert time.monotonic() < end, "they outlive the process that started them"
        time.sleep(0.05)


def test_it_is_another_process_that_answers_call_after_call(worker: Worker) -> None:
    pids = {worker.call(os.getpid) for _ in range(3)}
    assert len(pids) == 1
    assert pids != {os.getpid()}
    assert worker.call(divmod, 7, 2) == (3, 1)


def test_an_error_arrives_here_and_the_process_goes_on(worker: Worker) -> None:
    with pytest.raises(ValueError, match="base 10: 'x'"):
        worker.call(int, "x")
    assert worker.call(int, "5") == 5


class TwoPartError(Exception):
    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")


class Unreadable:
    """Something that can be pickled, and not read again."""

    def __reduce__(self) -> tuple[Any, ...]:
        return look_up, ("nowhere",)


def fail_in_two_parts() -> None:
    raise TwoPartError("the disk", "full")


def make_what_cannot_be_pickled() -> Any:
    return lambda: None


def test_errors_are_not_taken_for_deaths() -> None:
    """A process that died would be replaced, and its call tried again, for a memory that is not at fault."""
    worker = ForkedWorker(1)
    process = worker.call(os.getpid)
    with pytest.raises(KeyError, match="nowhere"):
        worker.call(len, Unreadable())
    with pytest.raises(Exception, match="pickle"):
        worker.call(make_what_cannot_be_pickled)
    assert worker.call(os.getpid) == process
    worker.end()


def test_an_error_that_cannot_be_rebuilt_arrives_in_words() -> None:
    worker = ForkedWorker(1)
    with pytest.raises(RuntimeError, match="TwoPartError: the disk: full"):
        worker.call(fail_in_two_parts)
    worker.end()


def test_its_death_is_an_error_of_the_call(worker: Worker) -> None:
    with pytest.raises(BrokenProcessPool):
        worker.call(kill_itself)


def test_one_that_died_while_it_was_idle_is_noticed(worker: Worker) -> None:
    process = worker.call(os.getpid)
    os.kill(process, signal.SIGKILL)
    wait_until_gone([process])
    with pytest.raises(BrokenProcessPool):
        worker.call(os.getpid)


def test_it_computes_with_its_share_of_the_threads(worker: Worker) -> None:
    assert worker.call(count_threads) == 1
    assert worker.call(os.getenv, "OMP_NUM_THREADS") == "1"


def test_ctrl_c_is_left_to_the_parent(worker: Worker) -> None:
    assert worker.call(signal.getsignal, signal.SIGINT) == signal.SIG_IGN


def test_it_ends_at_once_whatever_it_is_doing(worker: Worker) -> None:
    process = worker.call(os.getpid)
    caught: list[BaseException] = []

    def sleep() -> None:
        try:
            worker.call(time.sleep, 600)
        except BrokenProcessPool as death:
            caught.append(death)

    calling = threading.Thread(target=sleep)
    calling.start()
    time.sleep(0.1)
    worker.end()
    calling.join(30)
    assert caught
    wait_until_gone([process])


def test_a_fork_has_what_was_read_before_it_and_changes_nothing_here() -> None:
    READ["layer"] = 5
    worker = ForkedWorker(1)
    READ["layer"] = 6
    try:
        assert worker.call(look_up, "layer") == 5
    finally:
        worker.end()
        READ.clear()


def start_two_and_sleep(note: Path) -> None:
    workers = [ForkedWorker(1), ForkedWorker(1)]
    note.write_text(" ".join(str(worker.call(os.getpid)) for worker in workers))
    note.rename(note.with_suffix(".written"))
    time.sleep(600)


def test_forks_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    parent = forked(start_two_and_sleep, tmp_path / "pids")
    written = tmp_path / "pids.written"
    while not written.is_file():
        assert parent.is_alive()
        time.sleep(0.02)
    kill(parent)
    wait_until_gone([int(pid) for pid in written.read_text().split()])


ASK_TWICE = """
from src.utils.worker import can_fork
import torch

answers = [can_fork()]
torch.set_num_threads(2)
torch.ones(500, 500) @ torch.ones(500, 500) + torch.rand(10**6).exp().sum()
print(answers + [can_fork()])
"""


def test_a_process_whose_libraries_have_started_threads_is_not_forked() -> None:
    done = subprocess.run([sys.executable, "-c", ASK_TWICE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[True,", "False]"]


def test_only_the_main_thread_forks() -> None:
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(can_fork()))
    thread.start()
    thread.join()
    assert found == [False]


def test_other_systems_start_a_new_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("src.utils.worker.sys.platform", "darwin")
    started = start_worker(1)
    started.end()
    assert isinstance(started, NewWorker)
