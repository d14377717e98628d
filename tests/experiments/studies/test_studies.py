"""A study minimises the EER of what its trials saved, repeats itself from its seed, and counts all its trials."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import optuna
import pytest

from src.experiments.inputs.embeddings import read_split_embeddings
from src.experiments.runs.folders import existing_numbers
from src.experiments.studies import tuner
from src.experiments.studies.search import Search
from src.experiments.studies.tuner import Effort, StudyResult, optimize_hyperparameters
from src.experiments.training.trainer import CONTEXT, load_run
from src.metrics.eer import compute_eer
from src.models import classifier_class
from src.models.mlp.mlp_model import MlpConfig
from src.models.random_forest.random_forest_model import RandomForestConfig
from src.models.svm import svm_model
from src.utils.files import read_json

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),  # of trials that learnt nothing
    pytest.mark.usefixtures("one_thread"),
]


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Leave pictures out where nothing looks at them: they are most of a small trial's time."""
    monkeypatch.setattr(tuner, "draw_losses", lambda _: None)
    if "pictures" not in request.node.name:
        monkeypatch.setattr(tuner, "save_pictures", lambda *_: None)


def searching(root: Path, classifier: str = "svm", **options: Any) -> Search:
    return Search(root / "datasets" / "corpus", "hubert", classifier, **options)


def trials_of(study: Path) -> list[optuna.trial.FrozenTrial]:
    """Read the trials from the journal, as a reviewer would."""
    backend = optuna.storages.journal.JournalFileBackend(str(study / "journal.log"))
    storage = optuna.storages.JournalStorage(backend)
    return optuna.load_study(study_name=None, storage=storage).trials


def scores_of(root: Path, run: Path, split: str = "downstream_val") -> tuple[np.ndarray, np.ndarray]:
    """Return labels and scores of a split by the weights that a run saved."""
    inputs = read_json(run / "hyperparameters.json")
    dataset = root / "datasets" / "corpus"
    table, _ = read_split_embeddings(root, dataset, "hubert", split, inputs["layer"], inputs["pooling"])
    return table.labels, load_run(run).scores(table.vectors)


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the trials of MLP and random forest short; what is suggested stays as it is."""
    for config, few in ((MlpConfig, {"epochs": 3}), (RandomForestConfig, {"n_estimators": 10})):
        space = config.search_space
        monkeypatch.setattr(config, "search_space", lambda *about, space=space, few=few: replace(space(*about), **few))


def test_the_search_is_told_how_many_clips_there_are(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n_clips = len(read_split_embeddings(drawn, drawn / "datasets" / "corpus", "hubert", "downstream_train")[0])
    for most, kernels in ((n_clips, {"rbf", "linear"}), (n_clips - 1, {"nystroem"})):
        monkeypatch.setattr(svm_model, "MOST_FOR_EXACT_SEARCH", most)
        study = optimize_hyperparameters(searching(drawn, layer=1), Effort(3), root=drawn)
        assert {trial.user_attrs["hyperparameters"]["kernel"] for trial in trials_of(study.folder)} <= kernels


@pytest.mark.parametrize("classifier", ["mlp", "svm", "rf", "lr"])
def test_run_m_is_trial_m_and_its_value_the_eer_of_what_it_saved(
    classifier: str, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faults 1 and 2: studies ended in a TypeError, and minimised an EER of predicted labels."""
    quick(monkeypatch)
    study = optimize_hyperparameters(searching(drawn, classifier, seed=1), Effort(3), root=drawn)
    assert study.folder == drawn / "runs" / f"{classifier}_study0"
    assert (study.n_trials, study.n_new) == (3, 3)
    trials = trials_of(study.folder)
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 3
    assert existing_numbers(study.folder, "run") == [trial.number for trial in trials] == [0, 1, 2]
    assert len({json.dumps(trial.params, sort_keys=True) for trial in trials}) == 3

    shortened = {"n_estimators"} if classifier == "rf" else set()
    for trial in trials:
        inputs = read_json(study.folder / f"run{trial.number}" / "hyperparameters.json")
        assert {"layer", "pooling"} < set(trial.params)
        assert all(inputs[name] == value for name, value in trial.params.items() if name not in shortened)
        not_searched = {"epochs", "patience", "kernel", "landmarks"}
        assert set(inputs) - set(CONTEXT) - set(trial.params) <= not_searched

    eers = [compute_eer(*scores_of(drawn, study.folder / f"run{number}"))[0] for number in range(3)]
    assert [trial.value for trial in trials] == eers
    assert eers == [read_json(study.folder / f"run{number}" / "metrics.json")["eer"] for number in range(3)]
    assert study.best_trial == eers.index(min(eers))
    assert study.best_eer == min(eers) > 0
    assert read_json(study.folder / "best_hyperparameters.json") == {
        "best_trial_number": study.best_trial,
        "best_validation_eer": study.best_eer,
        "best_hyperparameters": read_json(study.folder / f"run{study.best_trial}" / "hyperparameters.json"),
    }


@pytest.mark.parametrize("classifier", ["mlp", "svm", "rf", "lr"])
def test_a_search_begins_with_the_built_in_hyperparameters(
    classifier: str, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch)
    study = optimize_hyperparameters(searching(drawn, classifier), Effort(2), root=drawn)
    first, second = (read_json(study.folder / f"run{number}" / "hyperparameters.json") for number in range(2))
    built_in = asdict(classifier_class(classifier).Config())
    shortened = {"epochs", "n_estimators"}
    assert {key: first[key] for key in built_in if key not in shortened} == {
        key: value for key, value in built_in.items() if key not in shortened
    }
    assert any(second[key] != built_in[key] for key in set(built_in) - shortened), "the others are drawn"


def test_the_pictures_show_the_trials(drawn: Path) -> None:
    study = optimize_hyperparameters(searching(drawn, seed=1), Effort(4), root=drawn)
    assert len({trial.value for trial in trials_of(study.folder)}) > 1
    for name in ("optimization_history.png", "param_importances.png"):
        assert np.ptp(matplotlib.image.imread(study.folder / name)) > 0
    one = optimize_hyperparameters(searching(drawn, seed=1), Effort(1), root=drawn)
    assert not (one.folder / "param_importances.png").exists(), "of one trial nothing can be said"


def told(study: StudyResult) -> list[tuple[int, dict, float | None]]:
    return [(trial.number, trial.params, trial.value) for trial in trials_of(study.folder)]


def test_one_seed_gives_one_study_and_another_seed_another(drawn: Path) -> None:
    """Past the tenth trial the sampler learns from those before, so twelve are compared."""
    first, again, other = (
        optimize_hyperparameters(searching(drawn, seed=seed), Effort(trials, keep=trials), root=drawn)
        for seed, trials in ((7, 12), (7, 12), (8, 2))
    )
    assert [study.folder.name for study in (first, again, other)] == ["svm_study0", "svm_study1", "svm_study2"]
    assert told(first) == told(again)
    for number in (0, 11):
        pair = [scores_of(drawn, study.folder / f"run{number}", "downstream_test") for study in (first, again)]
        np.testing.assert_array_equal(pair[0], pair[1])
    assert told(first)[0][1]["C"] == told(other)[0][1]["C"], "both begin at the built-in values"
    assert told(first)[1][1]["C"] != told(other)[1][1]["C"]


def test_trials_counts_all_of_them(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search = searching(drawn)
    whole = optimize_hyperparameters(search, Effort(5), root=drawn)
    start = optimize_hyperparameters(search, Effort(3), root=drawn)
    goes_on = optimize_hyperparameters(search, Effort(5), root=drawn, study_number=1)
    assert start.folder == goes_on.folder == drawn / "runs" / "svm_study1"
    assert (start.n_trials, start.n_new) == (3, 3)
    assert (goes_on.n_trials, goes_on.n_new) == (5, 2)
    assert told(goes_on) == told(whole)
    monkeypatch.setattr(tuner, "train_all", lambda ask, _: iter([ask()] if ask() else []))  # nothing is left to train
    for trials in (5, 2):
        nothing = optimize_hyperparameters(search, Effort(trials), root=drawn, study_number=1)
        assert (nothing.n_trials, nothing.n_new, nothing.best_eer) == (5, 0, whole.best_eer)
    assert nothing.outcome == f"5 trials, 0 new; best validation EER {whole.best_eer:.2%} in trial {whole.best_trial}"


def test_no_number_of_trials_means_the_default(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tuner.DEFAULT_TRIALS == {"mlp": 100, "svm": 30, "rf": 30, "lr": 30}
    monkeypatch.setitem(tuner.DEFAULT_TRIALS, "svm", 2)
    assert optimize_hyperparameters(searching(drawn), root=drawn).n_trials == 2


def test_what_a_flag_fixes_is_not_searched(drawn: Path) -> None:
    fixed = optimize_hyperparameters(searching(drawn, layer=-1, pooling="std"), Effort(3), root=drawn)
    for trial in trials_of(fixed.folder):
        assert not {"layer", "pooling"} & set(trial.params)
        inputs = read_json(fixed.folder / f"run{trial.number}" / "hyperparameters.json")
        assert (inputs["layer"], inputs["pooling"]) == (2, "std")
    free = optimize_hyperparameters(searching(drawn), Effort(8), root=drawn)
    trials = trials_of(free.folder)
    assert {trial.params["layer"] for trial in trials} == {0, 1, 2}
    assert {trial.params["pooling"] for trial in trials} == {"mean", "mean+std"}
    assert all(trial.distributions["layer"] == optuna.distributions.IntDistribution(0, 2) for trial in trials)


def test_reuse_goes_on_with_the_same_search_only(drawn: Path, renew_stores: Callable[..., None]) -> None:
    def reuse(**options: Any) -> tuple[str, int, int]:
        study = optimize_hyperparameters(searching(drawn, **options), Effort(2), root=drawn, reuse=True)
        return study.folder.name, study.n_trials, study.n_new

    assert reuse() == ("svm_study0", 2, 2)
    assert reuse() == ("svm_study0", 2, 0)
    others: list[dict[str, Any]] = [{"layer": 1}, {"pooling": "mean"}, {"seed": 8}]
    for number, other in enumerate(others, start=1):
        assert reuse(**other) == (f"svm_study{number}", 2, 2)
        assert reuse(**other) == (f"svm_study{number}", 2, 0)
    renew_stores(drawn, model="another")
    assert reuse() == ("svm_study4", 2, 2)
    again = optimize_hyperparameters(searching(drawn), Effort(1), root=drawn)
    assert again.folder.name == "svm_study5", "without reuse a study is new"


OTHER_FLAGS = [
    ({"seed": 8}, "svm_study0 searches seed 7, not 8: resume it with its own flags, or start a new study"),
    ({"layer": 1}, "svm_study0 searches layer None, not 1:"),
    ({"pooling": "mean"}, "svm_study0 searches pooling None, not mean:"),
]


@pytest.mark.parametrize(("flags", "line"), OTHER_FLAGS)
def test_a_study_is_not_gone_on_with_under_other_flags(flags: dict[str, Any], line: str, drawn: Path) -> None:
    study = optimize_hyperparameters(searching(drawn), Effort(1), root=drawn)
    before = told(study)
    with pytest.raises(ValueError, match=line) as error:
        optimize_hyperparameters(searching(drawn, **flags), Effort(2), root=drawn, study_number=0)
    assert "\n" not in str(error.value)
    assert told(study) == before


def test_a_study_is_not_gone_on_with_after_re_splitting(drawn: Path, renew_stores: Callable[..., None]) -> None:
    from src.experiments.corpus.splits import SplitShares, split_dataset

    optimize_hyperparameters(searching(drawn), Effort(1), root=drawn)
    split_dataset(drawn / "datasets" / "corpus", SplitShares(pretext=0, train=0.5, val=0.25), seed=99)
    with pytest.raises(ValueError, match="was changed after its embeddings were made: run fab GenerateEmbeddings"):
        optimize_hyperparameters(searching(drawn), Effort(2), root=drawn, study_number=0)
    renew_stores(drawn)
    with pytest.raises(ValueError, match="svm_study0 searches other embeddings: resume it with its own flags"):
        optimize_hyperparameters(searching(drawn), Effort(2), root=drawn, study_number=0)
    assert existing_numbers(drawn / "runs" / "svm_study0", "run") == [0]


BAD_SEARCHES = [
    ({"classifier": "knn"}, {}, ValueError, "Unknown classifier 'knn'; allowed: mlp, svm, rf, lr"),
    ({}, {"trials": -1}, ValueError, "--trials must be 0"),
    ({"pooling": "max"}, {}, ValueError, "Unknown pooling 'max'"),
    ({"layer": 3}, {}, ValueError, "There is no layer 3"),
    ({}, {"study_number": 4}, FileNotFoundError, "no study 4 of svm; there are no studies yet"),
]


@pytest.mark.parametrize(("search", "options", "kind", "line"), BAD_SEARCHES)
def test_a_bad_search_is_refused_before_a_folder_is_made(
    search: dict[str, Any], options: dict[str, Any], kind: type[Exception], line: str, drawn: Path
) -> None:
    with pytest.raises(kind, match=line):
        optimize_hyperparameters(searching(drawn, **search), Effort(options.pop("trials", 0)), root=drawn, **options)
    assert not (drawn / "runs").exists()


def test_a_study_of_a_version_that_searched_other_values_is_not_gone_on_with(
    drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def earlier(trial: optuna.Trial, n_clips: int = 0) -> MlpConfig:
        return MlpConfig(hidden_size=trial.suggest_categorical("hidden_size", (256, 512)), epochs=1)

    search = searching(drawn, "mlp", layer=1, pooling="mean")
    with monkeypatch.context() as patch:
        patch.setattr(MlpConfig, "search_space", earlier)
        optimize_hyperparameters(search, Effort(1), root=drawn)
    with pytest.raises(ValueError, match=r"mlp_study0 searches as another version did .*: start a new one"):
        optimize_hyperparameters(search, Effort(2), root=drawn, study_number=0)


def test_a_folder_that_is_no_study_is_not_gone_on_with(drawn: Path) -> None:
    (drawn / "runs" / "svm_study0").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"svm_study0 has no study\.json"):
        optimize_hyperparameters(searching(drawn), Effort(1), root=drawn, study_number=0)
    assert optimize_hyperparameters(searching(drawn), Effort(1), root=drawn, reuse=True).folder.name == "svm_study1"
