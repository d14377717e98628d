"""How many trials are trained at once, and in which order they are drawn and stored, whichever ends first."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pytest

from src.experiments.inputs.contract import TrainingData
from src.experiments.studies import jobs, tuner
from src.experiments.studies.jobs import choose_jobs, jobs_before
from src.experiments.studies.pruner import EarlierTrialsPruner
from src.experiments.studies.tuner import Effort
from src.experiments.studies.workers import Job, Outcome, train_all
from src.models.logistic_regression import LogisticRegression
from src.models.mlp import Mlp
from src.models.svm import Svm
from src.utils.clip_table import ClipTable
from src.utils.embeddings import EmbeddingTable
from src.utils.files import read_json
from tests.experiments.studies.studies import study_of

N_CLIPS, DIMENSION = 1_000, 256


def table(n_clips: int = N_CLIPS) -> EmbeddingTable:
    text = np.full(n_clips, "x", object)
    return EmbeddingTable(np.arange(n_clips) % 2, text, text, text, text, np.zeros((n_clips, DIMENSION), np.float32))


def data_of(clips: ClipTable) -> TrainingData:
    return TrainingData(clips, clips, {}, {}, "corpus")


@pytest.fixture
def large_machine(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Make the machine one of 8 cores, with 1 GB free and no GPU; the record may be changed."""
    machine = SimpleNamespace(cores=8, free=1e9, has_gpu=False)
    monkeypatch.setattr(jobs.loky, "cpu_count", lambda: machine.cores)
    monkeypatch.setattr(jobs.psutil, "virtual_memory", lambda: SimpleNamespace(available=machine.free))
    monkeypatch.setattr("torch.cuda.is_available", lambda: machine.has_gpu)
    return machine


def test_a_study_uses_the_cores(large_machine: SimpleNamespace) -> None:
    assert choose_jobs(LogisticRegression, data_of(table()), 100) == 8
    large_machine.cores = 3
    assert choose_jobs(LogisticRegression, data_of(table()), 100) == 3


def test_of_few_trials_most_still_learn_from_others(large_machine: SimpleNamespace) -> None:
    found = [choose_jobs(LogisticRegression, data_of(table()), n_trials) for n_trials in (1, 7, 8, 20, 32)]
    assert found == [1, 1, 2, 5, 8]


def test_no_more_than_memory_holds(large_machine: SimpleNamespace) -> None:
    """The two tables of 1,000 x 256 float32 take 2 MB, a training twenty times as much."""
    large_machine.free = 140e6
    assert choose_jobs(LogisticRegression, data_of(table()), 100) == 3
    large_machine.free = 1e6
    assert choose_jobs(LogisticRegression, data_of(table()), 100) == 1


def test_the_matrices_of_an_exact_kernel_count_as_well(large_machine: SimpleNamespace) -> None:
    """Of 10,000 clips two of them take 1.6 GB, twenty times the tables 0.4 GB; of more than 20,000 there are none."""
    large_machine.free = 7e9
    clips = data_of(table(10_000))
    assert (choose_jobs(LogisticRegression, clips, 100), choose_jobs(Svm, clips, 100)) == (8, 3)
    assert Svm.bytes_to_train(20_000) == 6_400_000_000
    assert Svm.bytes_to_train(20_001) == 0


def test_a_gpu_trains_one_perceptron_at_a_time_and_leaves_the_others_alone(large_machine: SimpleNamespace) -> None:
    assert choose_jobs(Mlp, data_of(table()), 100) == 8
    large_machine.has_gpu = True
    assert choose_jobs(Mlp, data_of(table()), 100) == 1
    assert choose_jobs(LogisticRegression, data_of(table()), 100) == 8


def test_a_detector_has_the_machine_for_itself(large_machine: SimpleNamespace) -> None:
    text = np.full(4, "x", object)
    clips = ClipTable(np.arange(4) % 2, text, text, text, text)
    assert choose_jobs(LogisticRegression, data_of(clips), 100) == 1


class BackwardsWorkers:
    """Workers of which the one that was asked last is always the first to end."""

    jobs = 3

    def __init__(self) -> None:
        self.under_way: list[tuple[Future[Outcome], Outcome]] = []

    def start(self, prepare: Callable[..., Any], *arguments: Any) -> None: ...

    def submit(self, function: Callable[..., Any], job: Job) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        self.under_way.append((future, Outcome(job.trial, {}, {})))
        if len(self.under_way) == self.jobs:
            while self.under_way:
                ended, outcome = self.under_way.pop()
                ended.set_result(outcome)
        return future


def test_trials_are_drawn_and_stored_in_one_order_whichever_ends_first() -> None:
    """Trial m is drawn once exactly the trials up to m - 3 are stored."""
    told: list[str] = []
    numbers = iter(range(6))

    def ask() -> Job | None:
        number = next(numbers, None)
        if number is None:
            return None
        told.append(f"draw {number}")
        return Job(SimpleNamespace(number=number), None, Path(), Path())  # type: ignore[arg-type]

    for outcome in train_all(ask, BackwardsWorkers()):  # type: ignore[arg-type]
        told.append(f"store {outcome.trial.number}")
    assert told == [
        *("draw 0", "draw 1", "draw 2", "store 0", "draw 3", "store 1", "draw 4", "store 2", "draw 5"),
        *("store 3", "store 4", "store 5"),
    ]


def test_outcomes_are_stored_as_they_come_where_machines_share_a_study() -> None:
    """A result that waited for a slower one would be lost with its machine."""
    numbers = iter(range(3))

    def ask() -> Job | None:
        number = next(numbers, None)
        return None if number is None else Job(SimpleNamespace(number=number), None, Path(), Path())  # type: ignore[arg-type]

    outcomes = train_all(ask, LastAloneWorkers(), in_order=False)  # type: ignore[arg-type]
    assert next(outcomes).trial.number == 2


class LastAloneWorkers(BackwardsWorkers):
    """Workers of which only the one that was asked last ever ends."""

    def submit(self, function: Callable[..., Any], job: Job) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        if job.trial.number == 2:
            future.set_result(Outcome(job.trial, {}, {}))
        return future


@pytest.mark.parametrize(("jobs", "pruned"), [(1, True), (2, False)])
def test_a_training_is_compared_with_trials_that_were_stored_when_it_was_drawn(jobs: int, pruned: bool) -> None:
    """Of six stored trials the last two are good: one of them alone is not yet a quarter of five."""
    study = optuna.create_study(pruner=EarlierTrialsPruner(jobs, 25.0, n_startup_trials=1))
    for eer in (0.5, 0.5, 0.5, 0.5, 0.1, 0.1):
        trial = study.ask()
        trial.report(eer, step=0)
        study.tell(trial, eer)
    late = study.ask()
    late.report(0.4, step=0)
    assert bool(late.should_prune()) is pruned


def test_a_study_that_is_resumed_keeps_the_jobs_that_it_had(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More memory, or another machine, would otherwise draw other trials."""
    monkeypatch.setattr(tuner, "draw_pictures", lambda *_: None)
    monkeypatch.setattr(tuner, "choose_jobs", lambda *_: 3)
    first = study_of(drawn, Effort(1, jobs=2))
    assert read_json(first.folder / "best_hyperparameters.json")["jobs"] == first.jobs == 2
    resumed = study_of(drawn, Effort(2), number=0)
    assert (resumed.jobs, resumed.n_new) == (2, 1)
    assert study_of(drawn, Effort(3, jobs=1), number=0).jobs == 1


@pytest.mark.parametrize(
    ("noted", "before"),
    [('{"jobs": 4}', 4), ("{}", 1), ('{"jobs": null}', 0), ('{"jobs": -3}', 0), ("[1]", 0), ('{"jobs', 0), (None, 0)],
)
def test_jobs_that_are_not_noted_are_those_of_earlier_editions(noted: str | None, before: int, tmp_path: Path) -> None:
    if noted is not None:
        (tmp_path / "best_hyperparameters.json").write_text(noted)
    assert jobs_before(tmp_path) == before


def test_a_study_that_machines_share_trains_one_trial_at_a_time(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuner, "draw_pictures", lambda *_: None)
    monkeypatch.setattr(tuner, "choose_jobs", lambda *_: 3)
    assert study_of(drawn, Effort(1), storage=str(drawn / "studies.log")).jobs == 1
