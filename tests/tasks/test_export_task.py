"""The task ExportModel: what it says, and errors of one line."""

from pathlib import Path

import pytest

from src.experiments.inputs.embeddings import Embeddings
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trainer import train_model
from tests.typed import run_fab

pytestmark = pytest.mark.filterwarnings("ignore:The EER is")


@pytest.fixture(scope="module")
def root(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import shutil

    root = Path(shutil.copytree(prepared, tmp_path_factory.mktemp("typed") / "project"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("src.experiments.training.trainer.save_figure", lambda *_: None)
        train_model(choose_recipe(root / "datasets" / "corpus", Embeddings("lfcc"), "svm"), root=root)
    return root


def test_a_run_becomes_a_file(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_fab("ExportModel --run=run0 --format=torchscript", root, monkeypatch) == 0
    said = capsys.readouterr().out
    assert "Run by its own runtime at 8 sizes: scores differ from those of the run by at most" in said
    assert "Beside it: model.pt.json and model.pt_example.py." in said
    assert (root / "runs/run0/export/model.pt").is_file()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--run=run9", "There is no run 9"),
        ("--run=run0 --format=tflite", "Unknown format 'tflite'; allowed: onnx, torchscript, torch-export."),
        ("--run=run0 --precision=int4", "Unknown precision 'int4'; allowed: fp32, int8."),
        ("--run=run0 --format=torchscript --precision=int8", "--precision=int8 is for --format=onnx"),
        ("--run=run0 --output=model.pt", "--output of onnx ends with .onnx, not with '.pt'"),
        ("--run=run0 --output=.", "--output must be a file"),
    ],
)
def test_wrong_input_ends_with_one_line(
    flags: str, said: str, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_fab(f"ExportModel {flags}", root, monkeypatch) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("ExportModel: ") and said in line
