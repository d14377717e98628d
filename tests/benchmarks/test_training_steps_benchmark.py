"""The benchmark of training steps takes them at the true shape."""

import sys

import pytest

from benchmarks import training_steps
from src.detectors.lcnn import Lcnn, LcnnConfig


def test_a_row_tells_the_size_of_the_true_shape_and_that_a_step_helped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["training_steps", "--batch=2", "--detectors", "lcnn", "--device=cpu"])
    training_steps.main()
    name, parameters, trained, _, _, loss, following = capsys.readouterr().out.splitlines()[-1].split()
    size = sum(each.numel() for each in Lcnn(LcnnConfig()).build().parameters())
    assert (name, parameters, trained) == ("lcnn", f"{size:,}", f"{size:,}")
    assert float(following) < float(loss)


def test_a_step_needs_both_classes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["training_steps", "--batch=1"])
    with pytest.raises(SystemExit):
        training_steps.main()
    assert "--batch must be 2 or more, not 1" in capsys.readouterr().err
