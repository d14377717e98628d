"""The benchmark of augmented training trains both ways and prints their rates and ratio."""

import re
import sys

import pytest
import torch

from benchmarks import augmented_training


def test_it_prints_both_rates(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--recipe=noise", "--workers=0", "--clips=4", "--batch=2", "--rounds=1"]
    monkeypatch.setattr(sys, "argv", ["augmented_training", *options])
    with torch.random.fork_rng([]):
        augmented_training.main()
    plain, augmented, ratio = map(float, re.findall(r"\d+\.\d+", capsys.readouterr().out.splitlines()[-1]))
    assert ratio == pytest.approx(augmented / plain, abs=0.02)
