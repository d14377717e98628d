"""A run folder holds the inputs and the results of its training; its EER is that of the weights in it."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from src.experiments.inputs.embeddings import Embeddings
from src.experiments.runs.folders import find_run
from src.experiments.runs.names import RunName
from src.experiments.training.recipe import HOLD_OUT, OWN_KEYS
from src.experiments.training.trained import read_trained_folder
from src.experiments.training.trainer import Aids
from src.metrics.eer import compute_eer
from src.models import classifier_class
from src.utils.dataset import person_of
from src.utils.files import file_digest, read_json, write_json
from src.utils.paths import embeddings_folder
from tests.experiments.training.trainings import train

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is"),  # of classifiers no better than chance
    pytest.mark.usefixtures("one_thread"),
]
WEIGHTS = {
    "mlp": {"best_model.safetensors", "final_model.safetensors"},
    "svm": {"model.safetensors"},
    "rf": {"model.skops"},
}
ARTEFACTS = {
    "hyperparameters.json",
    "provenance.json",
    "metrics.json",
    "train_losses.npy",
    "val_losses.npy",
    "val_eers.npy",
    "calibration.json",
    "val_scores.csv",
}


CURVES: dict[str, set[str]] = {"mlp": {"loss_plot.png"}, "svm": set(), "rf": set()}
"""A single epoch has no curve to draw."""
ARRAYS = ("train_losses", "val_losses", "val_eers")
QUICK: dict[str, dict[str, int]] = {"mlp": {"epochs": 6}, "svm": {}, "rf": {"n_estimators": 20}}


def val_eer(root: Path, folder: Path) -> float:
    """Load what a run saved and compute its validation EER from scores."""
    trained = read_trained_folder(folder, root)
    table = trained.open(root / "datasets" / trained.inputs["corpus"], root).read("downstream_val")
    return compute_eer(table.labels, trained.model.scores(table.inputs))[0]


@pytest.mark.parametrize("classifier", WEIGHTS)
def test_a_run_folder_holds_everything(classifier: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["fab", "TrainModel", "--seed=11"])
    write_json(project / "h.json", QUICK[classifier])
    run = train(project, classifier, backbone="lfcc", hyperparameters=project / "h.json", seed=11)
    assert run.folder == project / "runs" / "run0" == find_run(project, RunName.parse("run0"))
    assert {path.name for path in run.folder.iterdir()} == ARTEFACTS | WEIGHTS[classifier] | CURVES[classifier]

    inputs = read_json(run.folder / "hyperparameters.json")
    built_in = {field.name: field.default for field in dataclasses.fields(classifier_class(classifier).Config)}
    own = {**built_in, **QUICK[classifier]}
    assert set(inputs) == {*OWN_KEYS, *Embeddings.keys, *own} - {HOLD_OUT}, "results or unknown keys among the inputs"
    assert inputs == json.loads(json.dumps(run.hyperparameters))
    assert {key: inputs[key] for key in own} == own
    assert (inputs["corpus"], inputs["input"], inputs["classifier"]) == ("corpus", "embeddings", classifier)
    assert inputs["backbone"] == "lfcc"
    assert (inputs["layer"], inputs["pooling"], inputs["seed"]) == (0, "mean", 11)

    curves = [np.load(run.folder / f"{name}.npy", allow_pickle=False) for name in ARRAYS]
    assert len({len(curve) for curve in curves}) == 1
    assert all(len(curve) >= 1 and np.isfinite(curve).all() for curve in curves)
    for picture in CURVES[classifier]:
        assert np.ptp(matplotlib.image.imread(run.folder / picture)) > 0, "an empty picture"
    assert (len(curves[0]) > 1) == bool(CURVES[classifier])

    metrics = read_json(run.folder / "metrics.json")
    assert metrics == json.loads(json.dumps(run.metrics))
    assert metrics["split"] == "downstream_val"
    val = pd.read_csv(project / "datasets/corpus/splits/by_file/files-downstream_val.csv")
    assert metrics["n_bonafide"] + metrics["n_spoof"] == len(val)
    assert metrics["eer"] == curves[2][metrics["best_epoch"]] == curves[2].min() == val_eer(project, run.folder)


def test_provenance_names_code_packages_data_people_command_machine_and_time(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["fab", "TrainModel", "--seed=11"])
    dataset = project / "datasets" / "corpus"
    origin = read_json(train(project, backbone="lfcc", seed=11).folder / "provenance.json")
    assert set(origin) == {"code", "python", "packages", "seed", "data", "command", "machine", "started", "ended"}
    assert origin["code"]
    assert {"numpy", "torch", "scikit-learn", "optuna"} <= set(origin["packages"])
    assert (origin["seed"], origin["command"]) == (11, "fab TrainModel --seed=11")
    assert datetime.fromisoformat(origin["started"]) <= datetime.fromisoformat(origin["ended"])
    assert set(origin["data"]) == {"corpus", "embeddings", "people"}
    digest = origin["data"]["embeddings"]["downstream_train"]["corpus_digest"]
    assert origin["data"]["corpus"] == {"path": "datasets/corpus", "digest": digest}
    assert set(origin["data"]["embeddings"]) == set(origin["data"]["people"]) == {"downstream_train", "downstream_val"}
    for split, people in origin["data"]["people"].items():
        clips = pd.read_csv(dataset / "splits" / "by_file" / f"files-{split}.csv")
        assert people == sorted(set(person_of(clips)))
        assert origin["data"]["embeddings"][split] == read_json(
            embeddings_folder(project, dataset, "lfcc", split) / "meta.json"
        )
        assert {"digest", "corpus_digest", "split_digest"} <= set(origin["data"]["embeddings"][split])


@pytest.mark.parametrize("classifier", WEIGHTS)
def test_the_reported_eer_is_that_of_the_saved_weights(classifier: str, drawn: Path) -> None:
    """Fault 4, where EERs are not all zero."""
    write_json(drawn / "h.json", {**QUICK[classifier], "layer": 2, "pooling": "mean+std"})
    run = train(drawn, classifier, hyperparameters=drawn / "h.json")
    assert 0 < run.metrics["eer"] == val_eer(drawn, run.folder) == run.history.best_eer
    assert run.metrics["eer"] == read_json(run.folder / "metrics.json")["eer"]


def test_the_mlp_saves_its_best_epoch_and_its_last_one_apart(drawn: Path, tmp_path: Path) -> None:
    """Fault 4: the EER was the best of any epoch, the weights were those of the best loss."""
    fast = {"epochs": 20, "patience": 20, "learning_rate": 3e-2, "mixup": 0.0, "dropout": 0.0, "layer": 0}
    write_json(tmp_path / "h.json", fast)
    run = train(drawn, "mlp", hyperparameters=tmp_path / "h.json", seed=9)
    history = run.history
    lowest = np.flatnonzero(history.val_eers == history.val_eers.min())
    assert history.best == lowest[np.argmin(history.val_losses[lowest])]
    assert history.val_eers[-1] > history.best_eer, "this data must tell the last epoch from the best"
    assert history.val_eers[np.argmin(history.val_losses)] > history.best_eer, "and the lowest loss from it, too"
    assert val_eer(drawn, run.folder) == history.best_eer

    last = shutil.copytree(run.folder, tmp_path / "last")
    (last / "final_model.safetensors").replace(last / "best_model.safetensors")
    assert val_eer(drawn, last) == history.val_eers[-1]


@pytest.mark.parametrize("classifier", ["mlp", "rf"])
def test_the_same_seed_gives_the_same_run_and_another_one_another(classifier: str, drawn: Path, tmp_path: Path) -> None:
    write_json(tmp_path / "h.json", QUICK[classifier])
    runs = [train(drawn, classifier, hyperparameters=tmp_path / "h.json", seed=seed) for seed in (3, 3, 4)]
    assert [run.folder.name for run in runs] == ["run0", "run1", "run2"]
    table = Embeddings("hubert").open(drawn / "datasets" / "corpus", drawn).read("downstream_test")
    first, again, other = (read_trained_folder(run.folder, drawn).scores(table) for run in runs)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    for name in ("hyperparameters.json", "metrics.json", "val_losses.npy"):
        assert file_digest(runs[0].folder / name) == file_digest(runs[1].folder / name)


def test_layer_and_pooling_reach_the_weights(drawn: Path) -> None:
    last, both = train(drawn), train(drawn, layer=1, pooling="mean+std")
    assert [len(run.model.arrays["mean"]) for run in (last, both)] == [6, 12]  # type: ignore[attr-defined]
    inputs = [read_json(run.folder / "hyperparameters.json") for run in (last, both)]
    assert [(values["layer"], values["pooling"]) for values in inputs] == [(2, "mean"), (1, "mean+std")]


# ---- bad input


@pytest.mark.parametrize("split", ["downstream_train", "downstream_val"])
def test_one_class_is_not_enough(split: str, drawn: Path, renew_stores: Callable[..., None]) -> None:
    path = drawn / "datasets" / "corpus" / "splits" / "by_file" / f"files-{split}.csv"
    clips = pd.read_csv(path, dtype=str, keep_default_na=False)
    clips[clips["label"] == "spoof"].to_csv(path, index=False)
    renew_stores(drawn)
    with pytest.raises(ValueError, match=f"{split} holds only spoof clips; both classes are needed"):
        train(drawn)
    assert not (drawn / "runs").exists()


def test_a_training_that_breaks_off_leaves_no_finished_run(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("src.experiments.training.trainer.save_array", full)
        with pytest.raises(OSError, match="No space"):
            train(drawn)
    with pytest.raises(FileNotFoundError, match="run0 did not finish"):
        find_run(drawn, RunName.parse("run0"))
    assert train(drawn).folder.name == "run1"


def test_splits_of_different_models_are_refused(drawn: Path, renew_stores: Callable[..., None]) -> None:
    kept = drawn / "embeddings" / "corpus" / "hubert" / "downstream_train"
    shutil.move(kept, drawn / "kept")
    renew_stores(drawn, "corpus", model="another")
    shutil.rmtree(kept)
    shutil.move(drawn / "kept", kept)
    with pytest.raises(ValueError, match="are of different models"):
        train(drawn)


def test_recordings_changed_after_extraction_are_refused(project: Path) -> None:
    dataset = project / "datasets" / "corpus"
    clip = next((dataset / "real_voices").rglob("*.flac"))
    clip.write_bytes(clip.read_bytes() + b"\0")
    opened = Embeddings("lfcc").open(dataset, project)
    with pytest.raises(ValueError, match=r"recordings of .* are not those that .* was computed from"):
        opened.check("downstream_train", "downstream_val", "downstream_test")


@pytest.mark.parametrize(
    ("given", "missing", "said"),
    [
        ({"log": "wandb"}, False, "`log` must be tensorboard, or left out, not 'wandb'"),
        ({"log": "tensorboard"}, True, r"pip install -e '\.\[tensorboard\]'"),
        ({"workers": -1}, False, "`workers` must be 0 or more, not -1"),
    ],
)
def test_aids_that_are_not_there_are_refused(
    given: dict[str, Any], missing: bool, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing:
        monkeypatch.setattr("src.experiments.training.trainer.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=said) as refused:
        Aids(**given)
    assert len(str(refused.value).splitlines()) == 1
