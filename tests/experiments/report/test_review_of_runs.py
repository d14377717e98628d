"""Complete and broken folders in runs/ are read: the record says what is there and what is wrong; nothing raises."""

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from src.experiments.report.contents import contents_of, read_comparison
from src.experiments.report.run_records import read_run
from src.experiments.report.study_records import read_notes, read_study, trials_in
from src.experiments.runs.names import RunName, StudyName
from src.visualize.pages.records import Estimate

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP6DwABBQECz6AuzQAAAABJRU5ErkJggg==")
RUN, STUDY = RunName.parse("run3"), StudyName.parse("svm_study0")
WriteRun = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path, write_run: WriteRun) -> Path:
    """Return a run folder that is whole, of a root whose corpus has one of its clips."""
    (tmp_path / "datasets" / "mini" / "fake").mkdir(parents=True)
    (tmp_path / "datasets" / "mini" / "fake" / "a.wav").touch()
    return write_run(tmp_path / "runs" / "run3")


def test_a_finished_run_is_read_whole(run: Path, tmp_path: Path) -> None:
    for name in ("loss_plot.png", "det_curve.png"):
        (run / name).write_bytes(PNG)
    (run / "calibration.json").write_text('{"scale": 2.0, "offset": -1.0}')
    found = read_run(RUN, tmp_path)
    assert found.calibration == {"scale": 2.0, "offset": -1.0}
    assert (found.name, found.url, found.state, found.number) == ("run3", "run3/report.html", "finished", 3)
    assert found.next_command == "fab TestModel --run=run3"
    assert found.validation["eer"] == Estimate(0.05)
    assert found.outcome and found.outcome.metrics["eer"] == Estimate(pytest.approx(0.06), 0.025, 0.1)
    assert found.outcome.breakdowns["gender"]["F"]["eer"] == Estimate(0.1)
    assert [picture.name for picture in (*found.pictures, *found.outcome.pictures)] == [
        "loss_plot.png",
        "det_curve.png",
    ]
    assert found.problems == found.outcome.problems == ()


def test_a_training_with_checkpoints_that_did_not_finish_is_to_be_resumed(run: Path, tmp_path: Path) -> None:
    (run / "metrics.json").unlink()
    assert read_run(RUN, tmp_path).next_command.startswith("fab TrainModel ")
    (run / "checkpoints").mkdir()
    assert read_run(RUN, tmp_path).next_command == "fab TrainDetector --resume=run3"


def test_the_clips_most_wrong_come_first_and_play_where_they_are(run: Path, tmp_path: Path) -> None:
    """Threshold 0.25: a spoof of 0.75 is 0.5 beyond it, a bona fide clip of 0.2 is 0.05 beyond it, one of 0.9 right."""
    outcome = read_run(RUN, tmp_path).outcome
    assert outcome and outcome.n_wrong == 2
    assert [(clip.file, round(clip.margin, 9)) for clip in outcome.wrong] == [("fake/a.wav", 0.5), ("real/a.wav", 0.05)]
    assert [clip.url for clip in outcome.wrong] == ["../../datasets/mini/fake/a.wav", ""]
    assert (run / outcome.wrong[0].url).resolve() == (tmp_path / "datasets/mini/fake/a.wav").resolve()


@pytest.mark.parametrize("file", ["../../secret.wav", "/etc/hostname", "fake/../../../secret.wav", "", "a\0b"])
def test_a_score_file_cannot_point_outside_its_corpus(run: Path, tmp_path: Path, file: str) -> None:
    (tmp_path / "secret.wav").touch()
    (run / "scores.csv").write_text(f"file,label,score\n{file},spoof,0.9\n")
    outcome = read_run(RUN, tmp_path).outcome
    assert outcome and [clip.url for clip in outcome.wrong] == [""]


def test_a_file_name_of_any_bytes_is_found_and_encoded(run: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b'a"<b>\nc%\xe9#?.wav')
    (tmp_path / "datasets" / "mini" / name).touch()
    quoted = name.replace('"', '""')
    row = f'file,label,score\n"{quoted}",spoof,0.9\n'
    (run / "scores.csv").write_bytes(row.encode("utf-8", "surrogateescape"))
    outcome = read_run(RUN, tmp_path).outcome
    assert outcome and outcome.wrong[0].url == "../../datasets/mini/a%22%3Cb%3E%0Ac%25%E9%23%3F.wav"


def test_a_run_of_a_study_knows_its_place(tmp_path: Path, write_run: WriteRun) -> None:
    folder = write_run(tmp_path / "runs" / "svm_study0" / "run7", tested=False)
    (folder / "model.skops").unlink()
    found = read_run(STUDY.run(7), tmp_path, best=7)
    assert (found.name, found.is_best, found.has_weights) == ("svm_study0/run7", True, False)
    assert found.outcome is None


@pytest.mark.parametrize(
    ("file", "content", "state", "said"),
    [
        ("metrics.json", None, "did not finish", "metrics.json is missing"),
        ("metrics.json", b'{"eer": 0.1, "au', "broken", "metrics.json cannot be read (no valid JSON"),
        ("metrics.json", b"", "broken", "metrics.json cannot be read"),
        ("metrics.json", b'{"eer": NaN}', "broken", "metrics.json holds no EER"),
        ("metrics.json", b'{"eer": "low"}', "broken", "metrics.json holds no EER"),
        ("metrics.json", b"[1]", "broken", "metrics.json holds no JSON object"),
        ("metrics.json", b"[" * 100_000, "broken", "metrics.json cannot be read"),
        ("metrics.json", b"\xff\xfe\x00", "broken", "metrics.json cannot be read"),
        ("metrics.json", b'{"eer": 0.1, "pruned": true}', "stopped early", ""),
        ("hyperparameters.json", None, "finished", "hyperparameters.json is missing"),
        ("hyperparameters.json", b"{", "finished", "hyperparameters.json cannot be read"),
        ("hyperparameters.json", b'{"corpus": [1], "classifier": {"svm": 1}}', "finished", ""),
        ("provenance.json", b"null", "finished", "provenance.json holds no JSON object"),
        ("loss_plot.png", b"", "finished", "loss_plot.png is empty"),
    ],
)
def test_a_broken_run_says_why(
    run: Path, tmp_path: Path, file: str, content: bytes | None, state: str, said: str
) -> None:
    if content is None:
        (run / file).unlink()
    else:
        (run / file).write_bytes(content)
    found = read_run(RUN, tmp_path)
    assert found.state == state
    assert said in "; ".join(found.problems) and bool(found.problems) == bool(said)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("test_results.json", b"{}{", "test_results.json cannot be read"),
        ("test_results.json", b'{"eer": 0.1, "threshold": 0.5, "about": [1], "breakdowns": {"a": 3}}', ""),
        ("test_results.json", b'{"auc": {"value": []}}', "holds no EER"),
        ("scores.csv", b"", "scores.csv cannot be read (no column file, label, score)"),
        ("scores.csv", b"file,label,score\na.wav,spoof\n", "line 2 has 2 cells, not 3"),
        ("scores.csv", b"file,label,score\na.wav,spoof,high\n", "the score of a.wav is no number"),
        ("scores.csv", b"file,label,score\na.wav,spoof,nan\n", "the score of a.wav is no number"),
        ("scores.csv", b'file,label,score\n"' + b"a" * 2_000_000, "scores.csv cannot be read"),
        ("det_curve.png", PNG[:-5], "det_curve.png is truncated"),
    ],
)
def test_a_broken_test_says_why(run: Path, tmp_path: Path, file: str, content: bytes, said: str) -> None:
    (run / file).write_bytes(content)
    found = read_run(RUN, tmp_path)
    assert found.state == "finished" and found.outcome
    assert said in "; ".join(found.outcome.problems) and bool(found.outcome.problems) == bool(said)


def test_tests_on_other_data_are_read_as_well(run: Path, tmp_path: Path) -> None:
    other = run / "test-mini-downstream_test-F"
    other.mkdir()
    (other / "test_results.json").write_bytes((run / "test_results.json").read_bytes())
    (run / "test-half-written").mkdir()
    half, whole = read_run(RUN, tmp_path).other_outcomes
    assert whole.folder == other.name and whole.metrics["eer"].low == 0.025
    assert half.problems == ("test_results.json is missing",)


def test_folders_are_sorted_by_their_names(tmp_path: Path) -> None:
    names = ["run10", "run9", "svm_study0", "layers1", "run", "runx", "run1.bak", "_study1", "my notes", ".cache"]
    for name in names:
        (tmp_path / "runs" / name).mkdir(parents=True)
    for name in ("README.md", "index.html", "run5", "note.txt"):
        (tmp_path / "runs" / name).touch()
    found = contents_of(tmp_path)
    assert list(map(str, found.runs)) == ["run9", "run10"]
    assert list(map(str, found.studies)) == ["svm_study0"]
    assert [path.name for path in found.comparisons] == ["layers1"]
    assert found.foreign == ("_study1", "my notes", "note.txt", "run", "run1.bak", "run5", "runx")
    assert contents_of(tmp_path / "nowhere").runs == ()


def test_a_comparison_of_layers_is_read_and_its_faults_are_named(tmp_path: Path) -> None:
    (tmp_path / "layers.json").write_text('{"corpus": "mini"}')
    (tmp_path / "layers.csv").write_text("layer,eer,low,high\n0,0.1,0.05,0.2\n1,0.2,,\n")
    (tmp_path / "eer_by_layer.png").write_bytes(PNG)
    found = read_comparison(tmp_path)
    assert found.layers == ((0, Estimate(0.1, 0.05, 0.2)), (1, Estimate(0.2))) and found.picture
    (tmp_path / "layers.csv").write_text("layer,eer\nfirst,0.1\n")
    assert read_comparison(tmp_path).problems == ("layers.csv: a row holds no layer and EER",)


def test_a_study_without_a_journal_is_read_from_its_runs(tmp_path: Path, write_run: WriteRun) -> None:
    study = tmp_path / "runs" / "svm_study0"
    write_run(study / "run10", eer=0.2, tested=False)
    write_run(study / "run9", eer=0.1, tested=False, C=2.5)
    (study / "run11").mkdir()
    (study / "best_hyperparameters.json").write_text('{"best_trial_number": 9, "best_validation_eer": 0.1}')
    notes = read_notes(STUDY, tmp_path)
    runs = tuple(read_run(name, tmp_path, notes.best) for name in trials_in(STUDY, tmp_path))
    found, opened = read_study(notes, runs)
    assert opened is None
    assert [(trial.number, trial.state, trial.value) for trial in found.trials] == [
        (9, "finished", 0.1),
        (10, "finished", 0.2),
        (11, "did not finish", None),
    ]
    assert found.trials[0].parameters == {"layer": 0, "pooling": "mean", "C": 2.5}
    assert (found.best, [run.is_best for run in runs]) == (9, [True, False, False])
    assert found.problems[0] == "study.json is missing" and "journal.log is missing" in found.problems[1]


def test_a_study_under_way_is_read_and_not_disturbed(tmp_path: Path) -> None:
    import optuna
    from optuna.storages.journal import JournalFileBackend

    folder = STUDY.folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / "study.json").write_text("{}")
    journal = optuna.storages.JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    study = optuna.create_study(storage=journal, study_name="svm_study0")
    trials = [study.ask({"C": optuna.distributions.FloatDistribution(0, 1)}) for _ in range(4)]
    study.tell(trials[0], 0.25)
    study.tell(trials[1], state=optuna.trial.TrialState.PRUNED)
    study.tell(trials[2], state=optuna.trial.TrialState.FAIL)
    with (folder / "journal.log").open("a") as file:
        file.write('{"op_code": 4, "wor')  # another process is writing
    before = (folder / "journal.log").read_bytes()
    found, opened = read_study(read_notes(STUDY, tmp_path), ())
    states = [(trial.state, trial.value) for trial in found.trials]
    assert states == [("finished", 0.25), ("stopped early", None), ("failed", None), ("running", None)]
    assert opened is not None and found.problems == () and found.trials[0].parameters == trials[0].params
    assert (folder / "journal.log").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["journal.log", "study.json"]


def test_a_shared_storage_that_holds_another_study_alone_is_not_taken_for_it(tmp_path: Path) -> None:
    import optuna
    from optuna.storages.journal import JournalFileBackend

    shared = tmp_path / "shared.log"
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(shared)))
    optuna.create_study(storage=storage, study_name="mlp_study4-deadbeef").add_trial(optuna.create_trial(value=0.01))
    folder = STUDY.folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / "study.json").write_text(json.dumps({"storage": str(shared), "study_name": "svm_study0-aaaaaaaa"}))
    found, opened = read_study(read_notes(STUDY, tmp_path), ())
    assert opened is None and found.trials == ()
    assert "it holds no study svm_study0-aaaaaaaa" in " ".join(found.problems)


@pytest.mark.parametrize(
    ("storage", "said"),
    [
        ("postgresql://ann:secret@localhost:1/base", "postgresql://ann:***@localhost:1/base cannot be read"),
        ("no such scheme://ann:secret@host", "cannot be read"),
        ("/nowhere/shared.log", "/nowhere/shared.log cannot be read (there is no such file)"),
    ],
)
def test_a_storage_that_cannot_be_reached_is_named_without_its_password(
    tmp_path: Path, write_run: WriteRun, storage: str, said: str
) -> None:
    study = tmp_path / "runs" / "svm_study0"
    write_run(study / "run0")
    run = read_run(STUDY.run(0), tmp_path)
    (study / "study.json").write_text(json.dumps({"storage": storage, "study_name": "x"}))
    found, opened = read_study(read_notes(STUDY, tmp_path), (run,))
    assert opened is None and [trial.number for trial in found.trials] == [0]
    assert said in found.problems[0] and "secret" not in repr(found)


def test_what_a_driver_says_is_shown_without_the_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import optuna

    def fail(url: str, *_: object, **__: object) -> None:
        raise RuntimeError(f"cannot connect to {url}\nlong story")

    monkeypatch.setattr(optuna.storages, "RDBStorage", fail)
    folder = STUDY.folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / "study.json").write_text('{"storage": "mysql://ann:secret@host/base"}')
    found, _ = read_study(read_notes(STUDY, tmp_path), ())
    said = "mysql://ann:***@host/base cannot be read (cannot connect to mysql://ann:***@host/base)"
    assert found.problems == (f"{said}: what follows is from the run folders",)
    assert found.search == {"storage": "mysql://ann:***@host/base"}


@pytest.mark.parametrize("journal", [b"", b"no journal\n{}\n", b'{"op_code": 99}\n', b"\xff\xfe\n\n"])
def test_a_broken_journal_is_named(tmp_path: Path, journal: bytes) -> None:
    study = STUDY.folder(tmp_path)
    study.mkdir(parents=True)
    (study / "study.json").write_text("{}")
    (study / "journal.log").write_bytes(journal)
    found, opened = read_study(read_notes(STUDY, tmp_path), ())
    assert opened is None and "journal.log cannot be read" in found.problems[0]
    assert (study / "journal.log").read_bytes() == journal
