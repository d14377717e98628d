"""Pruned and quantised runs as they are typed: what is told, that tests take them unchanged, what is refused."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from src.utils.files import read_json
from tests.detectors.small_models import save_small_whisper
from tests.typed import run_fab

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(find_spec("torchao") is None, reason="needs torchao: pip install -e '.[quantize]'"),
]
Fab = Callable[[str], int]


@pytest.fixture
def fab(project: Path, monkeypatch: pytest.MonkeyPatch) -> Fab:
    """Return what runs a task in a project with recordings and returns its exit code."""
    return lambda arguments: run_fab(arguments, project, monkeypatch)


@pytest.mark.slow
def test_a_pruned_and_quantised_run_is_told_of_tested_and_reproduced(
    fab: Fab, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_small_whisper(tmp_path / "small")
    flags = "--seconds=0.25 --epochs=1 --batch-size=16 --freeze=features --quantize=int8 --prune=0.5"
    assert fab(f"FineTune --dataset=datasets/corpus --backbone=whisper --model={model} {flags}") == 0
    told = capsys.readouterr().out
    assert "Pruned at a validation EER of" in told
    assert "times as fast" in told
    assert "Weights on disk: " in told
    noted = read_json(project / "runs/run0/provenance.json")
    compression = noted["compression"]
    assert noted["parameters"] == compression["parameters"] < compression["parameters_before"]
    assert compression["bytes"] == (project / "runs/run0/best_model.safetensors").stat().st_size
    assert read_json(project / "runs/run0/hyperparameters.json")["prune"] == 0.5
    assert fab("TestModel --run=run0") == 0
    assert fab("ReproduceRun --run=run0") == 0
    assert "Reproduced bit for bit." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        ("FineTune --prune=1", "--prune must lie between 0 and 1, such as 0.3, not 1"),
        ("FineTune --prune=0", "--prune must lie between 0 and 1, such as 0.3, not 0: leave it out to prune nothing"),
        ("FineTune --quantize=int4", "--quantize must be int8, not 'int4'"),
        (
            "FineTune --backbone=wavlm --prune=0.3",
            "--prune cannot cut heads out of the attention of wavlm; --backbone may",
        ),
        (
            "TrainDetector --detector=lcnn --quantize=int8",
            "--quantize is for networks of dense layers, and those of this",
        ),
    ],
)
def test_what_cannot_be_done_ends_with_one_line(
    fab: Fab, project: Path, capsys: pytest.CaptureFixture[str], flags: str, line: str
) -> None:
    task, *others = flags.split()
    assert fab(f"{task} --dataset=datasets/corpus {' '.join(others)}") == 2
    told = capsys.readouterr().err.strip()
    assert line in told
    assert "\n" not in told
    assert not list((project / "runs").glob("run*"))
