"""Exactly as many trials are finished as are asked for: no more, whoever draws at once; no fewer, whoever dies."""

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from time import sleep

import optuna
import pytest

from src.experiments.runs.names import existing_numbers
from src.experiments.studies import places, storage, tuner
from src.experiments.studies.places import NAME, Places
from src.experiments.studies.storage import WORKER
from src.experiments.studies.tuner import Effort
from src.experiments.studies.workers import Job, Outcome, train_job
from src.utils.files import read_json
from tests.experiments.studies.studies import assert_whole, states, study_of, trials_in
from tests.forked import finished, forked


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuner, "draw_pictures", lambda *_: None)


@pytest.fixture
def study() -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(direction="minimize")


@pytest.fixture
def open_places(study: optuna.Study, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Places]:
    """Return a function that opens the study's places as a process of another machine would, without a heartbeat."""
    monkeypatch.setattr(places, "BEAT_SECONDS", 1e6)

    def open_one(wanted: int, host: str = "", name: str = "") -> Places:
        opened = Places(study, wanted, shared=True, name=name)
        monkeypatch.setattr(places, "this_worker", lambda: f"{host} 1 2.0" if host else storage.this_worker())
        return opened

    return open_one


def test_no_place_is_given_twice(study: optuna.Study, open_places: Callable[..., Places]) -> None:
    one, other = open_places(2), open_places(2)
    first, second = one.take(), other.take()
    assert first is not None
    assert second is not None
    assert one.take() is None
    study.tell(first, 0.5)
    assert one.take() is None, "finished trials keep their places"
    other.fail(second.number)
    third = one.take()
    assert third is not None, "failed ones do not"
    study.tell(third, 0.4)
    assert other.take() is None
    assert states(study.trials) == ["COMPLETE", "FAIL", "COMPLETE"]


def test_of_two_that_draw_at_once_the_later_gives_way(
    study: optuna.Study, open_places: Callable[..., Places], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = open_places(1), open_places(1)
    monkeypatch.setattr(other, "n_under_way", lambda: 0)  # it looked before the first had drawn
    assert one.take() is not None
    assert other.take() is None
    assert states(study.trials) == ["RUNNING", "FAIL"]


def test_a_trial_that_waits_to_be_drawn_is_drawn_first_and_has_its_place(
    study: optuna.Study, open_places: Callable[..., Places]
) -> None:
    study.enqueue_trial({})
    one, other = open_places(1), open_places(1)
    trial = one.take()
    assert trial is not None
    assert trial.number == 0
    assert other.take() is None


def test_a_silent_trial_of_another_machine_is_lost_and_one_that_is_heard_is_not(
    study: optuna.Study, open_places: Callable[..., Places], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(places, "monotonic", lambda: now[0])
    silent, heard = open_places(2, host="there").take(), open_places(2, host="elsewhere").take()
    assert silent is not None
    assert heard is not None
    here = open_places(2)
    for minute in range(7):
        now[0] = 60.0 * minute
        heard.set_user_attr(places.BEAT, minute)
        here.free_lost()
        assert states(study.trials) == ["FAIL" if minute >= 5 else "RUNNING", "RUNNING"]


def test_a_worker_that_is_started_again_frees_its_own_place_alone(
    study: optuna.Study, open_places: Callable[..., Places]
) -> None:
    for name in ("worker 1 of 2", "worker 2 of 2"):
        assert open_places(2, host="there", name=name).take() is not None
    again = open_places(2, host="there", name="worker 2 of 2")
    again.free_lost()
    assert [(trial.user_attrs[NAME], trial.state.name) for trial in study.trials] == [
        ("worker 1 of 2", "RUNNING"),
        ("worker 2 of 2", "FAIL"),
    ]
    own = again.take()
    assert own is not None
    again.free_lost()
    assert states(study.trials)[-1] == "RUNNING", "what it is training now is not lost"
    open_places(2, host="there").free_of("2 of 2")
    assert states(study.trials) == ["RUNNING", "FAIL", "FAIL"], "as if 2 of 2 were the driver of both"


def test_what_a_process_finds_that_was_taken_for_dead_is_dropped(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = str(tmp_path / "studies.log")

    def given_up(job: Job) -> Outcome:
        outcome = train_job(job)
        if job.trial.number == 1:
            trials = storage.open_shared(journal)
            study = optuna.load_study(study_name=None, storage=trials)
            Places(study, 3, shared=True).fail(1)
        return outcome

    monkeypatch.setattr("src.experiments.studies.workers.train_job", given_up)
    with pytest.warns(UserWarning, match="Trial 1 was given up by another machine"):
        study = study_of(drawn, Effort(3), storage=journal)
    assert study.n_trials == 3
    assert states(trials_in(journal)) == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]


def take_part(root: Path, trials: int, journal: str, host: str, dies: bool) -> None:
    """Take part in study 0 as a machine of this name; if it dies, then in its second trial, before others train."""
    socket.gethostname = lambda: host
    places.BEAT_SECONDS, places.SILENT_SECONDS, tuner.WAIT_SECONDS = 0.05, 1.0, 0.05
    train, trained, dead = tuner.Tuner.job_of, [], Path(journal).with_name("dead")

    def job_of(self: tuner.Tuner, trial: optuna.Trial) -> Job:
        trained.append(trial.number)
        if dies and len(trained) == 2:
            dead.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        while not (dies or dead.exists()):
            sleep(0.01)
        return train(self, trial)

    tuner.Tuner.job_of = job_of  # type: ignore[method-assign]
    study_of(root, Effort(trials, jobs=1), storage=journal, number=0)


def test_three_machines_with_one_journal_of_which_one_dies(drawn: Path, tmp_path: Path) -> None:
    journal, wanted = str(tmp_path / "studies.log"), 9
    first = study_of(drawn, Effort(1), storage=journal)
    machines = [forked(take_part, drawn, wanted, journal, f"machine{number}", number == 1) for number in range(3)]
    assert [finished(machine) for machine in machines] == [0, -signal.SIGKILL, 0]
    trials = trials_in(journal)
    assert_whole(first.folder, trials, wanted)
    failed = [trial for trial in trials if trial.state.name == "FAIL" and trial.user_attrs.get(WORKER)]
    assert [trial.user_attrs[WORKER].split()[0] for trial in failed].count("machine1") == 1, "it lost its trial alone"
    assert existing_numbers(first.folder, "run") == [trial.number for trial in trials if trial.state.name == "COMPLETE"]
    best = read_json(first.folder / "best_hyperparameters.json")
    assert best["best_validation_eer"] == min(trial.value for trial in trials if trial.value is not None)
