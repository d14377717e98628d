"""The pictures of a study: those that are missing or old are drawn when it is started, the others stay."""

from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from src.experiments.studies.tuner import Effort, StudyResult, Wish, optimize_hyperparameters
from src.models.mlp.mlp_model import MlpConfig
from tests.experiments.studies.studies import search_in

pytestmark = [pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only")]
OF_STUDY = {"optimization_history.png", "param_importances.png"}


def study_of(root: Path, trials: int, *, jobs: int = 1, number: int | None = 0) -> StudyResult:
    """Run a study of short perceptrons that keeps the best two."""
    search = search_in(root, "mlp", layer=1, pooling="mean")
    return optimize_hyperparameters(search, Effort(trials, jobs, keep=2), root=root, wish=Wish(number))


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    space = MlpConfig.search_space
    monkeypatch.setattr(MlpConfig, "search_space", lambda *about: replace(space(*about), epochs=3))


def pictures_in(study: Path) -> dict[str, int]:
    """Return the pictures of a study and its runs, and when each was written."""
    return {path.relative_to(study).as_posix(): path.stat().st_mtime_ns for path in study.rglob("*.png")}


def test_only_missing_and_old_pictures_are_drawn(drawn: Path) -> None:
    study = study_of(drawn, 3, number=None).folder
    pictures = pictures_in(study)
    curves = set(pictures) - OF_STUDY
    assert set(pictures) >= OF_STUDY
    assert len(curves) == 2, "of the trials that kept their weights"
    assert all(np.ptp(matplotlib.image.imread(study / name)) > 0 for name in pictures)

    study_of(drawn, 3)
    assert pictures_in(study) == pictures, "nothing was left to draw"

    lost = curves.pop()
    (study / lost).unlink()
    study_of(drawn, 3)
    assert {name for name, when in pictures_in(study).items() if when != pictures[name]} == {lost}

    study_of(drawn, 4)
    later = pictures_in(study)
    assert all(later[name] > pictures[name] for name in OF_STUDY)


@pytest.mark.slow
def test_several_processes_draw_the_pictures_of_one(drawn: Path) -> None:
    studies = [study_of(drawn, 4, jobs=jobs, number=None).folder for jobs in (1, 2)]
    assert set(pictures_in(studies[0])) > OF_STUDY
    assert len(pictures_in(studies[0])) == len(pictures_in(studies[1])) == 4
