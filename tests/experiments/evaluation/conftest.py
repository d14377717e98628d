"""A project whose runs are repeated: one of each classifier, some tested, and a study."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from src.experiments.evaluation.evaluate import evaluate_run
from src.experiments.evaluation.reproduction import Reproduction, reproduce_run
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.runs.names import RunName
from src.experiments.studies.search import Search
from src.experiments.studies.tuner import Effort, optimize_hyperparameters
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trainer import train_model
from src.models.mlp.mlp_model import MlpConfig
from src.utils.files import read_json, write_json
from src.utils.threads import limited_threads

INPUT = Embeddings("hubert", 1)
RUNS: dict[str, dict[str, Any]] = {
    "svm": {},
    "rf": {"n_estimators": 20},
    "lr": {"C": 3.0},
    "mlp": {"epochs": 40, "patience": 2, "learning_rate": 0.01},
}
"""Run k is the k-th of these, on layer 1; the first and the last were tested."""
SVM, RF, LR, MLP = range(4)


def repeat(root: Path, name: str) -> Reproduction:
    return reproduce_run(RunName.parse(name), root=root, dataset=root / "datasets" / "corpus")


@contextmanager
def without_pictures() -> Iterator[None]:
    """Draw no pictures: they take longer than all the rest."""
    with pytest.MonkeyPatch.context() as patch:
        for place in ("training.trainer", "evaluation.evaluate"):
            patch.setattr(f"src.experiments.{place}.save_figure", lambda *_: None)
        patch.setattr("src.experiments.studies.tuner.draw_pictures", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def no_pictures() -> Iterator[None]:
    """Draw no pictures in a module of tests."""
    with without_pictures():
        yield


@pytest.fixture(scope="session")
def finished_once(drawn_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root with `RUNS`, and a study of MLPs whose last trial was pruned; not to be changed."""
    root = Path(shutil.copytree(drawn_once, tmp_path_factory.mktemp("trained") / "root"))
    dataset = root / "datasets" / "corpus"
    with limited_threads(1), without_pictures(), pytest.MonkeyPatch.context() as patch:
        for classifier, own in RUNS.items():
            write_json(root / "h.json", own)
            train_model(choose_recipe(dataset, INPUT, classifier, hyperparameters=root / "h.json"), root=root)
        for number in (SVM, MLP):
            evaluate_run(RunName(None, number), root=root)
        patch.setattr(MlpConfig, "search_space", suggest)
        optimize_hyperparameters(Search(dataset, INPUT, "mlp"), Effort(7, keep=1), root=root)
    return root


def suggest(trial: optuna.Trial, n_clips: int) -> MlpConfig:
    """Give a learning rate to six trials with which they learn, to the seventh one too small."""
    config = MlpConfig(hidden_size=16, epochs=12, learning_rate=trial.suggest_float("rate", 0.002, 0.01))
    return config if trial.number < 6 else replace(config, learning_rate=1e-8)


@pytest.fixture
def finished(finished_once: Path, tmp_path: Path) -> Path:
    """Return a copy of that root which a test may change."""
    return Path(shutil.copytree(finished_once, tmp_path / "root"))


def exact(found: Reproduction) -> dict[str, bool]:
    return {agreement.what: agreement.is_exact for agreement in found.agreements}


def edit_json(path: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    content = read_json(path)
    edit(content)
    write_json(path, content)
