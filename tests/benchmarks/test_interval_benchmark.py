"""The benchmark of intervals compares two ways to the same numbers."""

import sys

import numpy as np
import pytest

from benchmarks import intervals
from src.metrics.bootstrap import Trials
from src.metrics.resampled import resample_eer


def test_both_ways_find_the_same_eers() -> None:
    rng = np.random.default_rng(0)
    labels, people = np.tile([1, 0], 2000), rng.integers(0, 20, 4000)
    scores = rng.standard_normal(4000) + 2 * labels
    drawn = Trials(labels, people).draw(rng, 5)
    found = intervals.resample_by_copies(scores, drawn)
    np.testing.assert_allclose(found, resample_eer(scores, drawn), atol=0.002)  # copies are ties


def test_it_prints_the_ratio(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["intervals", "--trials=2000", "--draws=20", "--plain-draws=3"])
    intervals.main()
    assert "2,000 trials of 67 people" in (printed := capsys.readouterr().out)
    assert printed.splitlines()[-1].endswith("times as fast")
