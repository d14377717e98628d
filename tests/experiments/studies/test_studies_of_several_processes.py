"""Trials in several processes: none is lost or stored twice, whoever dies, and a stop says how to resume.

Real processes: workers are killed by their process ids, whole studies by SIGKILL.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest

from src.experiments.inputs.embeddings import Embeddings
from src.experiments.studies import tuner, workers
from src.experiments.studies.tuner import Effort, optimize_hyperparameters
from src.experiments.studies.workers import Job, Outcome, Workers, train_all
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trained import read_trained_folder
from src.experiments.training.trainer import train_model
from src.models.mlp import Mlp
from src.models.svm import Svm
from src.utils.files import read_json
from tests.experiments.studies.studies import (
    PROCESSES,
    assert_whole,
    run_study,
    search_in,
    states,
    study_of,
    told,
    trials_in,
    wait_for,
)


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuner, "draw_pictures", lambda *_: None)


def test_two_jobs_store_every_trial_once(drawn: Path) -> None:
    study = study_of(drawn, Effort(8, jobs=2))
    assert (study.n_trials, study.n_new) == (8, 8)
    trials = trials_in(study.folder / "journal.log")
    assert_whole(study.folder, trials, 8)
    assert states(trials) == ["COMPLETE"] * 8
    assert len({str(trial.params) for trial in trials}) == 8
    again = study_of(drawn, Effort(8, jobs=2), number=0)
    assert (again.n_trials, again.n_new, again.best_eer) == (8, 0, study.best_eer)


def children_of(process: int) -> list[psutil.Process]:
    """Return the workers that a process started, and nothing else that it has, such as a server of other tests."""
    parent = psutil.Process(process)
    forked = parent.cmdline()
    workers = []
    for child in parent.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ended since it was listed
            command = child.cmdline()
            if child.status() != "zombie" and (command == forked or "popen_loky" in " ".join(command)):
                workers.append(child)
    return workers


@pytest.mark.slow
def test_a_killed_worker_costs_no_trial(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    of_others = children_of(os.getpid())

    class Tuner(tuner.Tuner):
        def tell(self, outcome: Outcome) -> None:
            super().tell(outcome)
            if len(killed) < 2:
                worker = next(child for child in children_of(os.getpid()) if child not in of_others)
                killed.append(worker.pid)
                worker.kill()

    monkeypatch.setattr(tuner, "Tuner", Tuner)
    study = study_of(drawn, Effort(8, jobs=2))
    assert len(killed) == 2
    trials = trials_in(study.folder / "journal.log")
    assert_whole(study.folder, trials, 8)
    assert states(trials) == ["COMPLETE"] * 8, "the killed worker's trial was trained by another"


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.filterwarnings("ignore:The EER is")
@pytest.mark.parametrize("classifier", ["svm", "mlp"])
def test_one_seed_and_as_many_jobs_give_one_study(classifier: str, drawn: Path) -> None:
    """Past the tenth trial the sampler learns from those before, and trainings of the mlp are pruned by them."""
    search = search_in(drawn, classifier, layer=1, pooling="mean")
    first, again = (optimize_hyperparameters(search, Effort(14, jobs=2), root=drawn) for _ in range(2))
    assert told(first) == told(again)
    assert first.outcome.startswith("14 trials, 14 new, 2 at a time; ")


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_study_killed_as_a_whole_ends_with_the_trials_asked_for(jobs: int, drawn: Path) -> None:
    arguments = (drawn, 40, jobs, None, None)
    process = PROCESSES.Process(target=run_study, args=arguments)
    process.start()
    folder = drawn / "runs" / "svm_study0"
    wait_for(lambda: len(list(folder.glob("run*/metrics.json"))) >= 3)
    workers = children_of(process.pid)
    process.kill()
    process.join()
    psutil.wait_procs(workers, timeout=30)
    assert not [worker for worker in workers if worker.is_running()], "workers outlive the study"
    study = study_of(drawn, Effort(12, jobs=jobs), number=0)
    assert study.n_trials >= 12
    assert 0 < study.n_new < 12 or study.n_trials > 12
    assert_whole(study.folder, trials_in(study.folder / "journal.log"), study.n_trials)
    undisturbed = study_of(drawn, Effort(study.n_trials, jobs=jobs))
    assert [trial for trial in told(study) if trial[2] is not None] == told(undisturbed)


@pytest.mark.filterwarnings("ignore:The EER is")  # of the worst trial, trained again
def test_only_the_best_trials_keep_their_weights(drawn: Path) -> None:
    study = study_of(drawn, Effort(6, keep=2))
    trials = sorted(trials_in(study.folder / "journal.log"), key=lambda trial: (trial.value, trial.number))
    with_weights = {run.name for run in study.folder.glob("run*") if any((run / name).is_file() for name in Svm.files)}
    assert with_weights == {f"run{trial.number}" for trial in trials[:2]}
    for run in study.folder.glob("run*"):
        assert {"hyperparameters.json", "metrics.json", "provenance.json", "calibration.json"} <= {
            path.name for path in run.iterdir()
        }
    dropped = study.folder / f"run{trials[-1].number}"
    corpus = drawn / "datasets" / "corpus"
    flags = rf"--dataset={corpus} --backbone=hubert --classifier=svm --seed=7 --hyperparameters=.*json"
    with pytest.raises(FileNotFoundError, match=rf"no weights .*`keep`.*fab TrainModel {flags} "):
        _ = read_trained_folder(dropped, drawn).model
    wanted, file = Embeddings("hubert", None, None), dropped / "hyperparameters.json"
    again = train_model(choose_recipe(corpus, wanted, "svm", hyperparameters=file), root=drawn)
    assert again.metrics == read_json(dropped / "metrics.json")


def test_no_trial_starts_when_the_time_is_up(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 50.0, 101.0, 102.0])
    monkeypatch.setattr(tuner, "monotonic", lambda: next(clock))
    study = study_of(drawn, Effort(9, jobs=1, timeout=100))
    assert (study.n_trials, study.n_new) == (2, 2)


def test_a_time_too_short_for_one_trial_says_how_to_resume(drawn: Path) -> None:
    with pytest.raises(ValueError, match=r" --study-number=0\."):
        study_of(drawn, Effort(9, jobs=1, timeout=1e-9))


@pytest.mark.parametrize(
    ("effort", "line"),
    [
        ({"jobs": -1}, "`jobs` must be 0 .* or more, not -1"),
        ({"keep": 0}, "`keep` must be 1 or more, not 0"),
        ({"trials": -1}, "`trials` must be 1 or more, not -1"),
        ({"trials": 0}, "`trials` must be 1 or more, not 0"),
        ({"timeout": -1.0}, "`timeout` must be a number of seconds above 0, not -1"),
        ({"timeout": 0.0}, "`timeout` must be a number of seconds above 0, not 0"),
        ({"timeout": float("nan")}, "`timeout` must be a number of seconds above 0, not nan"),
    ],
)
def test_effort_is_checked(effort: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        Effort(**effort)


def test_a_stop_says_how_to_resume(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(ask: Callable[[], Job | None], *_: Workers, in_order: bool) -> Iterator[Outcome]:
        job = ask()
        assert job is not None
        yield workers.train_job(job)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tuner, "train_all", stop)
        with pytest.raises(KeyboardInterrupt, match=r"1 of 4 trials.*--study-number=0\."):
            study_of(drawn, Effort(4))
    assert study_of(drawn, Effort(4), number=0).n_new == 3


def test_trials_that_kill_every_worker_end_the_study_in_one_line(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(ask: Callable[[], Job | None], *_: Workers, in_order: bool) -> Iterator[Outcome]:
        while (job := ask()) is not None:
            yield Outcome(job.trial, {}, None)

    monkeypatch.setattr(tuner, "train_all", lost)
    with pytest.raises(ValueError, match=r"3 trials.*`jobs`.*--study-number=0\."):
        study_of(drawn, Effort(9, jobs=1))
    assert states(trials_in(drawn / "runs" / "svm_study0" / "journal.log")) == ["FAIL"] * 3


def test_an_unpromising_training_is_pruned_and_says_so(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven trials learn; the eighth, of a tiny learning rate, stays at chance."""
    from src.models.mlp.mlp_model import MlpConfig

    def space(trial: optuna.Trial, n_clips: int) -> MlpConfig:
        rate = 1e-2 if trial.number < 7 else 1e-8
        return MlpConfig(hidden_size=trial.suggest_int("units", 8, 16), learning_rate=rate, epochs=40, patience=40)

    monkeypatch.setattr(MlpConfig, "search_space", space)
    study = optimize_hyperparameters(search_in(drawn, "mlp", layer=1, pooling="mean"), Effort(8, jobs=1), root=drawn)
    trials = trials_in(study.folder / "journal.log")
    assert states(trials)[7] == "PRUNED"
    pruned = read_json(study.folder / "run7" / "metrics.json")
    assert pruned["pruned"]
    assert pruned["eer"] == trials[7].value > study.best_eer
    assert not any((study.folder / "run7" / name).is_file() for name in Mlp.files)
    assert study.n_trials == 8, "it counts among the trials"


@pytest.mark.slow
def test_jobs_whose_workers_die_three_times_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "train_job", kill_this_process)
    monkeypatch.setattr(workers, "_prepare", lambda _: None)
    jobs = [Job(None, None, Path(), Path())]  # type: ignore[arg-type]
    pool = Workers(2)
    try:
        outcomes = list(train_all(lambda: jobs.pop() if jobs else None, pool))
        assert [outcome.metrics for outcome in outcomes] == [None]
        assert pool.submit(os.getpid).result() != os.getpid(), "others took their place"
    finally:
        pool.end()


def kill_this_process(job: Job) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_died_while_idle_is_replaced() -> None:
    pool = Workers(2)
    pool.start(int)
    try:
        first = {pool.submit(os.getpid).result() for _ in range(4)}
        assert len(first) == 2
        for process in first:
            os.kill(process, signal.SIGKILL)
        assert pool.submit(os.getpid).result() not in first
    finally:
        pool.end()


@pytest.mark.parametrize("jobs", [1, 2])
def test_errors_of_calls_arrive(jobs: int) -> None:
    pool = Workers(jobs)
    pool.start(int)
    try:
        with pytest.raises(ValueError, match="base 10: 'x'"):
            pool.call_all([(int, "1"), (int, "x")])
    finally:
        pool.end()
