"""The benchmark of reading reads every byte once, and prints a line for each kind of recording."""

import sys
from pathlib import Path

import pytest

from benchmarks import reading


def test_it_prints_a_line_for_each_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reading, "RATE", 8000)
    options = ["--clips=4", "--clips-per-tar=3", "--minutes=0.05", f"--folder={tmp_path}"]
    monkeypatch.setattr(sys, "argv", ["reading", *options])
    reading.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[1:]] == [
        "4 clips in files", "4 clips in tars", "index of 4 members", *(f"{kind}, 0.05 min" for kind in reading.KINDS),
    ]  # fmt: skip
    assert not list(tmp_path.iterdir())
