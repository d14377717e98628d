"""A study that leaves out systems minimises the mean EER across them, and finds the layer that validation does not."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from src.experiments.inputs.embeddings import Embeddings
from src.experiments.studies import pictures
from src.experiments.studies.effort import Effort, StudyResult
from src.experiments.studies.search import Search, Wish
from src.experiments.studies.tuner import optimize_hyperparameters
from src.experiments.training.trained import read_trained
from src.utils.files import read_json
from tests.experiments.domain_project import FINGERPRINTS, GENERAL, write_domain_project

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER", "ignore:Only 3", "ignore:There are only"),
    pytest.mark.usefixtures("one_thread"),
]

FIXED = {"scaling": "standard"}
"""Vectors of unit length would give every fingerprint away by what it takes from the other numbers."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("domains")
    write_domain_project(root)
    return root


def study_in(root: Path, trials: int = 4, hold_out: str = "system", **wish: int) -> StudyResult:
    search = Search(root / "datasets" / "corpus", Embeddings("hubert", None, "mean"), "lr", 7, FIXED, hold_out)
    return optimize_hyperparameters(search, Effort(trials, jobs=1), root=root, wish=Wish(**wish))


def layer_of(study: StudyResult, root: Path) -> int:
    return int(read_json(study.name.run(study.best_trial).folder(root) / "hyperparameters.json")["layer"])


def label_of(figure: Figure) -> str:
    """Return the label of the axis that shows the value of the trials."""
    axes = figure.axes[0]
    return next(label for label in (axes.get_ylabel(), axes.get_xlabel()) if label)


def test_it_chooses_what_validation_in_domain_does_not(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    save = pictures.save_figure
    monkeypatch.setattr(
        pictures, "save_figure", lambda path, figure: drawn.append(label_of(figure)) or save(path, figure)
    )
    found, in_domain = study_in(root), study_in(root, hold_out="")
    across, own = "mean EER across systems", "validation EER"
    assert drawn == [f"importance for the {across}", f"{across} (%)", f"importance for the {own}", f"{own} (%)"]
    assert layer_of(found, root) == GENERAL
    assert layer_of(in_domain, root) == FINGERPRINTS
    best = read_trained(root, found.name.run())
    assert found.best_eer == best.metrics["eer_across_system"]["value"]
    assert best.inputs["hold_out"] == "system"
    noted = read_json(found.folder / "best_hyperparameters.json")
    assert noted["best_validation_eer"] == best.metrics["eer"]
    assert noted["best_eer_across"] == found.best_eer
    assert "lowest mean EER across systems" in found.outcome
    assert "In domain, trial " in found.outcome
    assert "best validation EER" in in_domain.outcome
    assert len(list(found.folder.glob("run*/held_out.csv"))) == found.n_trials


def test_a_study_that_says_more_than_its_best_trial_ends_without_a_full_stop_as_others_do() -> None:
    said = "In domain, trial 0 would be chosen (1.00 %), which has 41.67 % across systems; trial 1 has 20.00 %."
    assert str(StudyResult(Path("runs/lr_study0"), 2, 2, 1, 0.2, 1, "system", said)) == (
        f"runs/lr_study0: 2 trials, 2 new; lowest mean EER across systems 20.00% in trial 1. {said.removesuffix('.')}"
    )


def test_it_resumes_with_the_same_domains_and_is_the_study_that_was_never_stopped(root: Path) -> None:
    whole = study_in(root, trials=3)
    part = study_in(root, trials=2)
    resumed = study_in(root, trials=3, number=part.name.number)
    assert (resumed.n_new, resumed.best_trial, resumed.best_eer) == (1, whole.best_trial, whole.best_eer)
    with pytest.raises(ValueError, match=r"searches hold_out system, not None"):
        study_in(root, trials=3, number=part.name.number, hold_out="")


def test_an_unknown_kind_of_domain_is_refused_before_a_study_is_made(root: Path) -> None:
    before = sorted((root / "runs").iterdir())
    with pytest.raises(ValueError, match="`hold_out` must be system, corpus or system,corpus, not 'speaker'"):
        study_in(root, hold_out="speaker")
    assert sorted((root / "runs").iterdir()) == before
