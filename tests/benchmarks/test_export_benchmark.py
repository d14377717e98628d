"""The benchmark of exports has a row for the run, and one for each of its files."""

import shutil
import sys
from pathlib import Path

import pytest

from benchmarks import export
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trainer import train_model


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The EER is")
def test_rows_tell_size_speed_error_and_differences(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(shutil.copytree(prepared, tmp_path / "project"))
    monkeypatch.setattr("src.experiments.training.trainer.save_figure", lambda *_: None)
    train_model(choose_recipe(root / "datasets" / "corpus", Embeddings("lfcc"), "lr"), root=root)
    monkeypatch.setattr(export, "SECONDS_OF_CLIPS", (0.5,))
    monkeypatch.setattr(sys, "argv", ["export", "--runs=run0", f"--root={root}", "--threads=1", "--rounds=1"])
    export.main()
    itself, eager, fp32, int8 = capsys.readouterr().out.splitlines()[-4:]
    assert itself.split()[:2] == ["run0", "itself"] and itself.split()[3] == "1.00"
    assert eager.split()[:2] == ["run0", "eager"] and eager.split()[4:] == ["1.00", "-"]
    *_, eer, alone, together = fp32.split()
    assert eer == itself.split()[5] and float(alone) < 1e-3 and float(together) < 1e-3
    assert "no matrix product of weights" in int8


def test_a_benchmark_needs_a_round(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["export", "--runs=run0", "--rounds=0"])
    with pytest.raises(SystemExit):
        export.main()
    assert "--rounds and --threads must be 1 or more" in capsys.readouterr().err
