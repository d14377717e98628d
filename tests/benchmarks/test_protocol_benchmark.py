"""The benchmark of protocols compares two ways to the same clips."""

import sys
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import protocol
from src.utils.dataset import read_files


def test_both_ways_list_the_same_clips(tmp_path: Path) -> None:
    protocol.write_corpus(tmp_path, 300)
    protocol.plain_tables(tmp_path)
    protocol.our_tables(tmp_path)
    plain = pd.read_csv(tmp_path / "plain.csv")
    ours = read_files(tmp_path)
    assert ours["file"].tolist() == plain["file"].tolist()
    assert ours["label"].tolist() == plain["label"].tolist()
    assert len(protocol.our_key(tmp_path)) == len(protocol.plain_key(tmp_path)) == 300


def test_it_prints_the_ratios(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["protocol", "--rows=100"])
    monkeypatch.setattr(protocol, "in_a_process", lambda way, _: 3.0 if way.startswith("ours") else 2.0)
    protocol.main()
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("100 recordings; ")
    assert printed[1:] == ["reading the key: 1.50 times as long as plain", "tables: 1.50 times as long as plain"]
    monkeypatch.setitem(protocol.WAYS, "plain: key", lambda _: None)
    protocol.measure("plain: key", Path())
    assert capsys.readouterr().out.startswith("plain: key: 0.0 s, at most ")
