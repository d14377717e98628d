"""Batches side by side: one thread each, as many at once as there are lanes, in the order in which they began."""

import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from src.backbones.contract import Statistics
from src.experiments.extraction.lanes import Lanes
from src.utils.threads import count_threads, limited_threads


class Meeting:
    """A backbone whose first batches wait until all of its twins are at work; it notes who computed, and how."""

    rate = 10

    def __init__(self, n_twins: int) -> None:
        self.n_twins = n_twins
        self.barrier = threading.Barrier(n_twins)
        self.threads: set[str] = set()
        self.threads_each: set[int] = set()

    def twins(self, most: int, seconds: float) -> list["Meeting"]:
        return [self] * min(self.n_twins, most)

    def begin(self, waveforms: Sequence[np.ndarray]) -> Callable[[], Statistics]:
        if waveforms[0][0] < self.n_twins:
            self.barrier.wait(timeout=30)
        time.sleep(0.01 * float(waveforms[0][0] % 3))
        self.threads.add(threading.current_thread().name)
        self.threads_each.add(torch.get_num_threads())
        return lambda: (np.float32([waveform[0] for waveform in waveforms]), [len(waveforms[0])] * len(waveforms))


def clip(number: int) -> list[np.ndarray]:
    return [np.full(10, number, dtype=np.float32)]


def test_batches_are_computed_side_by_side_and_come_in_order() -> None:
    backbone = Meeting(3)
    with limited_threads(7):
        with Lanes(backbone, 16.0) as lanes:  # type: ignore[arg-type]
            assert lanes.count == 3
            waits = [lanes.begin(clip(number)) for number in range(12)]
            assert [wait()[0].tolist() for wait in waits] == [[float(number)] for number in range(12)]
        assert count_threads() == 7, "as before"
    assert len(backbone.threads) == 3
    assert backbone.threads_each == {2}, "seven threads for three"


def test_one_lane_computes_in_this_thread_with_all_threads() -> None:
    backbone = Meeting(1)
    with limited_threads(3), Lanes(backbone, 16.0) as lanes:  # type: ignore[arg-type]
        assert lanes.begin(clip(5))()[1] == [10]
    assert backbone.threads == {threading.current_thread().name}
    assert backbone.threads_each == {3}


def test_an_error_comes_to_whoever_waits() -> None:
    class Failing(Meeting):
        def begin(self, waveforms: Sequence[np.ndarray]) -> Callable[[], Statistics]:
            raise ValueError("no")

    with limited_threads(2), Lanes(Failing(2), 16.0) as lanes:  # type: ignore[arg-type]
        wait = lanes.begin(clip(1))
        with pytest.raises(ValueError, match="no"):
            wait()
