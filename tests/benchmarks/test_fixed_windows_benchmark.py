"""The benchmark of fixed windows gives a model the same clips in every width."""

import sys
from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks import fixed_windows
from src.backbones import load_backbone
from src.backbones.lfcc import Lfcc


def test_every_width_computes_all_clips() -> None:
    asked: list[int] = []

    class Counting(Lfcc):
        def statistics(self, waveforms: Sequence[np.ndarray]) -> tuple[np.ndarray, list[int]]:
            asked.append(len(waveforms))
            return super().statistics(waveforms)

    clips = fixed_windows.draw_clips(4, 0.25)
    assert clips.shape == (4, 4_000)
    seconds = fixed_windows.measure(Counting(), clips, [1, 2, 4], rounds=2)
    assert asked == [1] + 2 * [1, 1, 1, 1, 2, 2, 4]
    assert min(seconds.values()) > 0


def test_a_row_is_printed_for_each_number_of_threads(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--backbones=lfcc,mfcc", "--at-once=1,2", "--threads=1", "--rounds=1", "--seconds=0.25"]
    monkeypatch.setattr(sys, "argv", ["fixed_windows", *options])
    monkeypatch.setattr(fixed_windows, "load_backbone", lambda name, *_, **__: load_backbone(name))
    fixed_windows.main()
    _, header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["threads", "1", "at", "once", "2", "at", "once"]
    assert [row.split()[:2] for row in rows] == [["lfcc", "1"], ["mfcc", "1"]]
    assert all(float(rate) > 0 for row in rows for rate in row.split()[2:])
