"""A study minimises the EER of what its trials saved, repeats itself from its seed, and counts all its trials."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import matplotlib.image
import numpy as np
import optuna
import pytest

from src.experiments.inputs.embeddings import Embeddings
from src.experiments.runs.names import existing_numbers
from src.experiments.studies import tuner
from src.experiments.studies.search import Wish
from src.experiments.studies.tuner import Effort, optimize_hyperparameters
from src.experiments.training.recipe import OWN_KEYS
from src.experiments.training.trained import read_trained_folder
from src.metrics.eer import compute_eer
from src.models import CLASSIFIERS, classifier_class
from src.models.gradient_boosting import GradientBoostingConfig
from src.models.mlp.mlp_model import MlpConfig
from src.models.random_forest.random_forest_model import RandomForestConfig
from src.models.svm import SvmConfig, svm_model
from src.utils.files import read_json
from tests.experiments.studies.studies import search_in, told

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),  # of trials no better than chance
    pytest.mark.usefixtures("one_thread"),
]


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Leave pictures out where nothing looks at them: they are most of a small trial's time."""
    if "pictures" not in request.node.name:
        monkeypatch.setattr(tuner, "draw_pictures", lambda *_: None)


def trials_of(study: Path) -> list[optuna.trial.FrozenTrial]:
    """Read the trials from the journal, as a reviewer would."""
    backend = optuna.storages.journal.JournalFileBackend(str(study / "journal.log"))
    storage = optuna.storages.JournalStorage(backend)
    return optuna.load_study(study_name=None, storage=storage).trials


def scores_of(root: Path, run: Path, split: str = "downstream_val") -> tuple[np.ndarray, np.ndarray]:
    """Return labels and scores of a split by the weights that a run saved."""
    trained = read_trained_folder(run, root)
    table = trained.open(root / "datasets" / "corpus", root).read(split)
    return table.labels, trained.model.scores(table.inputs)


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the trials of MLP and random forest short; what is suggested stays as it is."""
    shortened = ((MlpConfig, "epochs", 3), (RandomForestConfig, "n_estimators", 10))
    for config, name, few in (*shortened, (GradientBoostingConfig, "n_estimators", 10)):
        space = config.search_space
        monkeypatch.setattr(
            config, "search_space", lambda *about, space=space, few={name: few}: replace(space(*about), **few)
        )


def test_the_search_is_told_how_many_clips_there_are(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n_clips = len(Embeddings("hubert").open(drawn / "datasets" / "corpus", drawn).read("downstream_train"))
    for most, kernels in ((n_clips, {"rbf", "linear"}), (n_clips - 1, {"nystroem"})):
        monkeypatch.setattr(svm_model, "MOST_FOR_EXACT_SEARCH", most)
        study = optimize_hyperparameters(search_in(drawn, layer=1), Effort(3), root=drawn)
        assert {trial.user_attrs["hyperparameters"]["kernel"] for trial in trials_of(study.folder)} <= kernels


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_run_m_is_trial_m_and_its_value_the_eer_of_what_it_saved(
    classifier: str, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faults 1 and 2: studies ended in a TypeError, and minimised an EER of predicted labels."""
    quick(monkeypatch)
    study = optimize_hyperparameters(search_in(drawn, classifier, seed=1), Effort(3), root=drawn)
    assert study.folder == drawn / "runs" / f"{classifier}_study0"
    assert (study.n_trials, study.n_new) == (3, 3)
    trials = trials_of(study.folder)
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 3
    assert existing_numbers(study.folder, "run") == [trial.number for trial in trials] == [0, 1, 2]
    assert len({json.dumps(trial.params, sort_keys=True) for trial in trials}) == 3

    shortened = {"n_estimators"} if classifier in ("rf", "gb") else set()
    for trial in trials:
        inputs = read_json(study.folder / f"run{trial.number}" / "hyperparameters.json")
        mixed = trial.params.pop("layer_mix", False)
        assert {"pooling"} | (set() if mixed else {"layer"}) < set(trial.params)
        assert (inputs["layer"] == "mix") == mixed
        assert all(inputs[name] == value for name, value in trial.params.items() if name not in shortened)
        not_searched = {"epochs", "patience", "kernel", "landmarks"}
        assert set(inputs) - {*OWN_KEYS, *Embeddings.keys} - set(trial.params) <= not_searched

    eers = [compute_eer(*scores_of(drawn, study.folder / f"run{number}"))[0] for number in range(3)]
    assert [trial.value for trial in trials] == eers
    assert eers == [read_json(study.folder / f"run{number}" / "metrics.json")["eer"] for number in range(3)]
    assert study.best_trial == eers.index(min(eers))
    assert study.best_eer == min(eers) > 0
    assert read_json(study.folder / "best_hyperparameters.json") == {
        "best_trial_number": study.best_trial,
        "best_validation_eer": study.best_eer,
        "dataset": str(drawn / "datasets" / "corpus"),
        "jobs": 1,
        "best_hyperparameters": read_json(study.folder / f"run{study.best_trial}" / "hyperparameters.json"),
    }


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_a_search_starts_with_the_default_hyperparameters(
    classifier: str, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch)
    study = optimize_hyperparameters(search_in(drawn, classifier), Effort(2), root=drawn)
    first, second = (read_json(study.folder / f"run{number}" / "hyperparameters.json") for number in range(2))
    default = asdict(classifier_class(classifier).Config())
    shortened = {"epochs", "n_estimators"}
    assert {key: first[key] for key in default if key not in shortened} == {
        key: value for key, value in default.items() if key not in shortened
    }
    assert any(second[key] != default[key] for key in set(default) - shortened), "the others are drawn"


def test_the_pictures_show_the_trials(drawn: Path) -> None:
    study = optimize_hyperparameters(search_in(drawn, seed=1), Effort(4), root=drawn)
    assert len({trial.value for trial in trials_of(study.folder)}) > 1
    for name in ("optimization_history.png", "param_importances.png"):
        assert np.ptp(matplotlib.image.imread(study.folder / name)) > 0
    one = optimize_hyperparameters(search_in(drawn, seed=1), Effort(1), root=drawn)
    assert not (one.folder / "param_importances.png").exists(), "one trial shows no importance"


@pytest.mark.slow
def test_one_seed_gives_one_study_and_another_seed_another(drawn: Path) -> None:
    """Past the tenth trial the sampler learns from those before, so twelve are compared."""
    first, again, other = (
        optimize_hyperparameters(search_in(drawn, seed=seed), Effort(trials, jobs=1, keep=trials), root=drawn)
        for seed, trials in ((7, 12), (7, 12), (8, 2))
    )
    assert [study.folder.name for study in (first, again, other)] == ["svm_study0", "svm_study1", "svm_study2"]
    assert told(first) == told(again)
    for number in (0, 11):
        pair = [scores_of(drawn, study.folder / f"run{number}", "downstream_test") for study in (first, again)]
        np.testing.assert_array_equal(pair[0], pair[1])
    assert told(first)[0][1]["C"] == told(other)[0][1]["C"], "both start at the defaults"
    assert told(first)[1][1]["C"] != told(other)[1][1]["C"]


@pytest.mark.slow
def test_trials_counts_all_of_them(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search = search_in(drawn)
    whole = optimize_hyperparameters(search, Effort(5), root=drawn)
    start = optimize_hyperparameters(search, Effort(3), root=drawn)
    resumed = optimize_hyperparameters(search, Effort(5), root=drawn, wish=Wish(1))
    assert start.folder == resumed.folder == drawn / "runs" / "svm_study1"
    assert (start.n_trials, start.n_new) == (3, 3)
    assert (resumed.n_trials, resumed.n_new) == (5, 2)
    assert told(resumed) == told(whole)
    # nothing is left to train
    monkeypatch.setattr(tuner, "train_all", lambda ask, *_, **__: iter([ask()] if ask() else []))
    for trials in (5, 2):
        nothing = optimize_hyperparameters(search, Effort(trials), root=drawn, wish=Wish(1))
        assert (nothing.n_trials, nothing.n_new, nothing.best_eer) == (5, 0, whole.best_eer)
    assert nothing.outcome == f"5 trials, 0 new; best validation EER {whole.best_eer:.2%} in trial {whole.best_trial}"


def test_no_number_of_trials_means_the_default(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = {name: classifier_class(name).Config.trials for name in CLASSIFIERS}
    assert defaults == {"mlp": 100, "svm": 30, "rf": 30, "lr": 30, "gb": 30, "knn": 30}
    monkeypatch.setattr(SvmConfig, "trials", 2)
    assert optimize_hyperparameters(search_in(drawn), root=drawn).n_trials == 2
    assert optimize_hyperparameters(search_in(drawn), Effort(keep=1), root=drawn).n_trials == 2


def test_what_a_flag_fixes_is_not_searched(drawn: Path) -> None:
    fixed = optimize_hyperparameters(search_in(drawn, layer=-1, pooling="std"), Effort(3), root=drawn)
    for trial in trials_of(fixed.folder):
        assert not {"layer", "pooling"} & set(trial.params)
        inputs = read_json(fixed.folder / f"run{trial.number}" / "hyperparameters.json")
        assert (inputs["layer"], inputs["pooling"]) == (2, "std")
    free = optimize_hyperparameters(search_in(drawn), Effort(8, jobs=1), root=drawn)
    trials = trials_of(free.folder)
    assert {trial.params["layer"] for trial in trials} == {0, 1, 2}
    assert {trial.params["pooling"] for trial in trials} == {"mean", "mean+std"}
    assert all(trial.distributions["layer"] == optuna.distributions.IntDistribution(0, 2) for trial in trials)
