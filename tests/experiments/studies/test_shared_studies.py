"""Studies that machines share: no trial is lost or stored twice, whoever dies; on a journal, a file, and PostgreSQL.

The database server is started by the test, without network, in the test's own folder.
"""

import os
import shutil
from pathlib import Path

import optuna
import pytest
from optuna.exceptions import StorageInternalError

from src.experiments.runs.names import existing_numbers
from src.experiments.runs.provenance import without_password
from src.experiments.studies import places, tuner
from src.experiments.studies.findings import Findings
from src.experiments.studies.storage import open_shared
from src.experiments.studies.tuner import Effort
from src.experiments.studies.workers import Outcome
from src.utils.files import read_json
from tests.experiments.studies.studies import PROCESSES, assert_whole, run_study, states, study_of, trials_in, wait_for


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuner, "draw_pictures", lambda *_: None)


def test_a_shared_journal_joins_two_roots(drawn: Path, drawn_once: Path, tmp_path: Path) -> None:
    """Two machines: each has its own folders, and the journal lies where both can reach it."""
    other = Path(shutil.copytree(drawn_once, tmp_path / "other"))
    journal = str(tmp_path / "shared" / "studies.log")
    first = study_of(drawn, Effort(3), storage=journal)
    assert read_json(first.folder / "study.json")["storage"] == journal
    joined = study_of(other, Effort(5), storage=journal, number=0)
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


def test_a_database_that_fails_is_told_in_one_line_and_the_study_goes_on(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = str(tmp_path / "studies.log")
    finish, seen = Findings.store, []

    def store(self: Findings, outcome: Outcome) -> None:
        seen.append(outcome)
        if len(seen) == 2:
            raise StorageInternalError("An exception is raised") from OSError("connection failed\nsecond line")
        finish(self, outcome)

    with monkeypatch.context() as patch:
        patch.setattr(Findings, "store", store)
        said = r"^The storage .*studies\.log has failed \(connection failed\)\. Finished .* `study_number=0`\.$"
        with pytest.raises(ValueError, match=said):
            study_of(drawn, Effort(3), storage=journal)
    monkeypatch.setattr(places, "is_at_work", lambda _: False)  # the process that could not store its trial has ended
    assert study_of(drawn, Effort(3), storage=journal, number=0).n_new == 2
    assert states(trials_in(journal)) == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]


def test_a_study_is_resumed_where_it_is_kept(drawn: Path, tmp_path: Path) -> None:
    journal = str(tmp_path / "studies.log")
    study_of(drawn, Effort(1), storage=journal)
    with pytest.raises(ValueError, match=r"svm_study0 is kept in .*studies\.log: resume it with `storage="):
        study_of(drawn, Effort(2), number=0)
    with pytest.raises(FileNotFoundError, match=r"holds no study 5 of svm that searches this"):
        study_of(drawn, Effort(2), number=5, storage=journal)
    own = study_of(drawn, Effort(1))
    assert own.folder.name == "svm_study1"
    with pytest.raises(FileNotFoundError, match="holds no study 1 of svm"):
        study_of(drawn, Effort(2), number=1, storage=journal)


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
    with pytest.raises(ValueError, match=r"notes\.txt` is not a journal of studies; give the name of a new file"):
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
        study_of(drawn, Effort(2), storage=str(journal), number=0)


def test_a_line_that_a_full_disk_left_incomplete_does_not_end_a_shared_study(drawn: Path, tmp_path: Path) -> None:
    journal = tmp_path / "studies.log"
    study_of(drawn, Effort(2), storage=str(journal))
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":4,"worker_id":"a')
    study = study_of(drawn, Effort(4), storage=str(journal), number=0)
    assert journal.read_bytes().startswith(whole)
    assert_whole(study.folder, trials_in(journal), 4)
    assert not list(tmp_path.glob("*.lock"))


def test_a_shared_journal_is_one_file_from_any_current_folder(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study = study_of(drawn, Effort(1), storage="studies.log")
    assert read_json(study.folder / "study.json")["storage"] == str(tmp_path / "studies.log")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert study_of(drawn, Effort(2), storage="../studies.log", number=0).n_trials == 2


def test_a_study_that_another_machine_started_at_this_moment_can_be_joined(
    drawn: Path, drawn_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = str(tmp_path / "studies.log")
    study_of(drawn, Effort(1), storage=journal)
    other = Path(shutil.copytree(drawn_once, tmp_path / "other"))
    with monkeypatch.context() as patch:
        patch.setattr(optuna, "get_all_study_names", lambda _: [])  # as it was before the other's study
        with pytest.raises(ValueError, match=r"Another machine .*`study_number=0`"):
            study_of(other, Effort(1), storage=journal)
    assert not (other / "runs" / "svm_study0").exists()
    assert study_of(other, Effort(2), storage=journal, number=0).n_new == 1


def test_passwords_are_not_shown() -> None:
    assert without_password("postgresql://ann:se@cret@host/base") == "postgresql://ann:***@host/base"
    assert without_password("postgresql://ann@host/base") == "postgresql://ann@host/base"
    assert without_password("/shared/studies.log") == "/shared/studies.log"


@pytest.mark.slow
def test_two_processes_on_one_study_in_postgresql(postgres: str, drawn: Path, drawn_once: Path, tmp_path: Path) -> None:
    """Both start at once, one of them with two jobs; together they end with exactly the trials asked for."""
    other = Path(shutil.copytree(drawn_once, tmp_path / "other"))
    first = study_of(drawn, Effort(1), storage=postgres)
    number = int(first.folder.name.removeprefix("svm_study"))
    processes = [
        PROCESSES.Process(target=run_study, args=(root, 14, jobs, postgres, number))
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
    process = PROCESSES.Process(target=run_study, args=(drawn, 60, 1, postgres, number))
    process.start()
    wait_for(lambda: len(list(first.folder.glob("run*/metrics.json"))) >= 3)
    process.kill()
    process.join()
    study = study_of(drawn, Effort(9, jobs=1), storage=postgres, number=number)
    assert study.n_trials >= 9
    name = read_json(first.folder / "study.json")["study_name"]
    assert "RUNNING" not in states(optuna.load_study(study_name=name, storage=open_shared(postgres)).trials)


def test_a_database_that_is_not_there_is_named_without_its_password(drawn: Path) -> None:
    pytest.importorskip("psycopg", reason='pip install -e ".[postgres]"')
    with pytest.raises(ValueError, match=r"The storage postgresql://ann:\*\*\*@localhost:1/base cannot be opened"):
        study_of(drawn, Effort(1), storage="postgresql://ann:secret@localhost:1/base")
