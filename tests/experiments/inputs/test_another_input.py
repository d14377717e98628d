"""Another kind of input is one file and one row: it is trained on, searched, tested, compared, repeated and reported.

The kind made up here reads the tables of a corpus and nothing else, as waveforms and scores of other runs will: no
store, no backbone, no layer.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from src.experiments.evaluation.comparison import compare_runs
from src.experiments.evaluation.evaluate import evaluate_run
from src.experiments.evaluation.held_out import HeldOut
from src.experiments.evaluation.reproduction import reproduce_run
from src.experiments.evaluation.results import table_of_runs
from src.experiments.inputs import INPUTS
from src.experiments.report.pages import report_runs
from src.experiments.runs.names import RunName
from src.experiments.studies.search import Search
from src.experiments.studies.tuner import Effort, optimize_hyperparameters
from src.experiments.training.layers import compare_layers
from src.experiments.training.recipe import Recipe, choose_recipe
from src.experiments.training.trainer import train_model
from src.models import CLASSIFIERS
from src.utils.files import read_json, write_json
from tests.experiments.inputs.numbers_input import Numbers, OpenNumbers, Shift, ShiftConfig

pytestmark = pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only")


@pytest.fixture
def root(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project without embeddings, whose tables of inputs and of classifiers have one more row each."""
    import shutil
    import sys

    shutil.rmtree(drawn / "embeddings")
    module = SimpleNamespace(Numbers=Numbers, Shift=Shift)
    monkeypatch.setitem(sys.modules, "numbers_input", module)  # type: ignore[arg-type]
    monkeypatch.setitem(INPUTS, "numbers", "numbers_input:Numbers")
    monkeypatch.setitem(CLASSIFIERS, "shift", "numbers_input:Shift")
    return drawn


def recipe_of(root: Path, scale: float | None = 1.0) -> Recipe:
    return choose_recipe(root / "datasets" / "corpus", Numbers(scale), "shift")


def test_it_is_trained_on_tested_repeated_and_reported(root: Path) -> None:
    run = train_model(recipe_of(root), root=root)
    assert 0 < run.metrics["eer"] < 0.5
    assert read_json(run.folder / "hyperparameters.json") == {
        "corpus": "corpus",
        "input": "numbers",
        "scale": 1.0,
        "classifier": "shift",
        "seed": 7,
        "slope": 1.0,
    }
    verdict = evaluate_run(run.name, root=root)
    assert verdict.folder == run.folder
    assert verdict.is_own_corpus
    assert 0 < verdict.metrics["eer"]["value"] < 0.5
    women = evaluate_run(run.name, HeldOut(gender="F"), root=root)
    assert women.metrics["n_bonafide"]["value"] < verdict.metrics["n_bonafide"]["value"]
    again = reproduce_run(run.name, root=root)
    assert again.is_exact
    assert [agreement.what for agreement in again.agreements][:2] == ["validation scores", "test scores"]
    page = (report_runs(root).parent / "run0" / "report.html").read_text()
    assert (
        read_json(run.folder / "test_provenance.json")["data"]["numbers"]["downstream_test"]["split_digest"]
        in (read_json(run.folder / "test_results.json")["about"]["split_digest"])
    )
    assert read_json(run.folder / "provenance.json")["data"]["numbers"]["downstream_val"]["split_digest"] in page
    assert "numbers" in (root / "runs" / "index.html").read_text()


def test_what_it_was_drawn_by_is_part_of_what_is_repeated(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = train_model(recipe_of(root), root=root)
    monkeypatch.setattr(OpenNumbers, "drawn_by", "moon")
    with pytest.raises(ValueError, match=r"numbers of downstream_train .*drawn_by"):
        reproduce_run(run.name, root=root)
    with pytest.raises(ValueError, match="drawn otherwise"):
        evaluate_run(run.name, root=root)


def test_a_study_chooses_what_it_leaves_open(root: Path) -> None:
    dataset = root / "datasets" / "corpus"
    study = optimize_hyperparameters(Search(dataset, Numbers(), "shift"), Effort(trials=3), root=root)
    chosen = read_json(study.folder / "best_hyperparameters.json")["best_hyperparameters"]
    assert 0.5 <= chosen["scale"] <= 2.0
    name = RunName.parse(f"shift_study0/run{study.best_trial}")
    evaluate_run(name, root=root)
    single = train_model(recipe_of(root), root=root)
    evaluate_run(single.name, root=root)
    lines = str(compare_runs(f"{name},run0", root=root)).splitlines()
    assert lines[0].split()[:4] == ["run", "corpus", "scale", "classifier"]
    assert {"scale", "classifier", "test_eer"} <= set(table_of_runs(root).columns)
    from_file = choose_recipe(dataset, Numbers(), "shift", hyperparameters=study.folder / "best_hyperparameters.json")
    assert from_file.input == Numbers(chosen["scale"])
    assert from_file.config == ShiftConfig(chosen["slope"])
    (study.folder / "journal.log").unlink()  # the page then tells of trials what their folders know
    report_runs(root)
    page = (study.folder / "report.html").read_text()
    assert "scale" in page
    assert "slope" in page


def test_runs_of_two_kinds_of_input_are_compared(root: Path, renew_stores: Any) -> None:
    from src.experiments.inputs.embeddings import Embeddings

    renew_stores(root)
    for recipe in (recipe_of(root), choose_recipe(root / "datasets" / "corpus", Embeddings("hubert", 1), "lr")):
        evaluate_run(train_model(recipe, root=root).name, root=root)
    said = str(compare_runs("run0,run1", root=root))
    assert "scale" in said.splitlines()[0]
    assert "hubert" in said


def test_it_has_no_layers_to_compare(root: Path) -> None:
    with pytest.raises(ValueError, match="numbers"):
        compare_layers(recipe_of(root), root=root)
    assert not (root / "runs").exists()


def test_a_run_that_lacks_what_its_input_needs_is_told_by_name(root: Path) -> None:
    run = train_model(recipe_of(root), root=root)
    inputs = read_json(run.folder / "hyperparameters.json")
    del inputs["scale"]
    write_json(run.folder / "hyperparameters.json", inputs)
    with pytest.raises(ValueError, match=r"hyperparameters\.json.*scale"):
        evaluate_run(run.name, root=root)
