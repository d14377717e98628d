"""All layers of a store as an input: read, mixed by the MLP, drawn, repeated, searched, and refused by the others."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest

from src.experiments.evaluation.evaluate import evaluate_run
from src.experiments.evaluation.reproduction import reproduce_run
from src.experiments.inputs import open_embeddings
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.report.pages import report_runs
from src.experiments.studies.search import Search, Wish
from src.experiments.studies.tuner import Effort, optimize_hyperparameters
from src.experiments.training.layers import compare_layers
from src.experiments.training.recipe import Recipe, choose_recipe
from src.experiments.training.trainer import train_model
from src.models.mlp import mlp_model
from src.models.mlp.mlp_model import MlpConfig
from src.utils.files import read_json, write_json
from tests.drawn_project import DIMENSION, draw_statistics

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
    pytest.mark.usefixtures("one_thread"),
]


def recipe_of(root: Path, layer: int | str | None = "mix", classifier: str = "mlp") -> Recipe:
    file = root / "h.json"
    write_json(file, {"epochs": 4} if classifier == "mlp" else {})
    return choose_recipe(root / "datasets" / "corpus", Embeddings("hubert", layer), classifier, hyperparameters=file)


@pytest.mark.parametrize("pooling", ["mean", "mean+std"])
def test_all_layers_of_every_clip_are_read(drawn: Path, pooling: str) -> None:
    opened = Embeddings("hubert", "mix", pooling).open(drawn / "datasets" / "corpus", drawn)
    table = opened.read("downstream_test")
    assert table.vectors.shape == (len(table), 3, DIMENSION * (2 if "std" in pooling else 1))
    assert table.vectors.dtype == np.float32
    for layer in range(3):
        one = Embeddings("hubert", layer, pooling).open(drawn / "datasets" / "corpus", drawn).read("downstream_test")
        np.testing.assert_array_equal(table.vectors[:, layer], one.vectors)
    np.testing.assert_array_equal(
        table.vectors[0, :, :DIMENSION], draw_statistics(table.files[0])[:, 0].astype(np.float32)
    )
    assert set(opened.read("downstream_test", "F").genders) == {"F"}


@pytest.mark.slow
def test_a_run_is_trained_tested_repeated_and_its_weights_are_drawn(drawn: Path) -> None:
    run = train_model(recipe_of(drawn), root=drawn)
    assert read_json(run.folder / "hyperparameters.json")["layer"] == "mix"
    weights = pd.read_csv(run.folder / "layer_weights.csv")
    assert weights["layer"].tolist() == [0, 1, 2]
    assert weights["weight"].sum() == pytest.approx(1)
    assert (run.folder / "layer_weights.png").stat().st_size > 1000
    assert 0 <= evaluate_run(run.name, root=drawn).metrics["eer"]["value"] < 0.5
    assert reproduce_run(run.name, root=drawn).is_exact
    page = (report_runs(drawn).parent / "run0" / "report.html").read_text()
    assert "Weights of the layers" in page
    assert "mix" in (drawn / "runs" / "index.html").read_text()
    file = run.folder / "hyperparameters.json"
    dataset = drawn / "datasets" / "corpus"
    again = choose_recipe(dataset, Embeddings("hubert", None, None), "mlp", hyperparameters=file)
    assert again.input == Embeddings("hubert", "mix", "mean")


def test_a_run_on_one_layer_has_no_weights_of_layers(drawn: Path) -> None:
    run = train_model(recipe_of(drawn, 1), root=drawn)
    assert not list(run.folder.glob("layer_weights*"))


@pytest.mark.parametrize("classifier", ["svm", "rf", "lr", "gb", "knn"])
def test_classifiers_that_learn_no_mix_refuse_it(drawn_once: Path, classifier: str) -> None:
    dataset = drawn_once / "datasets" / "corpus"
    with pytest.raises(ValueError, match=rf"{classifier} cannot learn a mix of layers \(`layer=mix`\): .*train mlp"):
        choose_recipe(dataset, Embeddings("hubert", "mix"), classifier)
    with pytest.raises(ValueError, match="cannot learn a mix of layers"):
        optimize_hyperparameters(Search(dataset, Embeddings("hubert", "mix"), classifier), root=drawn_once)
    assert not (drawn_once / "runs").exists()


def test_a_test_on_other_layers_is_refused(drawn: Path) -> None:
    run = train_model(recipe_of(drawn), root=drawn)
    meta = drawn / "embeddings" / "corpus" / "hubert" / "downstream_test" / "meta.json"
    write_json(meta, {**read_json(meta), "layers": [0, 1]})
    with pytest.raises(ValueError, match="hold different layers, which a mix needs: make both with the same `layers`"):
        evaluate_run(run.name, root=drawn)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the trials of the MLP short."""
    space = MlpConfig.search_space
    monkeypatch.setattr(MlpConfig, "search_space", lambda *about: replace(space(*about), epochs=3))


def layers_of(study: Path, n: int) -> list[int | str]:
    return [read_json(study / f"run{number}" / "hyperparameters.json")["layer"] for number in range(n)]


@pytest.mark.usefixtures("short")
def test_a_study_may_choose_the_mix_and_resumes_after_it(drawn: Path) -> None:
    search = Search(drawn / "datasets" / "corpus", Embeddings("hubert", None, None), "mlp")
    study = optimize_hyperparameters(search, Effort(6), root=drawn)
    layers = layers_of(study.folder, 6)
    assert "mix" in layers
    assert any(isinstance(layer, int) for layer in layers)
    (study.folder / "journal.log").rename(study.folder / "kept.log")
    report_runs(drawn)  # from the run folders
    (study.folder / "kept.log").rename(study.folder / "journal.log")
    report_runs(drawn)
    assert "layer_mix" in (study.folder / "report.html").read_text()


@pytest.mark.usefixtures("short")
def test_a_study_of_an_earlier_version_is_resumed(drawn: Path, write_old_study: Callable[[Path], Search]) -> None:
    search = write_old_study(drawn)
    study = optimize_hyperparameters(search, Effort(8, jobs=1), root=drawn, wish=Wish(0))
    assert (study.n_trials, study.n_new) == (8, 5)
    assert "mix" not in layers_of(study.folder, 3)
    assert "mix" in layers_of(study.folder, 8)


@pytest.fixture
def write_old_study(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Search]:
    """Return a function that starts a study as before a mix or class weights were searched."""

    def write(root: Path) -> Search:
        search = Search(root / "datasets" / "corpus", Embeddings("hubert", None, None), "mlp")
        with monkeypatch.context() as before:
            before.setattr(mlp_model, "suggest_class_weight", lambda _: "balanced")
            before.setattr(open_embeddings, "MOST_MIXED", 0)
            optimize_hyperparameters(search, Effort(3), root=root)
        assert "layer_mix" not in (root / "runs" / "mlp_study0" / "journal.log").read_text()
        return search

    return write


def test_a_mix_that_is_large_is_tried_on_request_only(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_embeddings, "MOST_MIXED", 0)
    trial = optuna.create_study().ask()
    wanted = Embeddings("hubert", None, None).for_model("mlp")
    assert isinstance(wanted.open(drawn / "datasets" / "corpus", drawn).suggest(trial).layer, int)
    assert "layer_mix" not in trial.params


def test_layers_are_compared_with_their_mix(drawn: Path) -> None:
    found = compare_layers(recipe_of(drawn, -1), root=drawn)
    assert found.mix is not None
    assert found.mix["eer"] == train_model(recipe_of(drawn), root=drawn).metrics["eer"]
    assert str(found).splitlines()[-2].split()[0] == "mix"
    assert found.table["layer"].tolist() == [0, 1, 2]
    assert compare_layers(recipe_of(drawn, -1, "lr"), root=drawn).mix is None
    report_runs(drawn)
