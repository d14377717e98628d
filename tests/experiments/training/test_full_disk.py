"""A disk that is full while a training writes: one line, what was finished is kept, and the training can be resumed."""

import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from src.detectors import DETECTORS
from src.detectors.detector import Detector
from src.detectors.training import loop
from src.experiments.inputs.waveforms import Waveforms
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trainer import train_model
from src.utils.files import read_json
from tests.typed import run_fab

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
    pytest.mark.usefixtures("one_thread"),
]
Fab = Callable[[str], int]
OPTIMIZER, WEIGHTS = 4_000, 1_000
"""Sizes that keep the optimiser's state, or weights as well, from being written."""


@pytest.fixture
def fab(project: Path, monkeypatch: pytest.MonkeyPatch) -> Fab:
    monkeypatch.setitem(DETECTORS, "tiny", "tests.detectors.tiny:Tiny")
    return lambda arguments: run_fab(arguments, project, monkeypatch)


@pytest.fixture
def limit() -> Iterator[Callable[[int], None]]:
    """Return what keeps this process from writing larger files: the kernel then fails as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="module")
def undisturbed(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run whose training had room enough."""
    root = Path(shutil.copytree(prepared, tmp_path_factory.mktemp("undisturbed") / "project"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DETECTORS, "tiny", "tests.detectors.tiny:Tiny")
        return train_model(choose_recipe(root / "datasets" / "corpus", Waveforms(), "tiny"), root=root).folder


def weights_of(run: Path) -> dict[str, np.ndarray]:
    return load_file(run / "best_model.safetensors")


@pytest.mark.parametrize("moment", ["optimizer", "best weights", "final weights"])
def test_a_training_that_fills_the_disk_ends_with_one_line_and_can_be_resumed(
    project: Path,
    undisturbed: Path,
    fab: Fab,
    limit: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    moment: str,
) -> None:
    train = "TrainDetector --dataset=datasets/corpus --detector=tiny --epochs=4"
    evaluate, save = loop.OurTrainer.evaluate, Detector.save

    def filling(self: loop.OurTrainer, *arguments: Any, **options: Any) -> dict[str, float]:
        if len(self.progress.val_eers) == 2:  # a checkpoint of two epochs is there
            limit(OPTIMIZER if moment == "optimizer" else WEIGHTS)
        return evaluate(self, *arguments, **options)

    def filled(self: Detector, folder: Path) -> None:
        limit(WEIGHTS)
        save(self, folder)

    with monkeypatch.context() as patch:
        if moment == "final weights":
            patch.setattr(Detector, "save", filled)
        else:
            patch.setattr(loop.OurTrainer, "evaluate", filling)
        code = fab(train)
    limit(resource.RLIM_INFINITY)
    told = capsys.readouterr().err.strip()
    assert code == 2, told
    assert "\n" not in told
    assert told.startswith("TrainDetector: ")
    assert ("No space left on device" if moment == "optimizer" else "File too large") in told
    assert told.endswith("Free some space and resume it with fab TrainDetector --resume=run0.")
    assert not (project / "runs/run0/metrics.json").exists()
    assert list((project / "runs/run0/checkpoints").glob("checkpoint-*/complete.json"))
    assert fab("TrainDetector --resume=run0") == 0
    expected, found = weights_of(undisturbed), weights_of(project / "runs/run0")
    assert all(np.array_equal(found[name], expected[name]) for name in expected)
    assert read_json(undisturbed / "metrics.json") == read_json(project / "runs/run0/metrics.json")
