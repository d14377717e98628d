"""The benchmark of rejection: made-up scores, and a project of three systems of which one is left out in turn."""

import re
import sys
from pathlib import Path

import pytest

from benchmarks import rejection
from tests.experiments.domain_project import write_domain_project


def test_made_up_scores_are_split_many_times(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rejection, "POOL", 20_000)
    monkeypatch.setattr(rejection, "SIZES", (300,))
    monkeypatch.setattr(rejection, "N_SPLITS", 20)
    monkeypatch.setattr(rejection, "EERS", (0.1,))
    monkeypatch.setattr(sys, "argv", ["rejection", "--reject=0.05"])
    rejection.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    for line in lines[1:]:
        assert float(re.search(r"([\d.]+)% of 20 splits", line)[1]) >= 80  # type: ignore[index]


def test_a_system_that_is_left_out_is_told_more_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = write_domain_project(tmp_path)
    flags = [f"--root={tmp_path}", f"--dataset={dataset}", "--backbone=hubert", "--layer=0", "--reject=0.1"]
    monkeypatch.setattr(sys, "argv", ["rejection", *flags])
    rows = rejection.left_out_rows(rejection.read_options())
    assert {row["left out"] for row in rows} == {"alpha", "beta", "gamma", rejection.ALL}
    for system in ("alpha", "beta", "gamma", rejection.ALL):
        far = {row["test clips"]: float(row["far"].rstrip("%")) for row in rows if row["left out"] == system}
        assert far["left out"] > 90
        assert far["spoofs heard"] < 25 and far["bona fide"] < 25
