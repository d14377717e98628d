"""What is trained, epoch by epoch."""

import pytest

from src.detectors.freezing import Trained, trained_parts


@pytest.mark.parametrize(
    ("freeze", "features"), [("features", [False] * 5), ("none", [False, False, False, True, True])]
)
def test_gradual_unfreezing_epoch_by_epoch(freeze: str, features: list[bool]) -> None:
    table = [trained_parts(freeze, 12, gradual=4, epoch=epoch) for epoch in range(5)]
    assert [trained.layers for trained in table] == [0, 4, 8, 12, 12]
    assert [trained.stem for trained in table] == [False, False, False, True, True]
    assert [trained.features for trained in table] == features


def test_the_last_step_may_be_smaller() -> None:
    assert [trained_parts("none", 12, gradual=5, epoch=epoch).layers for epoch in range(5)] == [0, 5, 10, 12, 12]


@pytest.mark.parametrize(
    ("freeze", "trained"),
    [("encoder", Trained(0, False, False)), ("features", Trained(12, True, False)), ("none", Trained(12, True, True))],
)
@pytest.mark.parametrize("epoch", [0, 7])
def test_what_is_trained_from_the_start_stays_so(freeze: str, trained: Trained, epoch: int) -> None:
    assert trained_parts(freeze, 12, epoch=epoch) == trained
