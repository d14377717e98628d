"""Scores of other runs as an input: joined by clip, checked against their runs, and honest about people."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from src.experiments.evaluation.comparison import compare_runs
from src.experiments.evaluation.evaluate import evaluate_run
from src.experiments.evaluation.held_out import HeldOut
from src.experiments.inputs import INPUTS, input_of
from src.experiments.inputs.contract import read_training_data
from src.experiments.inputs.scores import OpenScores, Scores
from src.experiments.runs.artefacts import read_scores
from src.experiments.runs.names import RunName
from src.experiments.training.fusion import fuse_runs
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trained import read_trained
from src.experiments.training.trainer import train_model
from src.metrics.eer import eer_of
from src.models import CLASSIFIERS
from src.utils.dataset import write_table
from tests.drawn_project import write_stores
from tests.experiments.evaluation.conftest import edit_json, without_pictures
from tests.experiments.inputs.numbers_input import Numbers, Shift
from tests.experiments.training.trainings import train

pytestmark = pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only")

PARTS = Scores(("run0", "run1"))


@pytest.fixture(scope="module")
def fused_once(drawn_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root with two tested runs, of layers 1 and 2, and an untested one; not to be changed."""
    root = Path(shutil.copytree(drawn_once, tmp_path_factory.mktemp("scored") / "root"))
    with without_pictures():
        for layer in (1, 2, 0):
            train(root, "lr", layer=layer)
        for number in (0, 1):
            evaluate_run(RunName(None, number), root=root)
    return root


@pytest.fixture
def root(fused_once: Path, tmp_path: Path) -> Path:
    """Return a copy of that root which a test may change."""
    return Path(shutil.copytree(fused_once, tmp_path / "root"))


def opened(root: Path, *names: str) -> OpenScores:
    return Scores(names or PARTS.runs).open(root / "datasets" / "corpus", root)


def edit_scores(path: Path, edit: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    write_table(path, edit(pd.read_csv(path, dtype=str, keep_default_na=False)))


def test_it_goes_through_json_and_can_be_a_key() -> None:
    described = {"input": "scores", "runs": ["run0", "svm_study0/run3"], "method": "mean"}
    found = input_of(described)
    assert found == Scores(("run0", "svm_study0/run3"))
    assert {found: 1}[Scores(("run0", "svm_study0/run3"))] == 1
    assert found.as_json() == {"runs": ["run0", "svm_study0/run3"]}
    assert found.completed({}, None) == found.completed(described, None) == found
    with pytest.raises(ValueError, match=r"h\.json is of the runs .*run9"):
        found.completed({"runs": ["run0", "run9"]}, Path("h.json"))


def test_a_trained_run_leaves_the_scores_of_its_validation_clips(root: Path) -> None:
    trained = read_trained(root, RunName(None, 0))
    clips = trained.open(trained.recipe.dataset, root).read("downstream_val")
    table = opened(root).read("downstream_val")
    assert table.files.tolist() == clips.files.tolist()
    assert (table.inputs[:, 0] == trained.scores(clips)).all()
    for name in ("labels", "genders", "speakers", "systems"):
        assert (getattr(table, name) == getattr(clips, name)).all()
    assert eer_of(table.labels, table.scores[:, 0]) == trained.metrics["eer"]


def test_the_scores_of_a_test_are_those_that_it_wrote_whatever_their_order(root: Path) -> None:
    before = opened(root).read("downstream_test")
    edit_scores(root / "runs" / "run1" / "scores.csv", lambda table: table[::-1])
    after = opened(root).read("downstream_test")
    assert (after.inputs == before.inputs).all()
    assert after.inputs.shape == (len(after), 2)
    written = read_scores(root / "runs" / "run1").set_index("file")["score"]
    assert (written.loc[after.files].to_numpy() == after.inputs[:, 1]).all()
    women = opened(root).read("downstream_test", "F")
    assert set(women.genders) == {"F"}
    assert (women.inputs == after.inputs[after.genders == "F"]).all()


def test_it_is_fitted_on_validation_clips_and_knows_the_people_of_its_parts(root: Path) -> None:
    edit_json(
        root / "runs" / "run1" / "provenance.json",
        lambda content: content["data"]["people"]["downstream_train"].append("Zoe_F099"),
    )
    data = read_training_data(opened(root))
    assert data.train is data.val
    part = read_trained(root, RunName(None, 0))
    own = part.provenance["data"]["people"]
    assert data.people()["downstream_val"] == own["downstream_val"]
    assert data.people()["downstream_train"] == [*own["downstream_train"], "Zoe_F099"]
    assert set(own["downstream_train"]).isdisjoint(own["downstream_val"])
    noted = part.provenance["data"]["corpus"]["digest"]
    assert data.origins["downstream_train"]["corpus_digest"] == noted == opened(root).digest_of_corpus()
    assert data.origins["downstream_val"]["split_digest"] == part.origin("downstream_val")["split_digest"]


def test_a_run_of_an_earlier_version_is_tested_on_its_validation_clips(root: Path) -> None:
    before = opened(root).read("downstream_val")
    (root / "runs" / "run1" / "val_scores.csv").unlink()
    command = r"fab TestModel --run=run1 --split=downstream_val"
    with pytest.raises(FileNotFoundError, match=rf"^run1 must first be tested on downstream_val .*: {command}\.$"):
        opened(root).read("downstream_val")
    with without_pictures():
        evaluate_run(RunName(None, 1), HeldOut(split="downstream_val"), root=root)
    after = opened(root).read("downstream_val")
    assert (after.inputs == before.inputs).all()
    assert after.files.tolist() == before.files.tolist()
    assert opened(root).origin("downstream_val") == opened(root).origin("downstream_val")


def test_parts_that_were_not_tested_are_named_with_the_commands_that_do_it(root: Path) -> None:
    shutil.copytree(root / "datasets" / "corpus", root / "datasets" / "else where")
    other = Scores(("run0", "run2")).open(root / "datasets" / "else where", root)
    with pytest.raises(FileNotFoundError) as told:
        other.check("downstream_test")
    assert str(told.value) == (
        f"run0 and run2 must first be tested on downstream_test of {other.dataset}: "
        f"fab TestModel --run=run0 --dataset='{other.dataset}' && fab TestModel --run=run2 --dataset='{other.dataset}'."
    )
    with pytest.raises(FileNotFoundError, match=r"^run2 must .* downstream_test of [^:]*: fab TestModel --run=run2\.$"):
        opened(root, "run0", "run2").check("downstream_test")
    (root / "runs" / "run0" / "test_results.json").unlink()  # as a kill in the middle of a test leaves it
    with pytest.raises(FileNotFoundError, match=r"^run0 must first be tested"):
        opened(root).check("downstream_test")


def test_another_corpus_is_read_from_the_tests_on_it(root: Path) -> None:
    other = root / "datasets" / "other"
    shutil.copytree(root / "datasets" / "corpus", other)
    write_stores(root, "other", take=" again")
    with without_pictures():
        for number in (0, 1):
            evaluate_run(RunName(None, number), HeldOut(other), root=root)
    there = PARTS.open(other, root)
    there.check("downstream_test")
    assert there.read("downstream_test").inputs.shape == opened(root).read("downstream_test").inputs.shape
    assert there.origin("downstream_test")["corpus_digest"] != opened(root).origin("downstream_test")["corpus_digest"]
    assert there.digest_of_corpus() != opened(root).digest_of_corpus()


@pytest.mark.parametrize(
    ("runs", "line"),
    [
        ((), r"`runs` takes two runs or more, such as run0,svm_study0/run3; none is given\."),
        (("run0",), r"takes two runs or more, .*; given: run0\."),
        (("run0", "best"), "'best' is not a run"),
        (["run0", "run1"], "must be names of runs"),
        ((0, 1), "must be names of runs"),
    ],
)
def test_what_names_no_two_runs_is_refused(runs: tuple[str, ...], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        Scores(runs)


def test_missing_unfinished_and_repeated_runs_are_refused(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no run 9 .*runs there: 0, 1, 2"):
        opened(root, "run0", "run9")
    with pytest.raises(ValueError, match="`runs` names run0 twice"):
        opened(root, "run0", "run1", "runs/run0/")
    (root / "runs" / "run1" / "metrics.json").unlink()
    with pytest.raises(FileNotFoundError, match="run1 did not finish"):
        opened(root)


def test_a_run_without_calibration_is_refused(root: Path) -> None:
    (root / "runs" / "run1" / "calibration.json").unlink()
    with pytest.raises(ValueError, match=r"run1 was made before scores were calibrated.*train it again"):
        opened(root)


def test_a_run_that_lacks_what_its_input_needs_is_told_by_name(root: Path) -> None:
    edit_json(root / "runs" / "run1" / "hyperparameters.json", lambda content: content.pop("layer"))
    with pytest.raises(ValueError, match=r"run1.hyperparameters\.json is damaged: it holds no layer"):
        opened(root)


def test_a_run_that_does_not_say_whom_it_knows_is_refused(root: Path) -> None:
    edit_json(root / "runs" / "run1" / "provenance.json", lambda content: content["data"].pop("people"))
    with pytest.raises(ValueError, match=r"does not say whom run1 was trained on: train it again"):
        opened(root)


def test_runs_of_two_corpora_are_refused(root: Path) -> None:
    shutil.copytree(root / "datasets" / "corpus", root / "datasets" / "other")
    corpus = {"path": "datasets/other", "digest": "of others"}
    edit_json(root / "runs" / "run1" / "provenance.json", lambda content: content["data"].update(corpus=corpus))
    with pytest.raises(ValueError, match=r"run0 was trained on .*corpus and run1 on .*other: .* the same corpus"):
        opened(root)


def test_runs_of_two_takes_of_a_corpus_are_refused(root: Path) -> None:
    write_stores(root, take=" again")
    with without_pictures():
        train(root, "lr", layer=1)
    with pytest.raises(ValueError, match=r"run0 and run3 were trained on different recordings .*train them again"):
        opened(root, "run0", "run3")


def test_a_split_that_has_changed_since_is_refused(root: Path) -> None:
    path = root / "datasets" / "corpus" / "splits" / "by_file" / "files-downstream_test.csv"
    edit_scores(path, lambda table: table[1:])
    with pytest.raises(ValueError, match=r"downstream_test of .*corpus was changed after run0 scored it"):
        opened(root).check("downstream_test")
    opened(root).check("downstream_val")


@pytest.mark.parametrize(
    ("edit", "line"),
    [
        (
            lambda table: table[1:],
            r"run0 and run1 scored different clips: 1 are in .*real_voices.*which run1 lacks",
        ),
        (
            lambda table: table.assign(label=table["label"][::-1].tolist()),
            r"run0 and run1 .*different labels of",
        ),
        (lambda table: table.assign(score="nan"), r"run1.val_scores\.csv has no finite score of real_voices"),
        (lambda table: table.assign(score="high"), r"run1.val_scores\.csv is damaged .*train the run again"),
        (lambda table: table.drop(columns="label"), r"run1.val_scores\.csv is damaged .*no column label"),
    ],
)
def test_scores_that_do_not_fit_together_are_refused(
    edit: Callable[[pd.DataFrame], pd.DataFrame], line: str, root: Path
) -> None:
    edit_scores(root / "runs" / "run1" / "val_scores.csv", edit)
    with pytest.raises(ValueError, match=line):
        opened(root).check("downstream_val")


def test_what_identifies_scores_changes_with_the_training_and_with_the_scores(root: Path) -> None:
    before = opened(root).origin("downstream_val")
    assert before == opened(root).identity("downstream_val")["downstream_val"]
    PARTS.require_like(before, opened(root).origin("downstream_test"), "These and those")
    edit_scores(root / "runs" / "run1" / "val_scores.csv", lambda table: table.assign(score=table["score"] + "1"))
    rescored = opened(root).origin("downstream_val")
    assert rescored["parts"]["run0"] == before["parts"]["run0"]
    assert rescored["parts"]["run1"]["scores"] != before["parts"]["run1"]["scores"]
    PARTS.require_like(before, rescored, "These and those")  # the same run, which judged them anew
    edit_json(root / "runs" / "run1" / "metrics.json", lambda content: content.update(eer=0.123))
    with pytest.raises(ValueError, match=r"These and those .*run1 was trained anew .*fab FuseRuns --runs=run0,run1\."):
        PARTS.require_like(before, opened(root).origin("downstream_val"), "These and those")


def test_one_class_alone_is_refused(root: Path) -> None:
    for number in (0, 1):
        path = root / "runs" / f"run{number}" / "val_scores.csv"
        edit_scores(path, lambda table: table.assign(label="spoof"))
    with pytest.raises(ValueError, match="downstream_val holds only spoof clips"):
        read_training_data(opened(root))


def test_runs_of_two_kinds_of_input_are_fused_and_compared(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = SimpleNamespace(Numbers=Numbers, Shift=Shift)
    monkeypatch.setitem(sys.modules, "numbers_input", module)  # type: ignore[arg-type]
    monkeypatch.setitem(INPUTS, "numbers", "numbers_input:Numbers")
    monkeypatch.setitem(CLASSIFIERS, "shift", "numbers_input:Shift")
    with without_pictures():
        numbers = train_model(choose_recipe(root / "datasets" / "corpus", Numbers(1.0), "shift"), root=root)
        evaluate_run(numbers.name, root=root)
        fused = fuse_runs("run0,run3", root=root)
        assert fused.next_commands == ("fab TestModel --run=run4",)
        evaluate_run(fused.run.name, root=root)
    assert fused.run.metrics["eer"] <= min(
        read_trained(root, RunName(None, number)).metrics["eer"] for number in (0, 3)
    )
    assert not compare_runs("run0,run4", root=root).other_clips
