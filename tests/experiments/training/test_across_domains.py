"""Leaving out systems prefers the layer that tells unheard systems; validation in domain, the one of fingerprints."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from src.detectors import DETECTORS
from src.experiments.inputs.contract import TrainingData, read_training_data
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.inputs.waveforms import Waveforms
from src.experiments.training.across_domains import WithoutDomain, leave_out_domains, scores_without
from src.experiments.training.layers import compare_layers
from src.experiments.training.recipe import Recipe, choose_recipe
from src.experiments.training.trained import read_trained
from src.experiments.training.trainer import train_model
from src.metrics.calibration import fit_calibration
from src.metrics.eer import eer_of, operating_threshold
from src.models.logistic_regression.logistic_regression_model import LogisticRegression
from src.utils.files import read_json
from tests.detectors.tiny import Tiny, TinyConfig, write_clips
from tests.experiments.domain_project import CORPORA, FINGERPRINTS, GENERAL, SYSTEMS, write_domain_project

pytestmark = pytest.mark.filterwarnings("ignore:The EER", "ignore:EER in domain", "ignore:Only 3")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("domains")
    write_domain_project(root)
    return root


@pytest.fixture
def root(written: Path, tmp_path: Path) -> Path:
    shutil.copytree(written, tmp_path / "project")
    return tmp_path / "project"


def recipe_in(root: Path, layer: int = GENERAL, hold_out: str = "system") -> Recipe:
    recipe = choose_recipe(root / "datasets" / "corpus", Embeddings("hubert", layer), "lr")
    return replace(recipe, hold_out=hold_out)


def data_in(root: Path, layer: int = GENERAL) -> TrainingData:
    return read_training_data(recipe_in(root, layer).input.open(root / "datasets" / "corpus", root))


def test_nothing_of_a_domain_and_nobody_is_on_both_sides(root: Path) -> None:
    data = data_in(root)
    for fold in leave_out_domains(root / "datasets" / "corpus", data, "system").folds:
        assert fold.name not in {*fold.data.train.systems, *fold.data.val.systems}
        assert set(fold.judged.systems) == {"", fold.name}
        assert not set(fold.judged.speakers) & set(fold.data.train.speakers)
        assert sorted(fold.judged.files[fold.judged.labels == 1]) == sorted(data.val.files[data.val.labels == 1])
    corpora = leave_out_domains(root / "datasets" / "corpus", data, "corpus").folds
    assert [fold.name for fold in corpora] == list(CORPORA)
    for fold in corpora:
        parts = (fold.data.train, fold.data.val, fold.judged)
        people = [{int(person[6:8]) % 3 for person in part.speakers} for part in parts]
        assert people[0] == people[1]
        assert people[2] == {0, 1, 2} - people[0]


def test_validation_in_domain_chooses_the_wrong_layer_and_leaving_out_systems_the_right_one(root: Path) -> None:
    in_domain = compare_layers(recipe_in(root, hold_out=""), root=root)
    assert in_domain.table["eer"].idxmin() == FINGERPRINTS
    found = compare_layers(recipe_in(root, hold_out="system,corpus"), root=root)
    assert found.table["eer"].tolist() == in_domain.table["eer"].tolist()
    assert found.table["across_system"].idxmin() == GENERAL
    assert found.table["across_corpus"].idxmin() == FINGERPRINTS  # all corpora have the same systems
    assert (found.table["across_system_low"] < found.table["across_system"]).all()
    said = str(compare_layers(recipe_in(root), root=root))
    assert f"In domain, layer {FINGERPRINTS} would be chosen" in said
    assert f"Lowest EER across systems: {found.table['across_system'].min():.2%} at layer {GENERAL}." in said
    assert read_json(found.folder / "layers.json")["hold_out"] == "system,corpus"


def test_a_domains_eer_is_that_of_a_model_that_never_heard_it(root: Path) -> None:
    run = train_model(recipe_in(root), root=root)
    data, found = data_in(root), pd.read_csv(run.folder / "held_out.csv").set_index("domain")
    labels, scores = [], []
    for system in SYSTEMS:
        heard_train, heard_val = (
            data.train.take(data.train.systems != system),
            data.val.take(data.val.systems != system),
        )
        model = LogisticRegression(recipe_in(root).config)
        model.fit(heard_train, heard_val)
        judged = data.val.take((data.val.labels == 1) | (data.val.systems == system))
        calibration = fit_calibration(heard_val.labels, model.scores(heard_val.vectors))
        labels.append(judged.labels)
        scores.append(calibration.apply(model.scores(judged.vectors)))
        assert found.loc[system, "eer"] == eer_of(labels[-1], scores[-1])
        assert found.loc[system, "clips"] == len(judged)
    assert run.metrics["eer_across_system"]["value"] == pytest.approx(found["eer"].mean())
    assert run.metrics["threshold"] == operating_threshold(np.concatenate(labels), np.concatenate(scores))
    assert {path.name for path in run.folder.iterdir() if path.is_dir()} == set()


def test_the_run_itself_is_trained_on_all_and_says_where_the_two_disagree(root: Path) -> None:
    with pytest.warns(UserWarning, match=r"EER in domain 0.00 %, but .* across systems .* expect the latter"):
        run = train_model(recipe_in(root, FINGERPRINTS), root=root)
    plain = train_model(recipe_in(root, FINGERPRINTS, hold_out=""), root=root)
    val = data_in(root, FINGERPRINTS).val
    of_both = [read_trained(root, made.name).scores(val) for made in (run, plain)]
    np.testing.assert_array_equal(*of_both)
    assert "hold_out" not in read_json(plain.folder / "hyperparameters.json")
    assert read_trained(root, run.name).recipe.hold_out == "system"
    assert run.metrics["accuracy"] == ((of_both[0] >= run.metrics["threshold"]) == (val.labels == 1)).mean()


def test_of_a_training_of_hours_the_scores_alone_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DETECTORS, "tiny", "tests.detectors.tiny:Tiny")
    train, val = write_clips(tmp_path, 12, seed=1), write_clips(tmp_path, 10, seed=2, start=100)
    recipe = Recipe(tmp_path, Waveforms(), "tiny", TinyConfig(epochs=1))
    fold = WithoutDomain("system", "alpha", TrainingData(train, val, {}, {}, "corpus"), val)
    scores = scores_without(recipe, fold, tmp_path / "0")
    assert [path.name for path in (tmp_path / "0").iterdir()] == ["scores.npy"]
    monkeypatch.setattr(Tiny, "fit", lambda *_: pytest.fail("it was trained again"))
    np.testing.assert_array_equal(scores_without(recipe, fold, tmp_path / "0"), scores)


def test_few_domains_and_few_clips_are_told(tmp_path: Path) -> None:
    dataset = write_domain_project(tmp_path)
    data = data_in(tmp_path)
    rare = np.flatnonzero(data.val.systems == "gamma")[3:]
    few = replace(data, val=data.val.take(np.setdiff1d(np.arange(len(data.val)), rare)))
    left_out = leave_out_domains(dataset, few, "system")
    assert [fold.name for fold in left_out.folds] == ["alpha", "beta"]
    assert left_out.notes[0] == (
        "The system gamma is not left out: validation people have 3 spoofed clips to judge by, fewer than 5."
    )
    assert left_out.notes[1].startswith("Only 2 systems were left out to choose by")
    rarer = np.isin(few.val.systems, ["beta", "gamma"])
    with pytest.raises(ValueError, match=r"Fewer than two systems .* can be left out"):
        leave_out_domains(dataset, replace(few, val=few.val.take(~rarer)), "system")


@pytest.mark.parametrize(
    ("columns", "hold_out", "message"),
    [
        ({"corpus": ""}, "corpus", r"does not say which corpus .* comes from"),
        ({}, "speaker", "`hold_out` must be system, corpus or system,corpus, not 'speaker'"),
        ({"corpus": "one"}, "corpus", r"holds one corpus only \(one\)"),
    ],
)
def test_what_cannot_be_left_out_is_refused(
    columns: dict[str, object], hold_out: str, message: str, tmp_path: Path
) -> None:
    write_domain_project(tmp_path, people=12, **columns)
    with pytest.raises(ValueError, match=message):
        train_model(recipe_in(tmp_path, hold_out=hold_out), root=tmp_path)
    assert not (tmp_path / "runs").exists()


def test_spoofs_of_unknown_systems_and_a_table_without_corpora_are_refused(root: Path) -> None:
    data, dataset = data_in(root), root / "datasets" / "corpus"
    unknown = replace(data.train, systems=np.full(len(data.train), ""))
    with pytest.raises(ValueError, match=r"The system of .* spoofs is unknown"):
        leave_out_domains(dataset, replace(data, train=unknown), "system")
    table = pd.read_csv(dataset / "files-metadata.csv", dtype=str, keep_default_na=False)
    table.drop(columns="corpus").to_csv(dataset / "files-metadata.csv", index=False)
    with pytest.raises(ValueError, match=r"This is one corpus: its files-metadata.csv has no column `corpus`"):
        leave_out_domains(dataset, data, "corpus")
