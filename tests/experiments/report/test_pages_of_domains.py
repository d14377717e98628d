"""Pages show EER in domain, across systems and across corpora side by side, and what a cross-validation found."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from src.experiments.report.contents import contents_of, read_comparison
from src.experiments.report.cross_records import read_cross
from src.experiments.report.pages import report_runs
from src.experiments.report.run_records import read_run
from src.experiments.runs.names import RunName
from src.visualize.pages.records import Estimate

WriteRun = Callable[..., Path]
ACROSS = {"eer_across_system": {"value": 0.3, "low": 0.2, "high": 0.4}, "eer_across_corpus": {"value": 0.5}}


@pytest.fixture
def run(tmp_path: Path, write_run: WriteRun) -> Path:
    """Return the folder of a run that was judged across systems and corpora."""
    folder = write_run(tmp_path / "runs" / "run0", eer=0.05)
    metrics = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps(metrics | ACROSS))
    rows = ["by,domain,clips,eer,low,high", "system,xtts,40,0.25,0.1,0.4", "corpus,mini,60,0.5,,"]
    (folder / "held_out.csv").write_text("\n".join(rows))
    return folder


def write_cross(root: Path, *, finished: bool = True) -> Path:
    folder = root / "runs" / "cross0"
    folder.mkdir(parents=True)
    inputs = {"corpus": "mini", "backbone": "lfcc", "classifier": "lr", "layer": 0, "by": "system", "folds": 5}
    (folder / "hyperparameters.json").write_text(json.dumps(inputs))
    if finished:
        eer = {"value": 0.36, "low": 0.2, "high": 0.5}
        results = {"eer": eer, "breakdowns": {"domain left out": {"xtts": {"eer": eer}}}, "about": {"n_people": 59}}
        rows = [
            "fold,left_out,people,n_bonafide,n_spoof,validation_eer,threshold,eer,low,high,false_rejection,false_acceptance",
            "0,xtts,12,30,40,0.1,0.5,0.36,0.2,0.5,0.25,0.75",
            "1,xtts,11,30,0,0.2,0.5,,,,0.25,",
        ]
        for name in ("provenance.json", "test_results.json"):
            (folder / name).write_text(json.dumps(results if name.startswith("test") else {"code": "abc"}))
        (folder / "folds.csv").write_text("\n".join(rows))
    return folder


def test_a_run_has_its_eers_side_by_side_and_is_warned_of(run: Path) -> None:
    record = read_run(RunName.parse("run0"), run.parents[1])
    assert record.across == {"systems": Estimate(0.3, 0.2, 0.4), "corpora": Estimate(0.5)}
    assert [(found.kind, found.domain, found.clips) for found in record.unheard] == [
        ("systems", "xtts", 40),
        ("corpora", "mini", 60),
    ]
    assert record.doubt.startswith("EER in domain 5.00 %, but 30.00 % across systems")
    report_runs(run.parents[1])
    page = (run / "report.html").read_text()
    for shown in ("What it had not heard", "in domain", "across systems", "across corpora", "xtts", record.doubt):
        assert shown in page


def test_too_few_domains_to_choose_by_are_told_beside_their_eer(run: Path) -> None:
    told = "Only 1 system was left out to choose by: with fewer than 7"
    report_runs(run.parents[1])
    page = (run / "report.html").read_text()
    assert told in page
    assert "Only 1 corpus was left out to choose by" in page
    rows = ["by,domain,clips,eer", *(f"system,tts{number},40,0.25" for number in range(7))]
    (run / "held_out.csv").write_text("\n".join(rows))
    report_runs(run.parents[1])
    assert "left out to choose by" not in (run / "report.html").read_text()


def test_a_damaged_table_of_domains_is_a_problem_not_a_crash(run: Path) -> None:
    (run / "held_out.csv").write_text("by,domain,clips,eer,low,high\nsystem,xtts,many,much,,")
    record = read_run(RunName.parse("run0"), run.parents[1])
    assert record.unheard == ()
    assert record.problems == ("held_out.csv: xtts has no EER",)


def test_a_cross_validation_has_a_page_and_a_row(tmp_path: Path) -> None:
    folder = write_cross(tmp_path)
    record = read_cross(RunName.parse("cross0"), tmp_path)
    assert record.problems == ()
    assert [(fold.left_out, fold.people, fold.eer) for fold in record.folds] == [
        ("xtts", 12, Estimate(0.36, 0.2, 0.5)),
        ("xtts", 11, None),
    ]
    assert (record.folds[0].false_rejection, record.folds[0].false_acceptance) == (0.25, 0.75)
    report_runs(tmp_path)
    page, index = (folder / "report.html").read_text(), (tmp_path / "runs" / "index.html").read_text()
    for shown in ("Pooled EER", "59 people", "By domain left out", "Folds", "nor its spoof system"):
        assert shown in page
    assert 'href="cross0/report.html"' in index
    assert contents_of(tmp_path).foreign == ()


def test_an_unfinished_or_damaged_cross_validation_says_so(tmp_path: Path) -> None:
    folder = write_cross(tmp_path, finished=False)
    record = read_cross(RunName.parse("cross0"), tmp_path)
    assert (record.state, record.outcome, record.problems) == ("did not finish", None, ())
    report_runs(tmp_path)
    assert "It did not finish" in (folder / "report.html").read_text()
    (folder / "test_results.json").write_text("{")
    (folder / "folds.csv").write_text("fold,left_out\n0,xtts")
    damaged = read_cross(RunName.parse("cross0"), tmp_path)
    assert len(damaged.problems) == 2


def test_layers_show_what_was_left_out_and_where_the_choice_differs(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "layers0"
    folder.mkdir(parents=True)
    (folder / "layers.json").write_text(json.dumps({"hold_out": "system"}))
    columns = "layer,eer,low,high,across_system,across_system_low,across_system_high"
    (folder / "layers.csv").write_text(f"{columns}\n0,0.01,0,0.02,0.4,0.3,0.5\n1,0.1,,,0.2,0.1,0.3")
    found = read_comparison(folder)
    assert found.across == {"systems": {0: Estimate(0.4, 0.3, 0.5), 1: Estimate(0.2, 0.1, 0.3)}}
    assert found.differing == (
        "In domain, layer 0 would be chosen (1.00 %), which has 40.00 % across systems; layer 1 has 20.00 %."
    )
    report_runs(tmp_path)
    page = (tmp_path / "runs" / "index.html").read_text()
    assert "EER across systems" in page
    assert found.differing in page


def test_a_study_names_what_it_minimised(tmp_path: Path, write_run: WriteRun) -> None:
    study = tmp_path / "runs" / "lr_study0"
    for number, (eer, across) in enumerate([(0.01, 0.4), (0.1, 0.2)]):
        folder = write_run(study / f"run{number}", eer=eer, tested=False)
        metrics = {"eer": eer, "eer_across_system": {"value": across, "low": 0.1, "high": 0.5}}
        (folder / "metrics.json").write_text(json.dumps(metrics))
        (folder / "held_out.csv").write_text("by,domain,clips,eer\nsystem,xtts,40,0.2\nsystem,vits,40,0.2\n")
    (study / "study.json").write_text(json.dumps({"classifier": "lr", "hold_out": "system"}))
    best = {"best_trial_number": 1, "best_validation_eer": 0.1, "best_hyperparameters": {}}
    (study / "best_hyperparameters.json").write_text(json.dumps(best))
    report_runs(tmp_path)
    page = (study / "report.html").read_text()
    assert "Chosen by the lowest mean EER across systems" in page
    assert "The search minimises the mean EER across systems." in page
    assert "Only 2 systems were left out to choose by" in page
