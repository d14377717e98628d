"""Runs that cannot be compared are named: unknown, named twice, not tested, damaged, or of an earlier version."""

from pathlib import Path
from typing import Any

import pytest

from src.experiments.evaluation.comparison import compare_runs
from src.utils.files import write_json
from tests.experiments.evaluation.written_runs import draw_scores, write_run

pytestmark = pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only")
NAMES = ["best", "run", "study0", "_study0", "svm_study0run1", "svm_study0/run-5", "svm_study/run1", "run-1", "a/b/c"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_no_run_is_refused(name: str, tmp_path: Path) -> None:
    write_run(tmp_path, "run0", draw_scores(1.0, seed=1))
    write_run(tmp_path, "svm_study0/run1", draw_scores(1.0, seed=1))
    write_json(tmp_path / "runs" / "svm_study0" / "best_hyperparameters.json", {"best_trial_number": 1})
    with pytest.raises(ValueError, match=f"'{name}' is not a run; runs have names such as run0 or svm_study0/run3"):
        compare_runs(f"run0,{name}", root=tmp_path)


@pytest.mark.parametrize("names", ["run0,runs/run0", "svm_study0,svm_study0/run1"])
def test_a_run_named_twice_in_whatever_words_is_refused(names: str, tmp_path: Path) -> None:
    write_run(tmp_path, "run0", draw_scores(1.0, seed=1))
    write_run(tmp_path, "svm_study0/run1", draw_scores(1.0, seed=1))
    write_json(tmp_path / "runs" / "svm_study0" / "best_hyperparameters.json", {"best_trial_number": 1})
    with pytest.raises(ValueError, match=r"`runs` names \w+(/run1)? twice"):
        compare_runs(names, root=tmp_path)


@pytest.mark.parametrize("missing", ["test_results.json", "scores.csv"])
def test_a_trial_that_was_not_tested_is_named_with_the_command_that_tests_it(missing: str, tmp_path: Path) -> None:
    write_run(tmp_path, "run0", draw_scores(1.0, seed=1))
    write_run(tmp_path, "svm_study4/run1", draw_scores(1.0, seed=1))
    (tmp_path / "runs" / "svm_study4" / "run1" / missing).unlink()
    line = f"svm_study4/run1 was not tested .*{missing}.*: run fab TestModel --run=svm_study4/run1"
    with pytest.raises(FileNotFoundError, match=line):
        compare_runs("run0,svm_study4/run1", root=tmp_path)


def test_scores_without_a_column_are_refused(tmp_path: Path) -> None:
    for number in range(2):
        table = write_run(tmp_path, f"run{number}", draw_scores(1.0, seed=1))
    table.drop(columns="speaker").to_csv(tmp_path / "runs" / "run1" / "scores.csv", index=False)
    with pytest.raises(
        ValueError, match=r"run1/scores\.csv is damaged \(it has no column speaker\): test the run again"
    ):
        compare_runs("run0,run1", root=tmp_path)


@pytest.mark.parametrize("content", ["", "file,label,score,speaker,gender,system\na.wav,spoof,high,ann,F,xtts\n"])
def test_damaged_scores_are_named(content: str, tmp_path: Path) -> None:
    for number in range(2):
        write_run(tmp_path, f"run{number}", draw_scores(1.0, seed=1))
    (tmp_path / "runs" / "run1" / "scores.csv").write_text(content)
    with pytest.raises(ValueError, match=r"run1/scores\.csv is damaged \(.+\): test the run again"):
        compare_runs("run0,run1", root=tmp_path)


@pytest.mark.parametrize("eer", [0.12, {"value": None}, None])
def test_results_of_an_earlier_version_are_to_be_made_again(eer: Any, tmp_path: Path) -> None:
    for number in range(2):
        write_run(tmp_path, f"run{number}", draw_scores(1.0, seed=1))
    write_json(tmp_path / "runs" / "run1" / "test_results.json", {"eer": eer})
    line = "run1 was tested by an earlier version, .*: test it again, fab TestModel --run=run1"
    with pytest.raises(ValueError, match=line):
        compare_runs("run0,run1", root=tmp_path)
