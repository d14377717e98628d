"""A project with a tested run of every kind: classifiers on embeddings, detectors, a fine-tuned model, a fusion."""

import shutil
from pathlib import Path

import pytest

from src.detectors import DETECTORS
from tests.detectors.small_models import save_small
from tests.typed import run_fab

CORPUS = "--dataset=datasets/corpus"
RUNS = (
    f"TrainModel {CORPUS} --backbone=lfcc --classifier=lr",
    f"TrainModel {CORPUS} --backbone=lfcc --classifier=svm --pooling=mean+std",
    f"TrainModel {CORPUS} --backbone=wav2vec2 --classifier=lr --layer=1",
    f"TrainModel {CORPUS} --backbone=wav2vec2 --classifier=mlp --layer=mix --hyperparameters=few.json",
    f"TrainModel {CORPUS} --backbone=lfcc+wav2vec2 --classifier=lr --layer=0+2 --pooling=std,mean+std",
    f"TrainDetector {CORPUS} --detector=tiny --epochs=1",
    f"FineTune {CORPUS} --seconds=0.25 --epochs=1 --batch-size=16 --model=MODEL",
)
LR, SVM, ONE_LAYER, MIX, JOINED, TINY, FINE_TUNED, FUSED = (f"run{number}" for number in range(8))


UNTESTED = (MIX, JOINED)
"""For time's sake; what TestModel would write of them is easily had."""


@pytest.fixture(scope="session")
def judged(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with a run of every kind; not to be changed."""
    root = Path(shutil.copytree(prepared, tmp_path_factory.mktemp("judged") / "project"))
    model = save_small(root / "small")
    (root / "few.json").write_text('{"epochs": 2, "hidden_size": 8}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("src.experiments.training.trainer.save_figure", lambda *_: None)
        patch.setattr("src.experiments.evaluation.evaluate.save_figure", lambda *_: None)
        patch.setitem(DETECTORS, "tiny", "tests.detectors.tiny:Tiny")
        assert run_fab(f"GenerateEmbeddings {CORPUS} --backbone=wav2vec2 --model={model}", root, patch) == 0
        for number, task in enumerate(RUNS):
            assert run_fab(task.replace("MODEL", str(model)), root, patch) == 0
            if f"run{number}" not in UNTESTED:
                assert run_fab(f"TestModel --run=run{number}", root, patch) == 0
        assert run_fab(f"FuseRuns --runs={LR},{TINY},{ONE_LAYER}", root, patch) == 0
        assert run_fab(f"TestModel --run={FUSED}", root, patch) == 0
    return root


@pytest.fixture(autouse=True)
def tiny_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every test know the detector of `TINY`."""
    monkeypatch.setitem(DETECTORS, "tiny", "tests.detectors.tiny:Tiny")
