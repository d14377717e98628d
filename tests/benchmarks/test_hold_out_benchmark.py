"""On layers whose answer is known, leaving out systems chooses the general one and validation the fingerprints."""

from pathlib import Path

import pytest

from benchmarks import hold_out
from tests.experiments.domain_project import write_domain_project


def test_held_out_chooses_better_for_systems_that_nobody_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = write_domain_project(tmp_path)
    flags = [f"--root={tmp_path}", f"--dataset={dataset}", "--backbones=hubert", "--poolings=mean"]
    monkeypatch.setattr("sys.argv", ["hold_out", *flags])
    hold_out.main()
    said = capsys.readouterr().out
    for system in ("alpha", "beta", "gamma"):
        assert f"{system:14} in domain  hubert 0 mean" in said
        assert f"{system:14} held out   hubert 1 mean" in said
    assert "mean of 3 systems, held out" in said
    assert "held out minus in domain: -" in said
