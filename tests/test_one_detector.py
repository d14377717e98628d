"""One file, one row: a detector from a module outside the project runs through every task; nothing else changes."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from src.detectors import DETECTORS
from tests.typed import run_fab

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
    pytest.mark.usefixtures("one_thread"),
]
MODULE = '''
from dataclasses import dataclass

import torch
from torch import nn

from src.detectors.contract import DetectorConfig, Output
from src.detectors.detector import Detector


@dataclass(frozen=True)
class LoudnessConfig(DetectorConfig):
    """Hyperparameters of the loudness detector."""

    seconds: float = 0.25
    epochs: int = 2
    batch_size: int = 8
    kernel: int = 16

    @classmethod
    def search_space(cls, trial, n_clips=0):
        return cls(kernel=trial.suggest_categorical("kernel", (8, 16, 32)))


class Loudness(Detector):
    """A convolution, the level of what it gives, a decision."""

    Config = LoudnessConfig
    min_samples = 64

    def build(self):
        return LoudnessNetwork(self.config)


class LoudnessNetwork(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.convolution = nn.Conv1d(1, 4, config.kernel, stride=8)
        self.decision = nn.Linear(4, 2)

    def forward(self, waveforms):
        levels = (self.convolution(waveforms[:, None]).square().mean(dim=2) + 1e-6).log()
        return Output(self.decision(levels), levels)
'''


@pytest.fixture
def with_detector(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a project with recordings, whose table of detectors has one more row."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "loudness.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    monkeypatch.setitem(DETECTORS, "loudness", "loudness:Loudness")
    yield project
    sys.modules.pop("loudness", None)


@pytest.fixture
def fab(with_detector: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    """Return what runs a task in that project and returns its exit code."""
    return lambda arguments: run_fab(arguments, with_detector, monkeypatch)


@pytest.mark.slow
def test_a_new_detector_is_one_file_and_one_row(
    with_detector: Path, fab: Callable[[str], int], capsys: pytest.CaptureFixture[str]
) -> None:
    where = "--dataset=datasets/corpus --detector=loudness"
    fab(f"TrainDetector {where} --epochs=3 --set=kernel=32")
    assert "Next: fab TestModel --run=run0" in capsys.readouterr().out
    fab("TestModel --run=run0")
    fab(f"OptimizeHyperparameters {where} --trials=2 --keep=1")
    assert "2 trials, 2 new" in capsys.readouterr().out
    fab("TestModel --run=loudness_study0")
    fab("CompareRuns --runs=run0,loudness_study0")
    assert "run0" in capsys.readouterr().out
    fab("ReproduceRun --run=run0")
    assert "Reproduced bit for bit." in capsys.readouterr().out
    fab("ReportRuns")
    assert "loudness" in (with_detector / "runs" / "index.html").read_text()
    page = (with_detector / "runs" / "run0" / "report.html").read_text()
    assert "waveforms" in page
    assert "142 parameters." in page  # 4 kernels of 32 and their biases, a decision of 4 x 2 with biases
    run = with_detector / "runs" / "run0"
    inputs = json.loads((run / "hyperparameters.json").read_text())
    assert (inputs["classifier"], inputs["input"], inputs["kernel"], inputs["epochs"]) == (
        "loudness",
        "waveforms",
        32,
        3,
    )
    assert not (run / "checkpoints").exists()
    assert {"train_losses.npy", "val_losses.npy", "val_eers.npy", "loss_plot.png", "best_model.safetensors"} <= {
        path.name for path in run.iterdir()
    }


def test_a_detector_takes_waveforms_alone(fab: Callable[[str], int], capsys: pytest.CaptureFixture[str]) -> None:
    assert fab("TrainModel --dataset=datasets/corpus --backbone=lfcc --classifier=loudness") == 2
    assert "waveforms" in capsys.readouterr().err
    assert fab("TrainDetector --dataset=datasets/corpus --detector=svm") == 2
    assert "svm is trained on embeddings" in capsys.readouterr().err
    assert fab("OptimizeHyperparameters --dataset=datasets/corpus --detector=loudness --backbone=lfcc") == 2
    assert "--backbone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        ("--detector=louder", "louder"),
        ("--detector=loudness --set=kernel", "--set"),
        ("--detector=loudness --set=kernels=3", "kernels"),
        ("--detector=loudness --epochs=0", "epochs"),
        ("--detector=loudness --loss=hinge", "hinge"),
        ("--detector=loudness --seconds=0.001", "seconds"),
        ("--detector=loudness --log=paper", "--log"),
        ("--detector=loudness --workers=-1", "--workers"),
        ("--detector=loudness --distill-from=run5", "run 5"),
        ("--resume=run5", "run 5"),
    ],
)
def test_bad_flags_end_with_one_line_and_make_nothing(
    with_detector: Path, fab: Callable[[str], int], capsys: pytest.CaptureFixture[str], flags: str, word: str
) -> None:
    assert fab(f"TrainDetector --dataset=datasets/corpus {flags}") == 2
    told = capsys.readouterr().err.strip()
    assert word in told
    assert "\n" not in told
    assert not (with_detector / "runs").exists() or not list((with_detector / "runs").glob("run*"))


def test_a_student_learns_from_the_scores_of_a_teacher(
    with_detector: Path, fab: Callable[[str], int], capsys: pytest.CaptureFixture[str]
) -> None:
    where = "--dataset=datasets/corpus --detector=loudness"
    fab("TrainModel --dataset=datasets/corpus --backbone=lfcc --classifier=lr")
    assert fab(f"TrainDetector {where} --distill-from=run0") == 2
    told = capsys.readouterr().err
    assert "fab TestModel --run=run0 --split=downstream_train" in told
    fab("TestModel --run=run0 --split=downstream_train")
    fab(f"TrainDetector {where} --distill-from=run0")
    assert "Next: fab TestModel --run=run1" in capsys.readouterr().out
    inputs = json.loads((with_detector / "runs" / "run1" / "hyperparameters.json").read_text())
    assert inputs["teacher"] == "run0"
    provenance = json.loads((with_detector / "runs" / "run1" / "provenance.json").read_text())
    assert set(provenance["data"]["waveforms"]["downstream_train"]["teacher"]) == {"trained", "scores"}
    fab("ReproduceRun --run=run1")
    assert "Reproduced bit for bit." in capsys.readouterr().out
