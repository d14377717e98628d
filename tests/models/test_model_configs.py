import dataclasses
import json
import math
from typing import Any

import optuna
import pytest

from src.models import CLASSIFIERS, classifier_class
from src.models.contract import Config, check_range

KINDS = {name: classifier_class(name).Config for name in CLASSIFIERS}
OUT_OF_RANGE = [
    ("mlp", {"hidden_size": 0}), ("mlp", {"n_hidden_layers": -1}), ("mlp", {"n_hidden_layers": 21}),
    ("mlp", {"dropout": -0.1}), ("mlp", {"dropout": 1.0}), ("mlp", {"learning_rate": 0.0}),
    ("mlp", {"weight_decay": -1.0}), ("mlp", {"batch_size": 0}), ("mlp", {"epochs": 0}), ("mlp", {"patience": 0}),
    ("mlp", {"mixup": -0.1}),
    ("svm", {"C": 0.0}), ("svm", {"C": -1}), ("svm", {"gamma": 0.0}), ("svm", {"landmarks": 0}),
    ("rf", {"n_estimators": 0}), ("rf", {"max_depth": -1}), ("rf", {"min_samples_leaf": 0}),
    ("rf", {"max_features": 0.0}), ("rf", {"max_features": 1.01}), ("lr", {"C": 0.0}), ("lr", {"C": -1.0}),
    ("gb", {"n_estimators": 0}), ("gb", {"learning_rate": 0.0}), ("gb", {"max_leaf_nodes": 1}),
    ("gb", {"min_samples_leaf": 0}), ("gb", {"max_features": 1.01}), ("gb", {"l2_regularization": -1.0}),
    ("knn", {"n_neighbors": 0}),
]  # fmt: skip
WRONG_KIND = [
    ("mlp", {"hidden_size": 64.5}), ("mlp", {"hidden_size": "64"}), ("mlp", {"epochs": True}),
    ("mlp", {"dropout": None}), ("mlp", {"learning_rate": [1e-3]}), ("mlp", {"learning_rate": math.nan}),
    ("svm", {"C": "ten"}), ("svm", {"C": math.inf}), ("svm", {"kernel": 3}), ("svm", {"gamma": False}),
    ("rf", {"n_estimators": 100.0}), ("rf", {"max_depth": None}), ("rf", {"max_features": "sqrt"}),
    ("lr", {"C": "ten"}), ("lr", {"scaling": None}), ("gb", {"n_estimators": 9.5}), ("knn", {"n_neighbors": "5"}),
]  # fmt: skip


@pytest.fixture(autouse=True)
def quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.mark.parametrize("name", KINDS)
def test_configs_are_frozen_and_have_defaults_that_pass_their_own_checks(name: str) -> None:
    config = KINDS[name]()
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, dataclasses.fields(config)[0].name, 1)
    assert KINDS[name].from_mapping({}) == config
    assert KINDS[name].from_mapping(json.loads(json.dumps(dataclasses.asdict(config)))) == config


@pytest.mark.parametrize(("name", "values"), OUT_OF_RANGE)
def test_values_out_of_range_are_refused_with_the_range(name: str, values: dict[str, Any]) -> None:
    ((field, value),) = values.items()
    for make in (KINDS[name].from_mapping, lambda given: KINDS[name](**given)):
        with pytest.raises(ValueError, match=rf"Hyperparameter {field} must lie in \[.*\], not {value:g}\."):
            make(values)


@pytest.mark.parametrize(("name", "values"), WRONG_KIND)
def test_values_of_the_wrong_kind_are_refused_with_an_example(name: str, values: dict[str, Any]) -> None:
    ((field, value),) = values.items()
    default = getattr(KINDS[name](), field)
    with pytest.raises(ValueError) as caught:
        KINDS[name].from_mapping(values)
    kind = {bool: "true or false", int: f"a whole number such as {default}", float: f"a number such as {default}"}
    wanted = kind.get(type(default), f"a word such as '{default}'")
    given = str(value).lower() if isinstance(value, bool) else repr(value)
    assert str(caught.value) == f"Hyperparameter {field} must be {wanted}, not {given}."


@pytest.mark.parametrize("name", KINDS)
def test_unknown_names_are_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(ValueError, match="Unknown hyperparameter 'depth'; allowed, with their defaults: ") as caught:
        KINDS[name].from_mapping({"depth": 3})
    allowed = str(caught.value).partition("defaults: ")[2].removesuffix(".").split(", ")
    defaults = {field.name: field.default for field in dataclasses.fields(KINDS[name])}
    shown = {name: str(value).lower() if isinstance(value, bool) else value for name, value in defaults.items()}
    assert allowed == [f"{name}={value}" for name, value in shown.items()]


def test_unknown_kernels_are_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="Unknown kernel 'poly'; allowed: rbf, linear, nystroem"):
        KINDS["svm"].from_mapping({"kernel": "poly"})


@pytest.mark.parametrize("name", ["mlp", "svm", "lr", "knn"])
def test_unknown_scalings_are_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(ValueError, match="Unknown scaling 'whitened'; allowed: standard, unit, none"):
        KINDS[name].from_mapping({"scaling": "whitened"})


@pytest.mark.parametrize("name", KINDS)
def test_class_weights_are_balanced_searched_and_checked(name: str) -> None:
    config = KINDS[name]()
    assert config.class_weight == "balanced", "runs made before it could be chosen do not name it"  # type: ignore[attr-defined]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trial = study.ask()
    KINDS[name].search_space(trial)
    assert list(trial.params)[-1] == "class_weight", "drawn last: the draws before it are what they were"
    assert trial.distributions["class_weight"] == optuna.distributions.CategoricalDistribution(("balanced", "none"))
    with pytest.raises(ValueError, match="Unknown class_weight 'bona-fide'; allowed: balanced, none"):
        KINDS[name].from_mapping({"class_weight": "bona-fide"})


def test_a_whole_number_may_stand_for_a_real_one() -> None:
    assert KINDS["svm"].from_mapping({"C": 3}).C == 3
    assert KINDS["mlp"].from_mapping({"dropout": 0}).dropout == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, 1.1])
def test_a_range_holds_its_ends_and_no_nan(value: float) -> None:
    check_range("share", 0, 0, 1)
    check_range("share", 1, 0, 1)
    with pytest.raises(ValueError, match=r"Hyperparameter share must lie in \[0, 1\], not"):
        check_range("share", value, 0, 1)


@pytest.mark.parametrize("name", KINDS)
def test_whatever_a_trial_draws_is_a_config_that_can_be_written_down_and_read_again(name: str) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = set()
    for _ in range(60):
        trial = study.ask()
        config = KINDS[name].search_space(trial)
        study.tell(trial, 0.0)
        values = dataclasses.asdict(config)
        assert trial.params.items() <= values.items(), "what the trial chose is what is used"
        untouched = values.keys() - trial.params.keys()
        assert {key: values[key] for key in untouched} == {key: getattr(KINDS[name](), key) for key in untouched}
        assert KINDS[name].from_mapping(json.loads(json.dumps(values))) == config
        drawn.add(config)
    assert len(drawn) > 40


CHOICES: list[tuple[str, dict[str, Any]]] = [
    (
        "mlp",
        {"hidden_size": 64, "n_hidden_layers": 3, "dropout": 0.6, "mixup": 0.8, "learning_rate": 3e-4,
         "weight_decay": 0.1, "batch_size": 512, "scaling": "unit", "class_weight": "none"},
    ),
    ("svm", {"C": 1e3, "gamma": 1e-2, "scaling": "unit", "class_weight": "none"}),
    ("lr", {"C": 1e-3, "scaling": "standard", "class_weight": "none"}),
    ("rf", {"n_estimators": 500, "max_depth": 0, "min_samples_leaf": 10, "max_features": 1.0, "class_weight": "none"}),
    (
        "gb",
        {"n_estimators": 400, "learning_rate": 0.4, "max_leaf_nodes": 4, "min_samples_leaf": 40, "max_features": 0.5,
         "l2_regularization": 0.01, "class_weight": "none"},
    ),
    ("knn", {"n_neighbors": 50, "scaling": "none", "class_weight": "balanced"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "values"), CHOICES)
def test_the_search_asks_for_these_and_takes_what_it_is_told(name: str, values: dict[str, Any]) -> None:
    config: Config = KINDS[name].search_space(optuna.trial.FixedTrial(values))
    assert config == KINDS[name](**values)


@pytest.mark.parametrize(("n_clips", "kernel"), [(0, "rbf"), (20_000, "rbf"), (20_001, "nystroem")])
def test_a_study_of_many_clips_tries_no_kernel_of_all_pairs(n_clips: int, kernel: str) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    configs = [KINDS["svm"].search_space(study.ask(), n_clips) for _ in range(20)]
    assert {config.kernel for config in configs} == {kernel}
    assert len({config.landmarks for config in configs}) == (3 if kernel == "nystroem" else 1)


@pytest.mark.parametrize(("n_clips", "largest"), [(0, 1.0), (5_000, 1.0), (5_001, 0.1)])
def test_forests_of_many_clips_are_not_tried_with_many_features(n_clips: int, largest: float) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    shares = [KINDS["rf"].search_space(study.ask(), n_clips).max_features for _ in range(50)]
    assert 0.7 * largest < max(shares) <= largest
    assert min(shares) < 0.02


def test_the_search_tunes_the_batch_size() -> None:
    """Fault 3: batch_size was tuned and never used; `test_mlp` shows that it is used."""
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    KINDS["mlp"].search_space(trial)
    assert "batch_size" in trial.params
    assert not {"epochs", "patience"} & set(trial.params)


@pytest.mark.parametrize(
    ("n_clips", "epochs"), [(0, 40), (1, 40), (3_000, 40), (4_000, 30), (6_000, 20), (10_000, 12), (10**6, 12)]
)
def test_a_trial_sees_as_many_clips_whatever_the_table_within_bounds(n_clips: int, epochs: int) -> None:
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    assert KINDS["mlp"].search_space(trial, n_clips).epochs == epochs


@pytest.mark.parametrize(("n_clips", "smallest", "largest"), [(0, 64, 512), (1_999, 16, 128), (2_000, 64, 512)])
def test_few_clips_are_cut_into_small_batches(n_clips: int, smallest: int, largest: int) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    sizes = [KINDS["mlp"].search_space(study.ask(), n_clips).batch_size for _ in range(30)]
    assert (min(sizes), max(sizes)) == (smallest, largest)
