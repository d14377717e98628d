"""Studies that tests run, in this process and in others, and what must hold of a study in the end."""

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna

from src.experiments.inputs.embeddings import Embeddings
from src.experiments.studies import tuner
from src.experiments.studies.search import Search, Wish
from src.experiments.studies.storage import open_shared
from src.experiments.studies.tuner import Effort, StudyResult, optimize_hyperparameters
from src.utils.files import read_json

PROCESSES = multiprocessing.get_context("spawn")


def search_in(
    root: Path, classifier: str = "svm", *, layer: int | None = None, pooling: str | None = None, seed: int = 7
) -> Search:
    """Return a search on the drawn embeddings; None = part of it."""
    return Search(root / "datasets" / "corpus", Embeddings("hubert", layer, pooling), classifier, seed)


def study_of(root: Path, effort: Effort, **wish: Any) -> StudyResult:
    """Run a study of SVMs: a new one, or that of `Wish(**wish)`."""
    return optimize_hyperparameters(search_in(root), effort, root=root, wish=Wish(**wish))


def trials_in(storage: str | Path) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=None, storage=open_shared(str(storage))).trials


def told(study: StudyResult) -> list[tuple[int, dict[str, Any], float | None]]:
    """Return the trials of a study with a journal of its own."""
    return [(trial.number, trial.params, trial.value) for trial in trials_in(study.folder / "journal.log")]


def states(trials: list[optuna.trial.FrozenTrial]) -> list[str]:
    return [trial.state.name for trial in trials]


def assert_whole(study: Path, trials: list[optuna.trial.FrozenTrial], wanted: int) -> None:
    """Each finished trial is stored once, with the metrics of its finished folder."""
    finished = [trial for trial in trials if trial.state.name in ("COMPLETE", "PRUNED")]
    assert len(finished) == wanted
    assert len({trial.number for trial in trials}) == len(trials)
    assert "RUNNING" not in states(trials)
    for trial in finished:
        run = study / f"run{trial.number}"
        assert read_json(run / "metrics.json")["eer"] == trial.value == trial.user_attrs["metrics"]["eer"]
        assert read_json(run / "hyperparameters.json") == trial.user_attrs["hyperparameters"]


def run_study(root: Path, trials: int, jobs: int, storage: str | None, number: int | None) -> None:
    """Run a study; for a process of its own."""
    tuner.draw_pictures = lambda *_: None  # type: ignore[attr-defined]
    study_of(root, Effort(trials, jobs), storage=storage, number=number)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.02)
