"""A study by the workers of Ray, on three made-up machines and PostgreSQL; and what the driver refuses.

`test_places.py` has three machines on a journal file.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import optuna
import pytest

from src.engines.contract import Engine
from src.experiments.studies import on_engines, tuner
from src.experiments.studies.effort import Effort
from src.experiments.studies.on_engines import search_on_engine
from src.experiments.studies.places import NAME
from src.experiments.studies.search import Wish
from src.experiments.studies.storage import WORKER, open_shared
from src.utils.files import read_json
from tests.experiments.studies.studies import assert_whole, search_in, study_of, wait_for
from tests.forked import forked

TRIALS = 9
CLUSTER = """
import sys

from ray.cluster_utils import Cluster

cluster = Cluster()
for number in range(3):
    cluster.add_node(num_cpus=1, num_gpus=0, include_dashboard=False)
cluster.wait_for_nodes()
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuner, "draw_pictures", lambda *_: None)


@pytest.fixture
def ray_address() -> Iterator[str]:
    """Start a Ray cluster of three machines with one CPU each, in a process of its own, and yield its address."""
    pytest.importorskip("ray", reason='pip install -e ".[ray]"')
    program = [sys.executable, "-W", "ignore", "-c", CLUSTER]
    quiet = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(program, text=True, env=quiet, **pipes) as cluster:
        assert cluster.stdout is not None
        yield cluster.stdout.readline().strip()
        cluster.communicate()


def trials_of(folder: Path, storage: str) -> list[optuna.trial.FrozenTrial]:
    name = read_json(folder / "study.json")["study_name"]
    return optuna.load_study(study_name=name, storage=open_shared(storage)).trials


def kill_a_worker(folder: Path, storage: str) -> None:
    """Kill the process of a worker in the midst of a trial, once a few are finished; note the trial."""
    wait_for((folder / "run1" / "metrics.json").is_file, 120)
    while True:
        for trial in trials_of(folder, storage):
            if trial.state.name == "RUNNING" and NAME in trial.user_attrs:
                with suppress(ProcessLookupError):
                    os.kill(int(trial.user_attrs[WORKER].split()[1]), signal.SIGKILL)
                if trials_of(folder, storage)[trial.number].state.name == "RUNNING":
                    (folder / "killed").write_text(str(trial.number))
                    return


@pytest.mark.slow
def test_three_workers_train_the_trials_asked_for_though_one_is_killed(
    postgres: str, drawn: Path, ray_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("src.engines.ray.POLL_SECONDS", 0.2)
    first = study_of(drawn, Effort(1), storage=postgres)
    killer = forked(kill_a_worker, first.folder, postgres)
    try:
        wish = Wish(int(first.folder.name.removeprefix("svm_study")), postgres)
        engine = Engine("ray", workers=3, address=ray_address)
        study = search_on_engine(search_in(drawn), Effort(TRIALS, keep=2), engine, root=drawn, wish=wish)
    finally:
        killer.kill()
    assert (study.n_trials, study.n_new) == (TRIALS, TRIALS - 1)
    trials = trials_of(first.folder, postgres)
    assert_whole(first.folder, trials, TRIALS)
    lost = trials[int((first.folder / "killed").read_text())]
    assert lost.state.name == "FAIL"
    by = {trial.user_attrs[NAME].split(" of ")[0] for trial in trials if NAME in trial.user_attrs}
    assert by <= {"worker 1", "worker 2", "worker 3"}
    assert len(by) > 1, "on a busy machine one may start when all trials are taken"
    assert study.best_eer == min(trial.value for trial in trials if trial.value is not None)
    best = read_json(first.folder / "best_hyperparameters.json")
    assert best["best_trial_number"] == study.best_trial
    assert not (first.folder / on_engines.LOGS).exists()


def test_a_password_is_not_written_into_the_jobs_of_slurm(drawn: Path) -> None:
    wish = Wish(storage="postgresql://me:secret@127.0.0.1:1/base")
    with pytest.raises(ValueError, match=r"~/\.pgpass") as told:
        search_on_engine(search_in(drawn), Effort(1), Engine("slurm", workers=1), root=drawn, wish=wish)
    assert "secret" not in str(told.value)


def test_a_study_of_an_engine_needs_a_storage_that_workers_share(drawn: Path) -> None:
    with pytest.raises(ValueError, match=r"`engine=ray` needs a storage .*: give `storage`, postgresql://.* journal"):
        search_on_engine(search_in(drawn), Effort(2), Engine("ray", workers=2), root=drawn)
    assert not (drawn / "runs").exists()


def test_an_engine_that_cannot_be_had_leaves_no_study(drawn: Path, tmp_path: Path) -> None:
    journal = str(tmp_path / "studies.log")
    pytest.importorskip("ray", reason='pip install -e ".[ray]"')
    with pytest.raises(ValueError, match=r"No Ray cluster can be reached at 127\.0\.0\.1:1"):
        nowhere = Engine("ray", workers=2, address="127.0.0.1:1")
        search_on_engine(search_in(drawn), Effort(2), nowhere, root=drawn, wish=Wish(storage=journal))
    assert not list((drawn / "runs").iterdir())
    assert optuna.get_all_study_names(open_shared(journal)) == []


def test_a_finished_study_needs_no_engine(drawn: Path, tmp_path: Path) -> None:
    journal = str(tmp_path / "studies.log")
    study_of(drawn, Effort(2), storage=journal)
    nowhere = Engine("ray", workers=2, address="127.0.0.1:1")
    study = search_on_engine(search_in(drawn), Effort(2), nowhere, root=drawn, wish=Wish(0, journal))
    assert (study.n_trials, study.n_new) == (2, 0)


def test_no_worker_starts_a_trial_when_the_time_is_up(drawn: Path, tmp_path: Path) -> None:
    journal = str(tmp_path / "studies.log")
    first = study_of(drawn, Effort(1), storage=journal)
    effort = {"trials": 4, "jobs": 1, "timeout": 1.0, "keep": 5}
    on_engines.work(str(first.folder), str(drawn / "datasets/corpus"), journal, effort, 0.0, "worker 1 of 1")
    assert len(trials_of(first.folder, journal)) == 1
    on_engines.work(str(first.folder), str(drawn / "datasets/corpus"), journal, effort, None, "worker 1 of 1")
    assert [trial.user_attrs.get(NAME) for trial in trials_of(first.folder, journal)] == [None, *["worker 1 of 1"] * 3]
