"""Every layer is judged once, as a training on it alone would judge it, and a killed comparison resumes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from src.experiments.training import layers
from src.experiments.training.layers import LayerComparison, compare_layers
from src.metrics.bootstrap import Resamplings
from src.utils.files import read_json, write_json
from src.utils.paths import embeddings_folder
from tests.experiments.training.trainings import recipe_in, train

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is"),  # of layers that hardly separate the classes
    pytest.mark.usefixtures("one_thread"),
]
BEST = 1
"""The layer whose classes lie furthest apart in `conftest.SEPARATIONS`."""


@pytest.fixture(autouse=True)
def _empty_pictures(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Write empty files for pictures that no test reads."""
    monkeypatch.setattr("src.experiments.training.trainer.save_figure", lambda path, _: path.touch())
    if "picture" not in request.node.name:
        monkeypatch.setattr(layers, "save_figure", lambda path, _: path.touch())


def compared(root: Path, classifier: str = "svm", **options: Any) -> LayerComparison:
    return compare_layers(recipe_in(root, classifier, **options), root=root)


def test_every_layer_once_and_the_best_is_the_one_made_to_be(drawn: Path) -> None:
    found = compared(drawn)
    assert found.folder == drawn / "runs" / "layers0"
    assert found.table.columns.tolist() == ["layer", "eer", "low", "high"]
    assert found.table["layer"].tolist() == [0, 1, 2]
    assert found.table["eer"].idxmin() == BEST
    assert (found.table["low"] <= found.table["eer"]).all()
    assert (found.table["eer"] <= found.table["high"]).all()
    assert (found.table["low"] < found.table["high"]).all()
    pd.testing.assert_frame_equal(pd.read_csv(found.folder / "layers.csv"), found.table)
    lines = str(found).splitlines()
    assert len(lines) == 1 + 3 + 1
    assert [line.split()[0] for line in lines[1:4]] == ["0", "1", "2"]
    assert f"{found.table['eer'][BEST]:.2%} at layer {BEST}" in lines[-1]
    assert lines[-1].endswith("layers0/eer_by_layer.png")


def test_the_folder_says_what_was_compared_and_from_what(drawn: Path) -> None:
    folder = compared(drawn, "lr", seed=11).folder
    inputs = read_json(folder / "layers.json")
    assert inputs["layers"] == [0, 1, 2]
    assert (inputs["classifier"], inputs["pooling"], inputs["seed"], inputs["C"]) == ("lr", "mean", 11, 0.1)
    assert (inputs["corpus"], inputs["backbone"], inputs["judged_on"]) == ("corpus", "hubert", "downstream_val")
    origin = read_json(folder / "provenance.json")
    assert set(origin["data"]) == {"corpus", "embeddings", "people"}
    assert set(origin["data"]["embeddings"]) == set(origin["data"]["people"]) == {"downstream_train", "downstream_val"}
    assert {path.name for path in folder.iterdir()} - {".lock"} == {
        "layers.json",
        "layers.csv",
        "provenance.json",
        "eer_by_layer.png",
    }


def test_the_picture_is_drawn(drawn: Path) -> None:
    assert np.ptp(matplotlib.image.imread(compared(drawn).folder / "eer_by_layer.png")) > 0


@pytest.mark.parametrize(("classifier", "own"), [("svm", {"C": 3.0}), ("mlp", {"epochs": 4})])
def test_a_layers_eer_is_that_of_a_training_on_it_alone(classifier: str, own: dict, drawn: Path) -> None:
    """And pooling and hyperparameters come from the file, but not its layer."""
    write_json(drawn / "h.json", {**own, "layer": 0, "pooling": "mean+std"})
    table = compared(drawn, classifier, hyperparameters=drawn / "h.json").table
    for layer, eer in zip(table["layer"], table["eer"], strict=True):
        run = train(drawn, classifier, layer=int(layer), hyperparameters=drawn / "h.json")
        assert run.metrics["eer"] == eer
    assert len(set(table["eer"])) > 1


def test_a_flag_goes_before_the_files_pooling(drawn: Path) -> None:
    write_json(drawn / "h.json", {"pooling": "mean+std"})
    assert read_json(compared(drawn, pooling="std").folder / "layers.json")["pooling"] == "std"
    both = compared(drawn, pooling="std", hyperparameters=drawn / "h.json")
    assert read_json(both.folder / "layers.json")["pooling"] == "std"


def test_all_layers_are_resampled_by_the_same_people(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Resamplings] = []
    resample = layers.resample_eer
    monkeypatch.setattr(
        layers, "resample_eer", lambda scores, drawn_people: seen.append(drawn_people) or resample(scores, drawn_people)
    )
    compared(drawn)
    assert len(seen) == 3
    for each in seen[1:]:
        np.testing.assert_array_equal(each.weights_of_people, seen[0].weights_of_people)
    assert seen[0].weights_of_people.shape[0] == 1000


def test_a_seed_repeats_the_table(drawn: Path) -> None:
    write_json(drawn / "h.json", {"epochs": 3})
    one, same = (compared(drawn, "mlp", hyperparameters=drawn / "h.json").table for _ in range(2))
    pd.testing.assert_frame_equal(one, same, check_exact=True)


# ---- killed


def after(n_calls: int, function: Callable) -> Callable:
    """Return a function that raises after so many calls."""
    calls = []

    def fatal(*arguments: Any, **options: Any) -> Any:
        if len(calls) == n_calls:
            raise KeyboardInterrupt
        calls.append(arguments)
        return function(*arguments, **options)

    return fatal


@pytest.mark.parametrize(
    ("name", "n_calls", "n_kept"),
    [
        ("_judge", 0, 0),
        ("_judge", 1, 1),
        ("_judge", 2, 2),
        ("write_table", 1, 1),
        ("describe_origin", 0, 3),
        ("_draw", 0, 3),
    ],
)
def test_an_interrupted_comparison_resumes_where_it_stopped(
    name: str, n_calls: int, n_kept: int, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = (compared(drawn).folder / "layers.csv").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(layers, name, after(n_calls, getattr(layers, name)))
        with pytest.raises(KeyboardInterrupt):
            compared(drawn)
    table = drawn / "runs" / "layers1" / "layers.csv"
    kept = table.read_bytes() if table.is_file() else b""
    assert undisturbed.startswith(kept)
    assert kept.count(b"\n") == (n_kept + 1 if n_kept else 0)

    judged: list[Any] = []
    judge = layers._judge
    monkeypatch.setattr(layers, "_judge", lambda *given: judged.append(given) or judge(*given))
    assert compared(drawn).folder == drawn / "runs" / "layers1"
    assert len(judged) == 3 - n_kept, "a finished layer was trained again"
    assert table.read_bytes() == undisturbed
    assert (drawn / "runs" / "layers1" / "eer_by_layer.png").is_file()
    assert compared(drawn).folder.name == "layers2", "a finished comparison is not touched again"


def test_a_comparison_under_way_is_left_to_its_process(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals: list[str] = []
    judge = layers._judge

    def meanwhile(*given: Any) -> Any:
        if not refusals:
            with pytest.raises(ValueError, match="layers0") as info:
                compared(drawn)
            refusals.append(str(info.value))
        return judge(*given)

    monkeypatch.setattr(layers, "_judge", meanwhile)
    assert len(compared(drawn).table) == 3
    assert refusals


def test_one_of_other_inputs_is_not_resumed(
    drawn: Path, monkeypatch: pytest.MonkeyPatch, renew_stores: Callable[..., None]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(layers, "_judge", after(1, layers._judge))
        with pytest.raises(KeyboardInterrupt):
            compared(drawn)
    write_json(drawn / "h.json", {"C": 3.0})
    for options in ({"seed": 8}, {"pooling": "std"}, {"hyperparameters": drawn / "h.json"}):
        assert compared(drawn, **options).folder.name != "layers0"
    assert compared(drawn, "lr").folder.name == "layers4"
    renew_stores(drawn, model="another")
    assert compared(drawn).folder.name == "layers5"
    with monkeypatch.context() as patch:
        patch.setattr(layers, "_judge", after(1, layers._judge))
        with pytest.raises(KeyboardInterrupt):
            compared(drawn)
    renew_stores(drawn, model="another")
    for number, key in ((7, "precision"), (8, "corpus_digest")):
        for split in ("downstream_train", "downstream_val"):
            meta = embeddings_folder(drawn, drawn / "datasets" / "corpus", "hubert", split) / "meta.json"
            write_json(meta, {**read_json(meta), key: "other"})
        assert compared(drawn).folder.name == f"layers{number}", key
    assert not (drawn / "runs" / "layers0" / "eer_by_layer.png").exists()


# ---- refused


def test_stores_of_other_layers_are_refused_before_a_folder_is_made(drawn: Path) -> None:
    """The last layer of one is not the last of the other: it would be trained on one and judged on another."""
    meta = embeddings_folder(drawn, drawn / "datasets" / "corpus", "hubert", "downstream_val") / "meta.json"
    write_json(meta, {**read_json(meta), "layers": [0, 1]})
    line = "downstream_train hold the layers 0-2, those of downstream_val 0-1: make both with the same `layers`"
    with pytest.raises(ValueError, match=line):
        compared(drawn)
    with pytest.raises(ValueError, match=line):
        train(drawn)
    assert not (drawn / "runs").exists()
