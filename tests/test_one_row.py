"""One folder, one row: a classifier from a module outside the project runs through every task; nothing else changes."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from src.models import CLASSIFIERS
from tests.typed import run_fab

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
    pytest.mark.usefixtures("one_thread"),
]
MODULE = '''
from dataclasses import dataclass

import numpy as np

from src.metrics.eer import eer_of
from src.models.arrays import WEIGHTS, load_arrays, save_arrays
from src.models.contract import Config, History, cross_entropy


@dataclass(frozen=True)
class NearestMeanConfig(Config):
    """Hyperparameters of the nearest mean."""

    steepness: float = 1.0

    @classmethod
    def search_space(cls, trial, n_clips=0):
        return cls(trial.suggest_float("steepness", 0.1, 10.0, log=True))


class NearestMean:
    """The score is how much nearer the mean of bona fide clips is than that of spoofs."""

    Config = NearestMeanConfig
    takes = "embeddings"
    files = (WEIGHTS,)

    def __init__(self, config, *, seed=7):
        self.config = config

    def fit(self, train, val, watch=None):
        self.means = np.stack([train.vectors[train.labels == label].mean(axis=0) for label in (0, 1)])
        losses = [cross_entropy(table.labels, self.scores(table.inputs)) for table in (train, val)]
        return History.of_one(*losses, eer_of(val.labels, self.scores(val.inputs)))

    def scores(self, vectors):
        spoof, bonafide = (np.linalg.norm(vectors - mean, axis=1) for mean in self.means)
        return self.config.steepness * (spoof - bonafide)

    def save(self, folder):
        save_arrays(folder, {"means": self.means})

    @classmethod
    def load(cls, folder, config):
        model = cls(config)
        model.means = load_arrays(folder, ("means",))["means"]
        return model
'''


@pytest.fixture
def project(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a project whose table of classifiers has one more row."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "nearest_mean.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    monkeypatch.setitem(CLASSIFIERS, "nearest", "nearest_mean:NearestMean")
    yield drawn
    sys.modules.pop("nearest_mean", None)


@pytest.fixture
def fab(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    """Return what runs a task in that project and returns its exit code."""
    return lambda arguments: run_fab(arguments, project, monkeypatch)


def test_a_new_classifier_is_one_folder_and_one_row(
    project: Path, fab: Callable[[str], int], capsys: pytest.CaptureFixture[str]
) -> None:
    where = "--dataset=datasets/corpus --backbone=hubert --classifier=nearest"
    fab(f"TrainModel {where} --layer=1")
    assert "Next: fab TestModel --run=run0" in capsys.readouterr().out
    fab("TestModel --run=run0")
    fab(f"OptimizeHyperparameters {where} --trials=3 --keep=1")
    assert "3 trials, 3 new" in capsys.readouterr().out
    fab("TestModel --run=nearest_study0")
    fab("CompareRuns --runs=run0,nearest_study0")
    assert "run0" in capsys.readouterr().out
    fab("ReproduceRun --run=run0")
    assert "Reproduced bit for bit." in capsys.readouterr().out
    fab(f"CompareLayers {where}")
    assert "Lowest validation EER" in capsys.readouterr().out
    fab("ReportRuns")
    page = (project / "runs" / "index.html").read_text()
    assert "nearest" in page
    kept = sorted(path.parent.name for path in (project / "runs" / "nearest_study0").glob("run*/model.safetensors"))
    assert len(kept) == 1  # --keep=1 knows which files are weights
    inputs = json.loads((project / "runs" / "run0" / "hyperparameters.json").read_text())
    assert inputs["classifier"] == "nearest"
    assert inputs["steepness"] == 1.0


def test_a_classifier_that_takes_something_else_is_refused(
    project: Path, fab: Callable[[str], int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from src.models import classifier_class

    monkeypatch.setattr(classifier_class("nearest"), "takes", "waveforms")
    assert fab("TrainModel --dataset=datasets/corpus --backbone=hubert --classifier=nearest") == 2
    assert "waveforms" in capsys.readouterr().err
    assert not (project / "runs").exists()
