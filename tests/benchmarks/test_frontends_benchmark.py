"""The benchmark of front ends compares like with like, and prints a line for each kind of features."""

import sys

import numpy as np
import pytest

from benchmarks import frontends


@pytest.fixture(scope="module")
def clips() -> list[np.ndarray]:
    return frontends.draw_clips(0.3, np.random.default_rng(0))


def test_clips_have_the_lengths_that_are_stated(clips: list[np.ndarray]) -> None:
    seconds = [len(clip) / frontends.RATE for clip in clips]
    assert 18 <= sum(seconds) < 18 + frontends.LONGEST
    assert all(frontends.SHORTEST <= each <= frontends.LONGEST for each in seconds)


@pytest.mark.parametrize("kind", frontends.KINDS)
def test_all_ways_compute_the_same_features(kind: str, clips: list[np.ndarray]) -> None:
    seconds, found = frontends.measure(kind, clips[:2], rounds=1)
    assert min(seconds.values()) > 0
    assert frontends.apart(found["plain"], found["ours"]) < 1e-6
    means, expected = (found[way][:, 0] for way in ("librosa", "ours"))
    assert frontends.apart(expected, means) < 0.05, "librosa's frames begin elsewhere"


def test_a_line_is_printed_for_each_kind(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["frontends", "--minutes=0.05", "--rounds=1", "--kinds=lfcc"])
    monkeypatch.setattr(frontends, "measure", lambda *_: ({"plain": 1.0, "ours": 0.25, "librosa": 2.0}, FOUND))
    frontends.main()
    _, _, line = capsys.readouterr().out.splitlines()
    assert line.split()[0] == "lfcc"
    assert line.split()[-3:] == ["4.0", "8.0", "0e+00"]


FOUND = {way: np.ones((1, 2, 3)) for way in frontends.WAYS}
