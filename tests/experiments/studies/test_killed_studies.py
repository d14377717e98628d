"""A study killed at any point of a trial and resumed is the study that was never killed.

The kills are real: another process runs the study and sends itself SIGKILL. The trial that dies is the twelfth, which
the sampler draws from those before it, so that a lost or doubled trial would show.
"""

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from importlib import import_module
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import optuna
import pytest

from src.experiments.inputs.embeddings import Embeddings
from src.experiments.studies.search import Search, Wish
from src.experiments.studies.tuner import Effort, StudyResult, optimize_hyperparameters
from src.utils.files import read_json

pytestmark = pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only")
N_DONE = 11
POINTS = {
    "before it is drawn": ("src.experiments.studies.sampler:PerTrialSampler.before_trial", "before"),
    "after it was asked for": ("optuna:Study.ask", "after"),
    "amid its suggestions": ("optuna:Trial.suggest_float", "before"),
    "with half a run folder": ("src.experiments.training.trainer:save_array", "after"),
    "before its metrics": ("src.experiments.training.trainer:validate", "before"),
    "after its training": ("src.experiments.studies.workers:train_run", "after"),
    "after it was told": ("optuna:Study.tell", "after"),
    "after it was marked finished": ("src.experiments.studies.tuner:note_finished", "after"),
    "before the pictures": ("src.experiments.studies.tuner:draw_pictures", "before"),
}
"""When a process dies -> the function it dies in, and whether before or after it ran."""
PROCESSES = multiprocessing.get_context("forkserver")  # imports once, then each process is there at once
PROCESSES.set_forkserver_preload(["src.experiments.studies.tuner", "optuna", "sklearn.svm", "src.models.svm"])


def leave_out_pictures(patch: pytest.MonkeyPatch) -> None:
    """Draw nothing: pictures are most of a small trial's time."""
    patch.setattr("src.experiments.studies.tuner.draw_pictures", lambda *_: None)


@pytest.fixture(scope="module", autouse=True)
def _no_pictures() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        leave_out_pictures(patch)
        yield


def resume(root: Path, trials: int, number: int | None = None) -> StudyResult:
    search = Search(root / "datasets" / "corpus", Embeddings("hubert", None, None), "svm")
    return optimize_hyperparameters(search, Effort(trials, jobs=1), root=root, wish=Wish(number, reuse=True))


def replace_function(place: str, make: Callable[[Callable], Callable]) -> None:
    """Replace a function by what `make` returns for it: "module:attribute" or "module:Class.method"."""
    module, _, path = place.partition(":")
    owner: Any = import_module(module)
    *owners, name = path.split(".")
    for attribute in owners:
        owner = getattr(owner, attribute)
    setattr(owner, name, make(getattr(owner, name)))


def run_until_killed(root: Path, trials: int, point: str) -> None:
    """Resume the study until `point` of the next trial; runs in a process of its own."""
    leave_out_pictures(pytest.MonkeyPatch())
    place, when = POINTS[point]

    def make(function: Callable) -> Callable:
        def fatal(*arguments: Any, **options: Any) -> None:
            if when == "after":
                function(*arguments, **options)
            os.kill(os.getpid(), signal.SIGKILL)

        return fatal

    replace_function(place, make)
    resume(root, trials)


def run_and_wait(root: Path, is_training: Event, may_end: Event) -> None:
    """Run a study of one trial that does not end before `may_end` is set; runs in a process of its own."""

    def make(function: Callable) -> Callable:
        def patient(*arguments: Any, **options: Any) -> Any:
            is_training.set()
            may_end.wait(60)
            return function(*arguments, **options)

        return patient

    leave_out_pictures(pytest.MonkeyPatch())
    replace_function("src.experiments.studies.workers:train_run", make)
    resume(root, 1)


def portrait(study: Path) -> dict[str, Any]:
    """Return all of a study that does not depend on the time: trials, run folders and their contents, the best."""
    backend = optuna.storages.journal.JournalFileBackend(str(study / "journal.log"))
    trials = optuna.load_study(study_name=None, storage=optuna.storages.JournalStorage(backend)).trials
    runs = {
        run.name: {
            "files": sorted(path.name for path in run.iterdir()),
            "inputs": read_json(run / "hyperparameters.json"),
            "metrics": read_json(run / "metrics.json"),
            "curve": (run / "val_losses.npy").read_bytes(),
        }
        for run in study.glob("run*")
    }
    best = read_json(study / "best_hyperparameters.json")
    best["dataset"] = Path(best["dataset"]).relative_to(study.parents[1])
    return {
        "trials": [(trial.number, trial.state.name, trial.params, trial.value) for trial in trials],
        "runs": runs,
        "best": best,
    }


@pytest.fixture(scope="module")
def started(drawn_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root with a study of eleven trials; not to be changed."""
    root = Path(shutil.copytree(drawn_once, tmp_path_factory.mktemp("started") / "root"))
    resume(root, N_DONE)
    return root


@pytest.fixture(scope="module")
def undisturbed(drawn_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], dict[str, Any]]:
    """Return a function that gives the portrait of a study of so many trials that was run in one go."""
    portraits: dict[int, dict[str, Any]] = {}

    def of(trials: int) -> dict[str, Any]:
        if trials not in portraits:
            root = Path(shutil.copytree(drawn_once, tmp_path_factory.mktemp("undisturbed") / "root"))
            portraits[trials] = portrait(resume(root, trials).folder)
        return portraits[trials]

    return of


def kill_and_resume(root: Path, trials: int, point: str) -> StudyResult:
    process = PROCESSES.Process(target=run_until_killed, args=(root, trials, point))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL, "the process was to die there"
    return resume(root, trials)


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_a_study_killed_in_its_twelfth_trial_ends_as_if_it_was_not(
    point: str, started: Path, undisturbed: Callable[[int], dict[str, Any]], tmp_path: Path
) -> None:
    root = Path(shutil.copytree(started, tmp_path / "root"))
    study = kill_and_resume(root, N_DONE + 1, point)
    survived = point in ("after it was marked finished", "before the pictures")
    assert (study.n_trials, study.n_new) == (N_DONE + 1, 0 if survived else 1)
    assert portrait(study.folder) == undisturbed(N_DONE + 1)
    assert [path.name for path in (root / "runs").iterdir()] == ["svm_study0"]


@pytest.mark.parametrize(
    "point", ["before it is drawn", "after it was asked for", "after it was told", "after it was marked finished"]
)
def test_so_does_one_killed_in_its_first(point: str, drawn: Path, undisturbed: Callable[[int], dict[str, Any]]) -> None:
    assert portrait(kill_and_resume(drawn, 1, point).folder) == undisturbed(1)


def test_one_killed_twice_in_the_same_trial_as_well(
    started: Path, undisturbed: Callable[[int], dict[str, Any]], tmp_path: Path
) -> None:
    root = Path(shutil.copytree(started, tmp_path / "root"))
    process = PROCESSES.Process(target=run_until_killed, args=(root, N_DONE + 1, "after it was told"))
    process.start()
    process.join()
    assert portrait(kill_and_resume(root, N_DONE + 1, "after its training").folder) == undisturbed(N_DONE + 1)


TEARS = [
    b'{"op_code": 4, "worker_id": "torn',
    b"\0\0\0\0",
    b"not a line of a journal\n",
    b'{"op_code": 4, "worker_id": "whole", "study_id": 0, "datetime_start": "2026-01-01T00:00:00"}\n{"op_code": 6, "wo',
]


@pytest.mark.parametrize("tear", TEARS)
def test_what_a_kill_left_incomplete_in_the_journal_is_removed(
    tear: bytes,
    started: Path,
    undisturbed: Callable[[int], dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = Path(shutil.copytree(started, tmp_path / "root"))
    journal = root / "runs" / "svm_study0" / "journal.log"
    with journal.open("ab") as file:
        file.write(tear)
    journal.with_name("journal.log.lock").symlink_to(journal)  # as a killed process leaves it

    def impatient(_: float) -> None:
        raise AssertionError("it waits for a process that is dead")

    monkeypatch.setattr("time.sleep", impatient)
    assert resume(root, N_DONE).n_new == 0
    assert portrait(resume(root, N_DONE + 1).folder) == undisturbed(N_DONE + 1)


def test_a_study_can_be_resumed_after_an_exception_in_a_trial(
    started: Path, undisturbed: Callable[[int], dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(shutil.copytree(started, tmp_path / "root"))

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("src.experiments.studies.workers.train_run", interrupt)
        with pytest.raises(KeyboardInterrupt):
            resume(root, N_DONE + 1)
    assert portrait(resume(root, N_DONE + 1).folder) == undisturbed(N_DONE + 1)


def test_two_processes_do_not_run_one_study(drawn: Path, undisturbed: Callable[[int], dict[str, Any]]) -> None:
    is_training, may_end = PROCESSES.Event(), PROCESSES.Event()
    process = PROCESSES.Process(target=run_and_wait, args=(drawn, is_training, may_end))
    process.start()
    try:
        assert is_training.wait(60)
        for number in (None, 0):
            with pytest.raises(ValueError, match="svm_study0"):
                resume(drawn, 2, number)
    finally:
        may_end.set()
        process.join()
    assert process.exitcode == 0, "the refused attempt disturbed the one that was running"
    assert portrait(drawn / "runs" / "svm_study0") == undisturbed(1)
    assert resume(drawn, 1).n_new == 0
