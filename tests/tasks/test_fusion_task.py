"""`fab FuseRuns` and what follows it, as it is typed: trained, tested, compared, repeated and reported as any run."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from src.experiments.report.run_records import read_run
from src.experiments.runs.artefacts import read_scores
from src.experiments.runs.commands import how_to_train_again
from src.experiments.runs.names import RunName
from src.utils.files import read_json
from tests.experiments.evaluation.conftest import edit_json
from tests.typed import run_fab

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
    pytest.mark.usefixtures("one_thread"),
]
Fab = Callable[[str], str]
TRAINING = "TrainModel --dataset=datasets/corpus --backbone=lfcc"


@pytest.fixture(scope="module")
def fused_once(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with two small runs on lfcc, tested, and their fusion, run2; not to be changed."""
    root = Path(shutil.copytree(prepared, tmp_path_factory.mktemp("fused") / "project"))
    with pytest.MonkeyPatch.context() as patch:
        for task in (
            f"{TRAINING} --classifier=lr",
            f"{TRAINING} --classifier=svm --pooling=std",
            "TestModel --run=run0",
            "TestModel --run=run1",
            "FuseRuns --runs=run0,run1",
        ):
            assert run_fab(task, root, patch) == 0
    return root


@pytest.fixture
def root(fused_once: Path, tmp_path: Path) -> Path:
    """Return a copy of that project which a test may change."""
    return Path(shutil.copytree(fused_once, tmp_path / "project"))


@pytest.fixture
def fab(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fab:
    """Return what runs a task in that project and returns what it printed."""

    def run(arguments: str) -> str:
        capsys.readouterr()
        code = run_fab(arguments, root, monkeypatch)
        said = capsys.readouterr()
        assert code == (2 if said.err else 0), said.err
        return said.err or said.out

    return run


@pytest.mark.slow
def test_a_fused_run_is_a_run_as_any_other(root: Path, fab: Fab) -> None:
    inputs = read_json(root / "runs" / "run2" / "hyperparameters.json")
    assert inputs == {
        "corpus": "corpus",
        "input": "scores",
        "runs": ["run0", "run1"],
        "classifier": "fusion",
        "seed": 7,
        "method": "logistic",
        "C": 1.0,
    }
    fab("TestModel --run=run2")
    fused, *parts = (read_scores(root / "runs" / f"run{number}") for number in (2, 0, 1))
    assert all(part["file"].tolist() == fused["file"].tolist() for part in parts)
    design = np.column_stack([*(part["score"] for part in parts), np.ones(len(fused))])
    _, rest, *_ = np.linalg.lstsq(design, fused["score"], rcond=None)
    assert rest.item() < 1e-20 * len(fused)  # a weighted sum of the parts and nothing else
    said = fab("CompareRuns --runs=run0,run2,run1")
    assert "run0,run1" in said
    assert "different clips" not in said
    assert fab("ReproduceRun --run=run2").splitlines()[-1].startswith("Reproduced bit for bit.")
    shutil.rmtree(root / "embeddings")  # a fusion needs none
    assert "EER" in fab("TestModel --run=run2 --gender=F")
    assert "Reproduced bit for bit." in fab("ReproduceRun --run=run2")


def test_what_it_says_names_the_weights_and_the_commands_that_come_next(root: Path, fab: Fab) -> None:
    said = fab("FuseRuns --runs=run0,runs/run1/ --method=mean")
    assert "the clips that it was fitted on. Score = 0.500 x run0 + 0.500 x run1 + 0.000" in said
    assert said.splitlines()[-1] == "Next: fab TestModel --run=run3"
    fab(f"{TRAINING} --classifier=lr --layer=0 --seed=11")
    said = fab("FuseRuns --runs=run0,run4")  # seeds may differ
    assert said.splitlines()[-1] == "Next: fab TestModel --run=run4 && fab TestModel --run=run5"
    assert "run4 must first be tested on downstream_test" in fab("TestModel --run=run5")
    fab("TestModel --run=run4")
    fab("TestModel --run=run5")


def test_the_pages_show_its_parts_and_how_to_test_it_or_make_it_again(root: Path, fab: Fab) -> None:
    fab("ReportRuns")
    page, index = ((root / "runs" / name).read_text() for name in ("run2/report.html", "index.html"))
    words = re.sub(r"<wbr>|\s+", " ", page)
    assert "fusion, runs run0, run1, corpus corpus" in words
    assert "of the clips that the fusion was fitted on" in words
    assert "fab TestModel --run=run2" in words
    assert "scores" in index
    assert "of the clips that the fusion was fitted on" not in (root / "runs" / "run0" / "report.html").read_text()
    folder = root / "runs" / "run2"
    again = "fab FuseRuns --runs=run0,run1 --method=logistic"
    inputs = read_json(folder / "hyperparameters.json")
    assert how_to_train_again(inputs, folder / "hyperparameters.json") == again
    (folder / "metrics.json").unlink()
    assert read_run(RunName.parse("run2"), root).next_command == again
    fab("ReportRuns")
    assert again in re.sub(r"<wbr>", "", (folder / "report.html").read_text())


def test_a_study_stands_for_its_best_trial_and_the_recipe_says_which(root: Path, fab: Fab) -> None:
    fab("OptimizeHyperparameters --dataset=datasets/corpus --backbone=lfcc --classifier=lr --trials=3 --keep=1")
    best = read_json(root / "runs" / "lr_study0" / "best_hyperparameters.json")["best_trial_number"]
    kept = sorted(path.parent.name for path in (root / "runs" / "lr_study0").glob("*/val_scores.csv"))
    assert kept == [f"run{best}"]
    fab("FuseRuns --runs=lr_study0,run1")
    assert read_json(root / "runs" / "run3" / "hyperparameters.json")["runs"] == [f"lr_study0/run{best}", "run1"]
    assert "`runs`" not in (said := fab(f"FuseRuns --runs=lr_study0,lr_study0/run{best}"))
    assert f"--runs names lr_study0/run{best} twice" in said


def test_a_fusion_of_a_fusion_is_one_too(root: Path, fab: Fab) -> None:
    fab("TestModel --run=run2")
    fab("FuseRuns --runs=run2,run0 --method=mean")
    fab("TestModel --run=run3")
    assert "Reproduced bit for bit." in fab("ReproduceRun --run=run3")
    known = [read_json(root / "runs" / f"run{number}" / "provenance.json")["data"]["people"] for number in (0, 2, 3)]
    assert known[0] == known[1] == known[2]


def test_a_part_that_was_deleted_or_trained_anew_ends_the_use_of_the_fusion(root: Path, fab: Fab) -> None:
    edit_json(root / "runs" / "run1" / "metrics.json", lambda content: content.update(eer=0.4))
    for task in ("TestModel --run=run2", "ReproduceRun --run=run2"):
        said = fab(task)
        assert "run1 was trained anew since it was fused" in said or "different parts" in said
    shutil.rmtree(root / "runs" / "run1")
    for task in ("TestModel --run=run2", "ReproduceRun --run=run2"):
        assert re.search(r"There is no run 1 in .*runs there: 0, 2", fab(task))


def test_people_whom_a_part_knows_are_refused_in_a_test(root: Path, fab: Fab) -> None:
    tested = read_scores(root / "runs" / "run0")["speaker"].iloc[0]
    edit_json(
        root / "runs" / "run2" / "provenance.json",
        lambda content: content["data"]["people"]["downstream_train"].append(tested),
    )
    assert "1 people of downstream_test were in the training of" in fab("TestModel --run=run2")


@pytest.mark.parametrize(
    ("task", "line"),
    [
        ("FuseRuns", "--runs takes two runs or more, such as run0,svm_study0/run3; none is given."),
        ("FuseRuns --runs=run0,", "--runs takes two runs or more, such as run0,svm_study0/run3; given: run0."),
        ("FuseRuns --runs=run0,run0", "--runs names run0 twice."),
        ("FuseRuns --runs=run0,run7", "There is no run 7"),
        ("FuseRuns --runs=run0,run1 --method=vote", "Unknown method 'vote'; allowed: logistic, mean."),
        ("FuseRuns --runs=run0,run1 --method=", "No method given (--method); allowed: logistic, mean."),
        (f"{TRAINING} --classifier=fusion", "fusion is trained on scores, not on embeddings; fab FuseRuns trains it."),
        (
            "OptimizeHyperparameters --dataset=datasets/corpus --backbone=lfcc --classifier=fusion",
            "fusion is trained on scores, not on embeddings; fab FuseRuns trains it.",
        ),
    ],
)
def test_bad_input_ends_with_one_line_and_leaves_nothing(task: str, line: str, root: Path, fab: Fab) -> None:
    before = sorted(path.name for path in (root / "runs").iterdir())
    said = fab(task)
    assert line in said
    assert len(said.splitlines()) == 1
    assert sorted(path.name for path in (root / "runs").iterdir()) == before
