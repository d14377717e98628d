"""`report_runs` writes a page for everything in runs/, links what belongs together and writes nothing twice."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.experiments.report.pages import report_runs
from src.visualize.curves import loss_figure

WriteRun = Callable[..., Path]


def write_study(folder: Path, write_run: WriteRun, n_trials: int, *, storage: str = "") -> None:
    """Write a study of `n_trials` with its journal (or in a database), run folders and notes; trial 1 is its best."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True)
    place: Any = storage or optuna.storages.JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    study = optuna.create_study(storage=place, study_name=folder.name)
    distributions = {
        "C": optuna.distributions.FloatDistribution(1e-3, 1e3, log=True),
        "kernel": optuna.distributions.CategoricalDistribution(["rbf", "linear"]),
    }
    trials = []
    for number in range(n_trials):
        eer = 0.05 if number == 1 else 0.1 + number / 1000
        parameters = {"C": 0.5 + number, "kernel": ("rbf", "linear")[number % 2]}
        trials.append(optuna.trial.create_trial(params=parameters, distributions=distributions, value=eer))
        write_run(folder / f"run{number}", eer=eer, tested=number == 1, **parameters)
    study.add_trials(trials)
    (folder / "study.json").write_text(json.dumps({"corpus": "mini", "classifier": "svm", "storage": storage or None}))
    best = {"best_trial_number": 1, "best_validation_eer": 0.05, "best_hyperparameters": {}}
    (folder / "best_hyperparameters.json").write_text(json.dumps(best))


def pages_of(root: Path) -> dict[str, tuple[bytes, int]]:
    return {
        path.relative_to(root).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in root.rglob("*.html")
    }


def test_five_hundred_runs_have_their_pages_and_rows(tmp_path: Path, write_run: WriteRun) -> None:
    for number in range(300):
        write_run(tmp_path / "runs" / f"run{number}", eer=0.01 + number / 1000, tested=number % 3 == 0)
    write_study(tmp_path / "runs" / "svm_study0", write_run, 200)
    index = report_runs(tmp_path)
    assert index == tmp_path / "runs" / "index.html"
    page = index.read_text()
    assert "300 single runs, 1 study of 200 trials" in page
    board = page.split("<tbody>")[1].split("</tbody>")[0]
    rows = re.findall(r'<a href="([^"]+)">', board)
    assert len(rows) == len(set(rows)) == 301 and rows[0] == "run0/report.html"  # of the study, the best alone
    assert board.count("<svg") == 101
    assert len(pages_of(tmp_path)) == 502
    assert all((tmp_path / "runs" / row).is_file() for row in rows)
    study = (tmp_path / "runs" / "svm_study0" / "report.html").read_text()
    assert set(re.findall(r'<a href="(run\d+/report.html)">', study)) == {f"run{n}/report.html" for n in range(200)}


def test_an_unchanged_page_is_not_written_again(tmp_path: Path, write_run: WriteRun) -> None:
    write_study(tmp_path / "runs" / "svm_study0", write_run, 3)
    write_run(tmp_path / "runs" / "run0")
    report_runs(tmp_path)
    before = pages_of(tmp_path)
    report_runs(tmp_path)
    assert pages_of(tmp_path) == before
    (tmp_path / "runs" / "run0" / "metrics.json").write_text('{"eer": 0.4}')
    report_runs(tmp_path)
    changed = {name for name, page in pages_of(tmp_path).items() if page != before[name]}
    assert changed == {"runs/run0/report.html", "runs/index.html"}


def test_a_study_shows_a_slice_of_everything_that_varies_and_draws_it_once(
    tmp_path: Path, write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    import src.visualize.slices as slices

    drawn = []
    draw = slices.slice_figure
    monkeypatch.setattr(
        slices, "slice_figure", lambda study, name, *what: drawn.append(name) or draw(study, name, *what)
    )
    folder = tmp_path / "runs" / "svm_study0"
    write_study(folder, write_run, 4)
    report_runs(tmp_path)
    assert sorted(drawn) == ["C", "kernel"]
    page = (folder / "report.html").read_text()
    assert page.count("data:image/png") == 2 and 'alt="Validation EER of every trial by kernel."' in page
    report_runs(tmp_path)
    assert len(drawn) == 2
    (folder / "study.json").write_text('{"corpus": "other"}')
    report_runs(tmp_path)
    assert len(drawn) == 4


def test_a_study_in_a_database_is_read_from_there(tmp_path: Path, write_run: WriteRun) -> None:
    write_study(tmp_path / "runs" / "svm_study0", write_run, 3, storage=f"sqlite:///{tmp_path / 'study.db'}")
    report_runs(tmp_path)
    page = (tmp_path / "runs" / "svm_study0" / "report.html").read_text()
    assert "3 trials: 3 finished" in page and "cannot be read" not in page and "data:image/png" in page


def test_broken_and_foreign_things_are_set_aside_and_break_nothing(tmp_path: Path, write_run: WriteRun) -> None:
    runs = tmp_path / "runs"
    write_run(runs / "run0")
    (write_run(runs / "run1") / "metrics.json").write_text('{"eer": 0.')
    (write_run(runs / "run2") / "metrics.json").unlink()
    (runs / "run3").mkdir()
    (runs / "layers0").mkdir()
    (runs / "mlp_study0").mkdir()
    (runs / "<b>mine").mkdir()
    (runs / "run4").symlink_to(runs / "run4")
    page = report_runs(tmp_path).read_text()
    aside = page.split('id="set-aside"')[1].replace("<wbr>", "")
    for name in ("run1", "run2", "run3", "run4", "layers0", "mlp_study0", "&lt;b&gt;mine"):
        assert f">{name}</" in aside, name
    assert "<b>mine" not in page and aside.count(">did not finish<") == 2
    assert (runs / "run3" / "report.html").is_file() and (runs / "mlp_study0" / "report.html").is_file()


def test_nothing_to_report_is_a_page_that_says_how_to_begin(tmp_path: Path) -> None:
    assert "fab Demo" in report_runs(tmp_path).read_text()


def test_a_page_that_may_not_be_written_is_named_and_the_rest_goes_on(
    tmp_path: Path, write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    import src.experiments.report.pages as report_pages

    write = report_pages.write_text

    def refuse(path: Path, text: str) -> None:
        if path.parent.name == "run0":
            raise PermissionError(13, "Permission denied")
        write(path, text)

    monkeypatch.setattr(report_pages, "write_text", refuse)
    for number in range(2):
        write_run(tmp_path / "runs" / f"run{number}")
    with pytest.warns(UserWarning, match=r"run0/report.html cannot be written \(Permission denied\)"):
        report_runs(tmp_path)
    assert (tmp_path / "runs" / "run1" / "report.html").is_file()


@pytest.mark.parametrize("n_epochs", [1, 2])
def test_a_run_of_one_epoch_shows_no_curve_of_one_point(tmp_path: Path, write_run: WriteRun, n_epochs: int) -> None:
    """Runs of the first edition have such a picture."""
    run = write_run(tmp_path / "runs" / "run0")
    np.save(run / "val_eers.npy", np.full(n_epochs, 0.1))
    losses = np.linspace(0.5, 0.4, n_epochs)
    loss_figure(losses, losses, losses).savefig(run / "loss_plot.png")
    report_runs(tmp_path)
    page = (run / "report.html").read_text()
    assert ("Learning curves" in page) == (n_epochs > 1)
    assert ("no learning curve" in page) == (n_epochs == 1)
    assert (run / "loss_plot.png").exists()
