"""Studies of several processes: no trial is lost or stored twice, whoever dies; on a journal, a file, and PostgreSQL.

Real processes: workers are killed by their numbers, whole studies by SIGKILL, and the database server is started by the
test, without network, in the test's own folder.
"""

import multiprocessing
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest

from src.experiments.runs.folders import WEIGHTS, existing_numbers
from src.experiments.runs.provenance import without_password
from src.experiments.studies import tuner, workers
from src.experiments.studies.search import Search
from src.experiments.studies.storage import open_shared
from src.experiments.studies.tuner import Effort, StudyResult, optimize_hyperparameters
from src.experiments.studies.workers import Job, Outcome, train_all
from src.experiments.training.trainer import load_run, train_model
from src.utils.files import read_json

PROCESSES = multiprocessing.get_context("spawn")
REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuner, "draw_losses", lambda _: None)
    monkeypatch.setattr(tuner, "save_pictures", lambda *_: None)


def search_in(root: Path, classifier: str = "svm") -> Search:
    return Search(root / "datasets" / "corpus", "hubert", classifier)


def study_of(root: Path, effort: Effort, **options: Any) -> StudyResult:
    return optimize_hyperparameters(search_in(root), effort, root=root, **options)


def trials_in(storage: str | Path) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=None, storage=open_shared(str(storage))).trials


def states(trials: list[optuna.trial.FrozenTrial]) -> list[str]:
    return [trial.state.name for trial in trials]


def assert_whole(study: Path, trials: list[optuna.trial.FrozenTrial], wanted: int) -> None:
    """Each finished trial is stored once and has a finished folder whose metrics it tells."""
    finished = [trial for trial in trials if trial.state.name in ("COMPLETE", "PRUNED")]
    assert len(finished) == wanted
    assert len({trial.number for trial in trials}) == len(trials)
    assert "RUNNING" not in states(trials)
    for trial in finished:
        run = study / f"run{trial.number}"
        assert read_json(run / "metrics.json")["eer"] == trial.value == trial.user_attrs["metrics"]["eer"]
        assert read_json(run / "hyperparameters.json") == trial.user_attrs["hyperparameters"]


def test_two_jobs_store_every_trial_once(drawn: Path) -> None:
    study = study_of(drawn, Effort(8, jobs=2))
    assert (study.n_trials, study.n_new) == (8, 8)
    trials = trials_in(study.folder / "journal.log")
    assert_whole(study.folder, trials, 8)
    assert states(trials) == ["COMPLETE"] * 8
    assert len({str(trial.params) for trial in trials}) == 8
    again = study_of(drawn, Effort(8, jobs=2), study_number=0)
    assert (again.n_trials, again.n_new, again.best_eer) == (8, 0, study.best_eer)


def children_of(process: int) -> list[psutil.Process]:
    """Return the workers that a process started, without the tracker of resources that comes with them."""
    children = [child for child in psutil.Process(process).children(recursive=True) if child.status() != "zombie"]
    return [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]


@pytest.mark.slow
def test_a_killed_worker_costs_no_trial(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = []

    class Tuner(tuner._Tuner):
        def tell(self, outcome: Outcome) -> None:
            super().tell(outcome)
            if len(killed) < 2:
                worker = children_of(os.getpid())[0]
                killed.append(worker.pid)
                worker.kill()

    monkeypatch.setattr(tuner, "_Tuner", Tuner)
    study = study_of(drawn, Effort(8, jobs=2))
    assert len(killed) == 2
    trials = trials_in(study.folder / "journal.log")
    assert_whole(study.folder, trials, 8)
    assert states(trials) == ["COMPLETE"] * 8, "the killed worker's trial was trained by another"


def run_study(root: Path, classifier: str, trials: int, jobs: int, storage: str, number: int) -> None:
    """Run a study; for a process of its own."""
    from src.experiments.studies import tuner

    tuner.draw_losses = lambda _: None  # type: ignore[attr-defined]
    tuner.save_pictures = lambda *_: None  # type: ignore[attr-defined]
    effort = tuner.Effort(trials, jobs)
    tuner.optimize_hyperparameters(search_in(root, classifier), effort, root=root, storage=storage, study_number=number)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_study_killed_as_a_whole_ends_with_the_trials_asked_for(jobs: int, drawn: Path) -> None:
    arguments = (drawn, "svm", 40, jobs, "", -1)
    process = PROCESSES.Process(target=run_study, args=arguments)
    process.start()
    folder = drawn / "runs" / "svm_study0"
    wait_for(lambda: len(list(folder.glob("run*/metrics.json"))) >= 3)
    workers = children_of(process.pid)
    process.kill()
    process.join()
    psutil.wait_procs(workers, timeout=30)
    assert not [worker for worker in workers if worker.is_running()], "workers outlive the study"
    study = study_of(drawn, Effort(12, jobs=jobs), study_number=0)
    assert study.n_trials >= 12
    assert 0 < study.n_new < 12 or study.n_trials > 12
    assert_whole(study.folder, trials_in(study.folder / "journal.log"), study.n_trials)


def test_a_shared_journal_joins_two_roots(drawn: Path, drawn_once: Path, tmp_path: Path) -> None:
    """Two machines: each has its own folders, and the journal lies where both can reach it."""
    other = Path(shutil.copytree(drawn_once, tmp_path / "other"))
    journal = str(tmp_path / "shared" / "studies.log")
    first = study_of(drawn, Effort(3), storage=journal)
    assert read_json(first.folder / "study.json")["storage"] == journal
    joined = study_of(other, Effort(5), storage=journal, study_number=0)
    assert (joined.n_trials, joined.n_new) == (5, 2)
    trials = trials_in(journal)
    assert [trial.number for trial in trials] == [0, 1, 2, 3, 4]
    assert existing_numbers(first.folder, "run") == [0, 1, 2]
    assert existing_numbers(joined.folder, "run") == [3, 4]
    best = read_json(other / "runs" / "svm_study0" / "best_hyperparameters.json")
    assert best["best_validation_eer"] == min(trial.value for trial in trials if trial.value is not None)
    again = study_of(drawn, Effort(2), storage=journal)
    assert again.folder.name == "svm_study1", "without a number it is a new study"
    third = study_of(other, Effort(1), storage=journal)
    assert third.folder.name == "svm_study2", "numbers are given once in a storage, whoever asks"


def test_a_study_is_gone_on_with_where_it_is_kept(drawn: Path, tmp_path: Path) -> None:
    journal = str(tmp_path / "studies.log")
    study_of(drawn, Effort(1), storage=journal)
    with pytest.raises(ValueError, match=r"svm_study0 is kept in .*studies\.log: go on with it with --storage="):
        study_of(drawn, Effort(2), study_number=0)
    with pytest.raises(FileNotFoundError, match=r"holds no study 5 of svm that searches this"):
        study_of(drawn, Effort(2), study_number=5, storage=journal)
    own = study_of(drawn, Effort(1))
    assert own.folder.name == "svm_study1"
    with pytest.raises(FileNotFoundError, match="holds no study 1 of svm"):
        study_of(drawn, Effort(2), study_number=1, storage=journal)


BAD_STORAGES = [
    ("sqlite:///study.db", "cannot be SQLite, which is not safe for several processes"),
    ("nosuch://host/base", "cannot be opened|is not installed"),
]


@pytest.mark.parametrize(("storage", "line"), BAD_STORAGES)
def test_a_storage_that_cannot_be_used_is_named(storage: str, line: str, drawn: Path) -> None:
    with pytest.raises(ValueError, match=line) as error:
        study_of(drawn, Effort(1), storage=storage)
    assert "\n" not in str(error.value)
    assert not (drawn / "runs").exists()


@pytest.mark.parametrize("content", ["my notes\n", '{"a": 1}\n', "[1]", "\x00\x01"])
def test_a_file_that_is_no_journal_is_left_alone(content: str, drawn: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text(content)
    with pytest.raises(ValueError, match=r"notes\.txt is no journal of studies; give the name of a new file"):
        study_of(drawn, Effort(1), storage=str(notes))
    assert notes.read_text() == content
    assert not (drawn / "runs").exists()


@pytest.mark.parametrize(("place", "kind"), [(os.devnull, "device"), ("", "folder")])
def test_what_cannot_hold_a_journal_is_refused(drawn: Path, tmp_path: Path, place: str, kind: str) -> None:
    with pytest.raises(ValueError, match=rf"is a {kind}; give a journal file or a database URL"):
        study_of(drawn, Effort(1), storage=place or str(tmp_path))
    assert not (drawn / "runs").exists()


def test_a_damaged_shared_journal_is_named(drawn: Path, tmp_path: Path) -> None:
    journal = tmp_path / "studies.log"
    study_of(drawn, Effort(1), storage=str(journal))
    journal.write_bytes(b'{"op_code": torn\n' + journal.read_bytes())
    with pytest.raises(ValueError, match=r"The journal .*studies\.log is damaged \(.*\); start a new one"):
        study_of(drawn, Effort(2), storage=str(journal), study_number=0)


def test_a_line_that_a_full_disk_tore_does_not_end_a_shared_study(drawn: Path, tmp_path: Path) -> None:
    journal = tmp_path / "studies.log"
    study_of(drawn, Effort(2), storage=str(journal))
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":4,"worker_id":"a')
    study = study_of(drawn, Effort(4), storage=str(journal), study_number=0)
    assert journal.read_bytes().startswith(whole)
    assert_whole(study.folder, trials_in(journal), 4)
    assert not list(tmp_path.glob("*.lock"))


def test_a_shared_journal_is_one_file_wherever_the_user_stands(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study = study_of(drawn, Effort(1), storage="studies.log")
    assert read_json(study.folder / "study.json")["storage"] == str(tmp_path / "studies.log")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert study_of(drawn, Effort(2), storage="../studies.log", study_number=0).n_trials == 2


def test_a_study_that_another_machine_began_at_this_moment_can_be_joined(
    drawn: Path, drawn_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = str(tmp_path / "studies.log")
    study_of(drawn, Effort(1), storage=journal)
    other = Path(shutil.copytree(drawn_once, tmp_path / "other"))
    with monkeypatch.context() as patch:
        patch.setattr(optuna, "get_all_study_names", lambda _: [])  # as it was before the other's study
        with pytest.raises(ValueError, match=r"Another machine has just begun this study: .* --study-number=0"):
            study_of(other, Effort(1), storage=journal)
    assert not (other / "runs" / "svm_study0").exists()
    assert study_of(other, Effort(2), storage=journal, study_number=0).n_new == 1


def test_passwords_are_not_shown() -> None:
    assert without_password("postgresql://ann:se@cret@host/base") == "postgresql://ann:***@host/base"
    assert without_password("postgresql://ann@host/base") == "postgresql://ann@host/base"
    assert without_password("/shared/studies.log") == "/shared/studies.log"


@pytest.mark.filterwarnings("ignore:The EER is")  # of the worst trial, trained again
def test_only_the_best_trials_keep_their_weights(drawn: Path) -> None:
    study = study_of(drawn, Effort(6, keep=2))
    trials = sorted(trials_in(study.folder / "journal.log"), key=lambda trial: (trial.value, trial.number))
    with_weights = {run.name for run in study.folder.glob("run*") if any((run / name).is_file() for name in WEIGHTS)}
    assert with_weights == {f"run{trial.number}" for trial in trials[:2]}
    for run in study.folder.glob("run*"):
        assert {"hyperparameters.json", "metrics.json", "provenance.json", "calibration.json"} <= {
            path.name for path in run.iterdir()
        }
    dropped = study.folder / f"run{trials[-1].number}"
    flags = r"--dataset=datasets/corpus --backbone=hubert --classifier=svm --seed=7 --hyperparameters=.*json"
    with pytest.raises(FileNotFoundError, match=rf"has no weights any more .*fab TrainModel {flags} trains them again"):
        load_run(dropped)
    again = train_model(
        *(drawn / "datasets" / "corpus", "hubert", "svm"), root=drawn, hyperparameters=dropped / "hyperparameters.json"
    )
    assert again.metrics == read_json(dropped / "metrics.json")


def test_no_trial_begins_when_the_time_is_up(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 50.0, 101.0, 102.0])
    monkeypatch.setattr(tuner, "monotonic", lambda: next(clock))
    study = study_of(drawn, Effort(9, timeout=100))
    assert (study.n_trials, study.n_new) == (2, 2)


def test_a_time_too_short_for_one_trial_says_how_to_go_on(drawn: Path) -> None:
    with pytest.raises(ValueError, match=r"the time was up before a trial was finished; .* --study-number=0\."):
        study_of(drawn, Effort(9, timeout=1e-9))


@pytest.mark.parametrize(
    ("effort", "line"),
    [
        ({"jobs": 0}, "--jobs must be 1 or more, not 0"),
        ({"keep": 0}, "--keep must be 1 or more, not 0"),
        ({"trials": -1}, "--trials must be 0 or more, not -1"),
        ({"timeout": -1.0}, "--timeout must be a number of seconds"),
        ({"timeout": float("nan")}, "--timeout must be a number of seconds"),
    ],
)
def test_effort_is_checked(effort: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        Effort(**effort)


def test_a_stop_says_how_to_go_on(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(ask: Callable[[], Job | None], jobs: int) -> Iterator[Outcome]:
        job = ask()
        assert job is not None
        yield workers.train_job(job)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tuner, "train_all", stop)
        with pytest.raises(
            KeyboardInterrupt, match=r"stopped after 1 of 4 trials, which are kept; go on .*--study-number=0\."
        ):
            study_of(drawn, Effort(4))
    assert study_of(drawn, Effort(4), study_number=0).n_new == 3


def test_trials_that_kill_every_worker_end_the_study_in_one_line(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(ask: Callable[[], Job | None], jobs: int) -> Iterator[Outcome]:
        while (job := ask()) is not None:
            yield Outcome(job.trial, {}, None)

    monkeypatch.setattr(tuner, "train_all", lost)
    with pytest.raises(ValueError, match=r"processes of 3 trials were killed again and again.*fewer --jobs="):
        study_of(drawn, Effort(9))
    assert states(trials_in(drawn / "runs" / "svm_study0" / "journal.log")) == ["FAIL"] * 3


def test_a_training_without_hope_is_stopped_and_says_so(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven trials learn; the eighth steps so little that it stays at chance."""
    from src.models.mlp.mlp_model import MlpConfig

    def space(trial: optuna.Trial, n_clips: int) -> MlpConfig:
        rate = 1e-2 if trial.number < 7 else 1e-8
        return MlpConfig(hidden_size=trial.suggest_int("units", 8, 16), learning_rate=rate, epochs=40, patience=40)

    monkeypatch.setattr(MlpConfig, "search_space", space)
    search = Search(drawn / "datasets" / "corpus", "hubert", "mlp", layer=1, pooling="mean")
    study = optimize_hyperparameters(search, Effort(8), root=drawn)
    trials = trials_in(study.folder / "journal.log")
    assert states(trials)[7] == "PRUNED"
    hopeless = read_json(study.folder / "run7" / "metrics.json")
    assert hopeless["pruned"]
    assert hopeless["eer"] == trials[7].value > study.best_eer
    assert not any((study.folder / "run7" / name).is_file() for name in WEIGHTS)
    assert study.n_trials == 8, "it counts among the trials"


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """Start a PostgreSQL server on a socket of its own, and yield the URL of its database."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [Path(shutil.which("initdb") or "").parent]
    tools = found[-1]
    if not (tools / "initdb").is_file():
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    pytest.importorskip("psycopg", reason='pip install -e ".[postgres]"')
    owner: dict[str, Any] = {}
    folder = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
    if os.geteuid() == 0:  # the server refuses to run as root
        users = {entry.pw_name for entry in pwd.getpwall()}
        owner = {"user": "postgres" if "postgres" in users else "nobody"}
        shutil.chown(folder, **owner)
    data, quiet = folder / "data", {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([tools / "initdb", "-D", data, "-A", "trust", "-U", "audios"], check=True, **owner, **quiet)
    command = [tools / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
    server = subprocess.Popen(command, cwd=folder, **owner, **quiet)
    try:
        wait_for(lambda: (folder / ".s.PGSQL.5432").exists() and (data / "postmaster.pid").read_text().count("ready"))
        yield f"postgresql://audios@/postgres?host={folder}"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_two_processes_on_one_study_in_postgresql(postgres: str, drawn: Path, drawn_once: Path, tmp_path: Path) -> None:
    """Both begin at once, one of them with two jobs; together they end with exactly the trials asked for."""
    other = Path(shutil.copytree(drawn_once, tmp_path / "other"))
    first = study_of(drawn, Effort(1), storage=postgres)
    number = int(first.folder.name.removeprefix("svm_study"))
    processes = [
        PROCESSES.Process(target=run_study, args=(root, "svm", 14, jobs, postgres, number))
        for root, jobs in ((drawn, 1), (other, 2))
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    name = read_json(first.folder / "study.json")["study_name"]
    trials = optuna.load_study(study_name=name, storage=open_shared(postgres)).trials
    finished = [trial for trial in trials if trial.state.name == "COMPLETE"]
    assert len(finished) == 14
    assert {trial.state.name for trial in trials} <= {"COMPLETE", "FAIL"}
    folders = [existing_numbers(root / "runs" / first.folder.name, "run") for root in (drawn, other)]
    assert sorted(folders[0] + folders[1]) == [trial.number for trial in finished], "each was trained once, somewhere"
    assert min(map(len, folders)) > 0, "both took part"


@pytest.mark.slow
def test_a_dead_process_leaves_its_trial_in_postgresql_to_others(postgres: str, drawn: Path) -> None:
    first = study_of(drawn, Effort(1), storage=postgres)
    number = int(first.folder.name.removeprefix("svm_study"))
    process = PROCESSES.Process(target=run_study, args=(drawn, "svm", 60, 1, postgres, number))
    process.start()
    wait_for(lambda: len(list(first.folder.glob("run*/metrics.json"))) >= 3)
    process.kill()
    process.join()
    study = study_of(drawn, Effort(9), storage=postgres, study_number=number)
    assert study.n_trials >= 9
    name = read_json(first.folder / "study.json")["study_name"]
    assert "RUNNING" not in states(optuna.load_study(study_name=name, storage=open_shared(postgres)).trials)


def test_a_database_that_is_not_there_is_named_without_its_password(drawn: Path) -> None:
    pytest.importorskip("psycopg", reason='pip install -e ".[postgres]"')
    with pytest.raises(ValueError, match=r"The storage postgresql://ann:\*\*\*@localhost:1/base cannot be opened"):
        study_of(drawn, Effort(1), storage="postgresql://ann:secret@localhost:1/base")


def test_jobs_that_die_three_times_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "train_job", kill_this_process)
    jobs = [Job(None, None, Path(), Path())]  # type: ignore[arg-type]
    outcomes = list(train_all(lambda: jobs.pop() if jobs else None, 2))
    assert [outcome.metrics for outcome in outcomes] == [None]


def kill_this_process(job: Job) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
