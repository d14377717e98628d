"""A study is resumed with exactly what it searches, and with nothing else; a bad search leaves no folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

from src.experiments.runs.names import existing_numbers
from src.experiments.studies import tuner
from src.experiments.studies.search import Wish
from src.experiments.studies.tuner import Effort, optimize_hyperparameters
from src.models.mlp.mlp_model import MlpConfig
from tests.experiments.studies.studies import search_in, told

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),  # of trials no better than chance
    pytest.mark.usefixtures("one_thread"),
]


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuner, "draw_pictures", lambda *_: None)


def test_reuse_resumes_the_same_search_only(drawn: Path, renew_stores: Callable[..., None]) -> None:
    def reuse(**options: Any) -> tuple[str, int, int]:
        study = optimize_hyperparameters(search_in(drawn, **options), Effort(2), root=drawn, wish=Wish(reuse=True))
        return study.folder.name, study.n_trials, study.n_new

    assert reuse() == ("svm_study0", 2, 2)
    assert reuse() == ("svm_study0", 2, 0)
    others: list[dict[str, Any]] = [{"layer": 1}, {"pooling": "mean"}, {"seed": 8}]
    for number, other in enumerate(others, start=1):
        assert reuse(**other) == (f"svm_study{number}", 2, 2)
        assert reuse(**other) == (f"svm_study{number}", 2, 0)
    renew_stores(drawn, model="another")
    assert reuse() == ("svm_study4", 2, 2)
    again = optimize_hyperparameters(search_in(drawn), Effort(1), root=drawn)
    assert again.folder.name == "svm_study5", "without reuse a study is new"


OTHER_FLAGS = [
    ({"seed": 8}, "svm_study0 searches seed 7, not 8: resume it with its own flags, or start a new study"),
    ({"layer": 1}, "svm_study0 searches layer None, not 1:"),
    ({"pooling": "mean"}, "svm_study0 searches pooling None, not mean:"),
]


@pytest.mark.parametrize(("flags", "line"), OTHER_FLAGS)
def test_a_study_is_not_resumed_with_other_flags(flags: dict[str, Any], line: str, drawn: Path) -> None:
    study = optimize_hyperparameters(search_in(drawn), Effort(1), root=drawn)
    before = told(study)
    with pytest.raises(ValueError, match=line) as error:
        optimize_hyperparameters(search_in(drawn, **flags), Effort(2), root=drawn, wish=Wish(0))
    assert "\n" not in str(error.value)
    assert told(study) == before


def test_a_study_is_not_resumed_after_re_splitting(drawn: Path, renew_stores: Callable[..., None]) -> None:
    from src.experiments.corpus.splits import SplitShares, split_dataset

    optimize_hyperparameters(search_in(drawn), Effort(1), root=drawn)
    split_dataset(drawn / "datasets" / "corpus", SplitShares(pretext=0, train=0.5, val=0.25), seed=99)
    with pytest.raises(ValueError, match="was changed after its embeddings were made: run fab GenerateEmbeddings"):
        optimize_hyperparameters(search_in(drawn), Effort(2), root=drawn, wish=Wish(0))
    renew_stores(drawn)
    with pytest.raises(ValueError, match="svm_study0 searches other embeddings: resume it with its own flags"):
        optimize_hyperparameters(search_in(drawn), Effort(2), root=drawn, wish=Wish(0))
    assert existing_numbers(drawn / "runs" / "svm_study0", "run") == [0]


BAD_SEARCHES = [
    ({"classifier": "cnn"}, {}, ValueError, "Unknown classifier 'cnn'; allowed: mlp, svm, rf, lr"),
    ({}, {"trials": -1}, ValueError, "`trials` must be 1 or more, not -1"),
    ({}, {"trials": 0}, ValueError, "`trials` must be 1 or more, not 0"),
    ({"pooling": "max"}, {}, ValueError, "Unknown pooling 'max'"),
    ({"layer": 3}, {}, ValueError, "There is no layer 3"),
    ({}, {"number": 4}, FileNotFoundError, "no study 4 of svm; there are no studies yet"),
]


@pytest.mark.parametrize(("search", "options", "kind", "line"), BAD_SEARCHES)
def test_a_bad_search_is_refused_before_a_folder_is_made(
    search: dict[str, Any], options: dict[str, Any], kind: type[Exception], line: str, drawn: Path
) -> None:
    with pytest.raises(kind, match=line):
        effort = Effort(options.get("trials"), jobs=1)
        optimize_hyperparameters(search_in(drawn, **search), effort, root=drawn, wish=Wish(options.get("number")))
    assert not (drawn / "runs").exists()


def test_a_study_of_a_version_that_searched_other_values_is_not_resumed(
    drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def earlier(trial: optuna.Trial, n_clips: int = 0) -> MlpConfig:
        return MlpConfig(hidden_size=trial.suggest_categorical("hidden_size", (256, 512)), epochs=1)

    search = search_in(drawn, "mlp", layer=1, pooling="mean")
    with monkeypatch.context() as patch:
        patch.setattr(MlpConfig, "search_space", earlier)
        optimize_hyperparameters(search, Effort(1), root=drawn)
    with pytest.raises(ValueError, match=r"mlp_study0 .*version"):
        optimize_hyperparameters(search, Effort(2), root=drawn, wish=Wish(0))


def test_a_folder_that_is_no_study_is_not_resumed(drawn: Path) -> None:
    (drawn / "runs" / "svm_study0").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"svm_study0 has no study\.json"):
        optimize_hyperparameters(search_in(drawn), Effort(1), root=drawn, wish=Wish(0))
    assert (
        optimize_hyperparameters(search_in(drawn), Effort(1), root=drawn, wish=Wish(reuse=True)).folder.name
        == "svm_study1"
    )
