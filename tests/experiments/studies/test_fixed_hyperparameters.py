"""Hyperparameters that are the same in all trials of a study: the first trial's too, and part of what it searches."""

from pathlib import Path

import optuna
import pytest

from src.detectors.fine_tuned import FineTunedConfig
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.studies.search import Search, UnfitError, Wish, _check_same_search
from src.experiments.studies.tuner import Effort, optimize_hyperparameters
from src.utils.files import read_json, write_json
from tests.experiments.studies.studies import told


def search_in(root: Path, **fixed: object) -> Search:
    return Search(root / "datasets" / "corpus", Embeddings("hubert", None, None), "svm", fixed=fixed)


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("src.experiments.studies.tuner.draw_pictures", lambda *_: None)


def test_they_are_those_of_every_trial_and_are_not_searched(drawn: Path) -> None:
    study = optimize_hyperparameters(search_in(drawn, C=0.5), Effort(3), root=drawn)
    for number in range(3):
        assert read_json(study.folder / f"run{number}" / "hyperparameters.json")["C"] == 0.5
    assert all("C" not in parameters for _, parameters, _ in told(study))
    assert read_json(study.folder / "study.json")["fixed"] == {"C": 0.5}


def test_they_are_part_of_what_a_study_searches(drawn: Path) -> None:
    optimize_hyperparameters(search_in(drawn, C=0.5), Effort(1), root=drawn)
    resumed = optimize_hyperparameters(search_in(drawn, C=0.5), Effort(2), root=drawn, wish=Wish(0))
    assert (resumed.n_trials, resumed.n_new) == (2, 1)
    for other in ({}, {"C": 1.0}):
        with pytest.raises(ValueError, match=r"svm_study0 searches fixed \{'C': 0.5\}, not"):
            optimize_hyperparameters(search_in(drawn, **other), Effort(2), root=drawn, wish=Wish(0))


@pytest.mark.parametrize(("fixed", "word"), [({"D": 1}, "Unknown hyperparameter 'D'"), ({"C": "much"}, "C must be")])
def test_what_cannot_be_fixed_is_refused_before_a_folder_is_made(drawn: Path, fixed: dict, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        optimize_hyperparameters(search_in(drawn, **fixed), Effort(1), root=drawn)
    assert not list((drawn / "runs").glob("svm_study*"))


def test_what_depends_on_them_is_drawn_to_fit() -> None:
    search = Search(Path("corpus"), Embeddings("hubert"), "fine-tuned", fixed={"head": "attentive", "model": "mine"})
    study = optuna.create_study()
    for _ in range(12):
        config = search.draw(study.ask(), 100)
        assert isinstance(config, FineTunedConfig)
        assert (config.head, config.model, config.layer_weights) == ("attentive", "mine", False)
    assert "head" not in search.first()


def test_what_does_not_go_with_them_is_told(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search = Search(Path("corpus"), Embeddings("hubert"), "fine-tuned", fixed={"gradual": 4})
    study = optuna.create_study()
    study.enqueue_trial({"head": "linear", "freeze": "encoder"})
    with pytest.raises(
        UnfitError, match=r"does not go with what is fixed: `gradual` .* `freeze` is encoder.* Fix that"
    ):
        search.draw(study.ask(), 100)

    def refuse(*_: object) -> None:
        raise UnfitError("unfit")

    monkeypatch.setattr(Search, "draw", refuse)
    with pytest.raises(UnfitError, match=r"^unfit$"):  # nothing about another version of the search space
        optimize_hyperparameters(search_in(drawn), Effort(1), root=drawn)


def test_studies_that_do_not_name_their_kind_of_input_are_resumed(tmp_path: Path) -> None:
    wanted = {"corpus": "corpus", "input": "waveforms", "classifier": "lcnn"}
    write_json(tmp_path / "study.json", {"corpus": "corpus", "classifier": "lcnn"})
    _check_same_search(tmp_path, wanted, storage=None)
    write_json(tmp_path / "study.json", {**wanted, "input": "scores"})
    with pytest.raises(ValueError, match="searches input scores"):
        _check_same_search(tmp_path, wanted, storage=None)
    write_json(tmp_path / "study.json", {**wanted, "data": {"downstream_train": {"corpus_digest": "before"}}})
    with pytest.raises(ValueError, match="searches other waveforms"):
        _check_same_search(tmp_path, {**wanted, "data": {}}, storage=None)
