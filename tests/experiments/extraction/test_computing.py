import sys
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from src.backbones.contract import Statistics
from src.experiments.extraction.computer import Computer

OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: ..."),
]


class Small:
    """A backbone whose memory holds so many samples, padding included; a clip's statistics are its number."""

    rate = 10

    def __init__(self, capacity: float, error: Exception) -> None:
        self.capacity, self.error = capacity, error
        self.tried: list[int] = []
        self.waited: list[int] = []

    def begin(self, waveforms: Sequence[np.ndarray]) -> Callable[[], Statistics]:
        self.tried.append(len(waveforms))
        if len(waveforms) * max(map(len, waveforms)) > self.capacity:
            raise self.error

        def wait() -> Statistics:
            self.waited.append(len(waveforms))
            numbers = np.array([waveform[0] for waveform in waveforms], dtype=np.float32)
            return numbers[:, None, None, None], [len(waveform) for waveform in waveforms]

        return wait


def clips(*lengths: int) -> list[np.ndarray]:
    return [np.full(length, number, dtype=np.float32) for number, length in enumerate(lengths)]


def assert_in_order(made: Statistics, lengths: Sequence[int]) -> None:
    statistics, n_frames = made
    assert statistics.ravel().tolist() == list(range(len(lengths)))
    assert statistics.shape == (len(lengths), 1, 1, 1)
    assert n_frames == list(lengths)


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return a list to which every release of memory adds the error that was being handled then."""
    seen: list[object] = []
    monkeypatch.setattr("src.utils.devices.release_memory", lambda: seen.append(sys.exc_info()[1]))
    return seen


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
def test_what_memory_does_not_hold_is_halved_and_then_at_once(error: Exception, released: list[object]) -> None:
    backbone = Small(capacity=20, error=error)
    computer = Computer(backbone)  # type: ignore[arg-type]
    lengths = [10] * 8
    assert_in_order(computer.begin(clips(*lengths))(), lengths)
    assert backbone.tried == [8, 4, 2, 2, 2, 2]
    assert_in_order(computer.begin(clips(*lengths))(), lengths)
    assert backbone.tried[6:] == [2, 2, 2, 2], "nothing that is known to fail is tried again"
    assert_in_order(computer.begin(clips(*[1] * 20))(), [1] * 20)
    assert backbone.tried[10:] == [20], "what fits goes through whole"
    assert released == [None, None], "within a handler, the traceback holds on to the batch"


def test_what_fits_is_computed_whole_and_not_waited_for(released: list[object]) -> None:
    backbone = Small(capacity=80, error=MemoryError())
    wait = Computer(backbone).begin(clips(10, 10, 7))  # type: ignore[arg-type]
    assert (backbone.tried, backbone.waited, released) == ([3], [], [])
    assert_in_order(wait(), [10, 10, 7])


@settings(deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=30), st.integers(12, 100))
def test_halves_keep_the_order_of_the_clips(lengths: list[int], capacity: int) -> None:
    backbone = Small(capacity, error=MemoryError())
    computer = Computer(backbone)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("src.utils.devices.release_memory", lambda: None)
        for _ in range(2):
            assert_in_order(computer.begin(clips(*lengths))(), lengths)


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
def test_a_single_clip_that_is_too_large_ends_in_one_line(error: Exception, released: list[object]) -> None:
    backbone = Small(capacity=20, error=error)
    line = (
        "2.5 seconds of sound do not fit into memory at once: give a lower `max_seconds` (1 or more), "
        "or `precision=bf16`."
    )
    with pytest.raises(ValueError) as caught:
        Computer(backbone).begin(clips(10, 25))  # type: ignore[arg-type]
    assert str(caught.value) == line
    assert caught.value.__context__ is None
    assert backbone.tried == [2, 1, 1]


@pytest.mark.parametrize(
    "error", [RuntimeError("CUDA error: an illegal memory access"), ValueError("no"), KeyboardInterrupt()], ids=repr
)
def test_other_errors_pass_through(error: Exception, released: list[object]) -> None:
    backbone = Small(capacity=20, error=error)
    computer = Computer(backbone)  # type: ignore[arg-type]
    with pytest.raises(type(error)) as caught:
        computer.begin(clips(10, 10, 10))
    assert caught.value is error
    assert (backbone.tried, released, computer.max_samples) == ([3], [], np.inf)
