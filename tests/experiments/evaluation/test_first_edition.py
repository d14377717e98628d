"""Run folders of the first edition, which noted less, open in every task that takes a run."""

from pathlib import Path

import pytest

from src.experiments.evaluation.comparison import compare_runs
from src.experiments.evaluation.evaluate import evaluate_run
from src.experiments.evaluation.reproduction import reproduce_run
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.report.pages import report_runs
from src.experiments.runs.names import RunName
from src.experiments.studies.effort import Effort
from src.experiments.studies.search import Search, Wish
from src.experiments.studies.tuner import optimize_hyperparameters
from src.utils.files import read_json, write_json

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
    pytest.mark.usefixtures("one_thread", "no_pictures"),
]
NAMES = ("lr_study0/run0", "lr_study0/run1")


def forget_what_is_new(run: Path) -> None:
    """Take away what the second edition notes and the first did not."""
    inputs = read_json(run / "hyperparameters.json")
    del inputs["input"]
    write_json(run / "hyperparameters.json", inputs)
    for name in ("provenance.json", "test_provenance.json"):
        provenance = read_json(run / name)
        del provenance["data"]["corpus"]
        provenance["command"] = "fab OptimizeHyperparameters --dataset=datasets/corpus"
        write_json(run / name, provenance)
    results = read_json(run / "test_results.json")
    del results["about"]["path"]
    write_json(run / "test_results.json", results)


@pytest.fixture
def first_edition(drawn: Path) -> Path:
    """Return a project with a study of which two trials were tested, as the first edition left it."""
    search = Search(drawn / "datasets" / "corpus", Embeddings("hubert", layer=None, pooling=None), "lr")
    study = optimize_hyperparameters(search, Effort(2), root=drawn)
    for name in NAMES:
        evaluate_run(RunName.parse(name), root=drawn)
        forget_what_is_new(RunName.parse(name).folder(drawn))
    best = read_json(study.folder / "best_hyperparameters.json")
    del best["dataset"], best["best_hyperparameters"]["input"]
    write_json(study.folder / "best_hyperparameters.json", best)
    return drawn


def test_they_are_tested_again_with_the_same_scores(first_edition: Path) -> None:
    run = RunName.parse("lr_study0").study.run(0).folder(first_edition)
    before = (run / "scores.csv").read_bytes()
    verdict = evaluate_run(RunName.parse("lr_study0/run0"), root=first_edition)
    assert verdict.folder == run
    assert verdict.is_own_corpus
    assert (run / "scores.csv").read_bytes() == before


def test_they_are_compared_repeated_and_reported(first_edition: Path) -> None:
    compared = compare_runs(",".join(NAMES), root=first_edition)
    assert [len(compared.runs), len(compared.differences)] == [2, 1]
    assert reproduce_run(RunName.parse("lr_study0"), root=first_edition).is_exact
    pages = report_runs(first_edition)
    assert "Broken, unfinished or foreign" not in pages.read_text()


def test_their_studies_are_resumed(first_edition: Path) -> None:
    search = Search(first_edition / "datasets" / "corpus", Embeddings("hubert", layer=None, pooling=None), "lr")
    study = optimize_hyperparameters(search, Effort(3), root=first_edition, wish=Wish(number=0))
    assert (study.n_trials, study.n_new) == (3, 1)
