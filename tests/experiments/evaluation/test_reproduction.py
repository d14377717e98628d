"""A run trained again from what it left behind scores the same to the last bit, or it is said what is not the same."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
import torch

from src.experiments.corpus.splits import SplitShares, split_dataset
from src.experiments.evaluation import reproduction
from src.experiments.evaluation.evaluate import evaluate_run
from src.experiments.evaluation.reproduction import Agreement, Reproduction, reproduce_run
from src.experiments.runs import provenance
from src.experiments.runs.folders import WEIGHTS
from src.experiments.studies.search import Search
from src.experiments.studies.tuner import Effort, optimize_hyperparameters
from src.experiments.training.trainer import train_model
from src.models.mlp.mlp_model import MlpConfig
from src.utils.embeddings import layer_file
from src.utils.files import read_json, write_json
from src.utils.paths import embeddings_folder

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
    pytest.mark.usefixtures("one_thread"),
]
RUNS: dict[str, dict[str, Any]] = {
    "svm": {},
    "rf": {"n_estimators": 20},
    "lr": {"C": 3.0},
    "mlp": {"epochs": 40, "patience": 2, "learning_rate": 0.01},
}
"""Run k is the k-th of these, on layer 1; the first and the last were tested."""
SVM, RF, LR, MLP = range(4)


@pytest.fixture(scope="module", autouse=True)
def _no_pictures() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        for place in ("training.trainer", "evaluation.evaluate"):
            patch.setattr(f"src.experiments.{place}.save_figure", lambda *_: None)
        patch.setattr("src.experiments.studies.tuner.save_pictures", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def trained_once(drawn_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root with `RUNS`, and a study of MLPs whose last trial was without hope; not to be changed."""
    root = Path(shutil.copytree(drawn_once, tmp_path_factory.mktemp("trained") / "root"))
    dataset = root / "datasets" / "corpus"
    for classifier, own in RUNS.items():
        write_json(root / "h.json", own)
        train_model(dataset, "hubert", classifier, root=root, layer=1, hyperparameters=root / "h.json")
    for number in (SVM, MLP):
        evaluate_run(dataset, root=root, run_number=number)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MlpConfig, "search_space", suggest)
        search = Search(dataset, "hubert", "mlp", layer=1, pooling="mean")
        optimize_hyperparameters(search, Effort(7, keep=1), root=root)
    return root


def suggest(trial: optuna.Trial, n_clips: int) -> MlpConfig:
    """Let six trials learn, and a seventh not."""
    config = MlpConfig(hidden_size=16, epochs=12, learning_rate=trial.suggest_float("rate", 0.002, 0.01))
    return config if trial.number < 6 else replace(config, learning_rate=1e-8)


@pytest.fixture
def trained(trained_once: Path, tmp_path: Path) -> Path:
    """Return a copy of that root which a test may change."""
    return Path(shutil.copytree(trained_once, tmp_path / "root"))


def exact(found: Reproduction) -> dict[str, bool]:
    return {agreement.what: agreement.is_exact for agreement in found.agreements}


def edit_json(path: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    content = read_json(path)
    edit(content)
    write_json(path, content)


# ---- bit for bit


@pytest.mark.parametrize("number", range(len(RUNS)), ids=list(RUNS))
def test_every_classifier_comes_out_again_bit_for_bit(number: int, trained: Path) -> None:
    run = trained / "runs" / f"run{number}"
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    found = reproduce_run(root=trained, run_number=number)
    tested = ["test scores"] if number in (SVM, MLP) else []
    assert exact(found) == dict.fromkeys(["validation scores", *tested, "validation losses"], True)
    assert found.is_exact
    assert found.circumstances == []
    assert str(found).splitlines()[-2:] == [
        "Code, versions and machine are the same.",
        f"Reproduced bit for bit. {run / 'reproduction'}",
    ]
    for name in ("metrics.json", "calibration.json", "hyperparameters.json", "train_losses.npy", "val_eers.npy"):
        assert (found.folder / name).read_bytes() == before[name], name
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == before, "the run was touched"
    assert read_json(found.folder / "reproduction.json") == {
        "bit_for_bit": True,
        "exact": exact(found),
        "in_words": [str(agreement) for agreement in found.agreements],
        "not_as_it_was": [],
    }


def test_an_early_stop_comes_at_the_same_epoch(trained: Path) -> None:
    n_epochs = len(np.load(trained / "runs" / f"run{MLP}" / "val_losses.npy"))
    assert n_epochs < RUNS["mlp"]["epochs"], "it was not stopped early"
    folder = reproduce_run(root=trained, run_number=MLP).folder
    assert len(np.load(folder / "val_losses.npy")) == n_epochs


def test_a_trial_without_hope_is_stopped_again_where_it_was(trained: Path) -> None:
    run = trained / "runs" / "mlp_study0" / "run6"
    n_epochs = len(np.load(run / "val_losses.npy"))
    assert read_json(run / "metrics.json")["pruned"] is True
    assert n_epochs < 12
    found = reproduce_run(root=trained, run_number=6, study_number=0, classifier="mlp")
    assert exact(found) == {"validation metrics": True, "validation losses": True}
    assert len(np.load(found.folder / "val_losses.npy")) == n_epochs
    assert (found.folder / "metrics.json").read_bytes() == (run / "metrics.json").read_bytes()


def test_a_trial_whose_weights_were_dropped_is_compared_by_its_metrics_and_losses(trained: Path) -> None:
    study = trained / "runs" / "mlp_study0"
    best = read_json(study / "best_hyperparameters.json")["best_trial_number"]
    dropped = next(number for number in range(6) if number != best)
    assert not any((study / f"run{dropped}" / name).exists() for name in WEIGHTS)
    which = {"run_number": dropped, "study_number": 0, "classifier": "mlp"}
    found = reproduce_run(root=trained, **which)
    assert exact(found) == {"validation metrics": True, "validation losses": True}
    metrics = read_json(found.folder / "metrics.json")
    assert metrics == read_json(study / f"run{dropped}" / "metrics.json")
    write_json(study / f"run{dropped}" / "metrics.json", {**metrics, "cllr": metrics["cllr"] + 1e-15})
    assert exact(reproduce_run(root=trained, **which)) == {"validation metrics": False, "validation losses": True}


def test_a_study_alone_stands_for_its_best(trained: Path) -> None:
    study = trained / "runs" / "mlp_study0"
    best = read_json(study / "best_hyperparameters.json")["best_trial_number"]
    found = reproduce_run(root=trained, study_number=0, classifier="mlp")
    assert found.folder == study / f"run{best}" / "reproduction"
    assert exact(found) == {"validation scores": True, "validation losses": True}


def test_reproducing_again_begins_anew(trained: Path) -> None:
    (reproduce_run(root=trained, run_number=LR).folder / "left.txt").touch()
    found = reproduce_run(root=trained, run_number=LR)
    assert found.is_exact
    assert not (found.folder / "left.txt").exists()


def test_a_run_from_before_calibration_is_compared_by_its_raw_scores(trained: Path) -> None:
    (trained / "runs" / f"run{SVM}" / "calibration.json").unlink()
    evaluate_run(trained / "datasets" / "corpus", root=trained, run_number=SVM)
    found = reproduce_run(root=trained, run_number=SVM)
    assert exact(found)["test scores"]
    assert found.is_exact


def test_the_threads_are_those_of_the_run(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    train = reproduction.train_run
    monkeypatch.setattr(
        reproduction, "train_run", lambda *given, **more: seen.append(torch.get_num_threads()) or train(*given, **more)
    )
    path = trained / "runs" / f"run{LR}" / "provenance.json"
    assert read_json(path)["machine"]["threads"] == 1
    edit_json(path, lambda origin: origin["machine"].update(threads=2))
    reproduce_run(root=trained, run_number=LR)
    edit_json(path, lambda origin: origin["machine"].pop("threads"))  # as earlier versions wrote it
    reproduce_run(root=trained, run_number=LR)
    assert seen == [2, 1]
    assert torch.get_num_threads() == 1


def test_the_threads_of_the_scores_are_those_of_the_test(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study's workers train with one thread each what a test then scores with all."""
    seen: list[tuple[int, int]] = []
    scores_of = reproduction._scores
    monkeypatch.setattr(
        reproduction,
        "_scores",
        lambda run, vectors: seen.append((len(vectors), torch.get_num_threads())) or scores_of(run, vectors),
    )
    run = trained / "runs" / f"run{MLP}"
    edit_json(run / "test_provenance.json", lambda origin: origin["machine"].update(threads=2))
    reproduce_run(root=trained, run_number=MLP)
    n_tested = len((run / "scores.csv").read_text().splitlines()) - 1
    assert [threads for _, threads in seen] == [1, 1, 2]
    assert seen[-1][0] == n_tested
    assert torch.get_num_threads() == 1


# ---- not the same


def test_changed_test_scores_are_found_to_differ(trained: Path) -> None:
    path = trained / "runs" / f"run{SVM}" / "scores.csv"
    scores = pd.read_csv(path, keep_default_na=False)
    scores.loc[3, "score"] = np.nextafter(scores.loc[3, "score"], 100)
    scores.to_csv(path, index=False)
    found = reproduce_run(root=trained, run_number=SVM)
    assert exact(found) == {"validation scores": True, "test scores": False, "validation losses": True}
    assert str(found).splitlines()[-1].startswith("Not reproduced bit for bit.")
    assert read_json(found.folder / "reproduction.json")["bit_for_bit"] is False

    scores["score"] = -scores["score"]
    scores.to_csv(path, index=False)
    (test,) = [each for each in reproduce_run(root=trained, run_number=SVM).agreements if each.what == "test scores"]
    assert test.largest_difference == pytest.approx(2 * scores["score"].abs().max())
    assert test.eers is not None
    assert test.eers[0] > 0.5 > test.eers[1]
    assert f"EER {test.eers[0]:.2%} before, {test.eers[1]:.2%} now" in str(test)


def test_weights_of_another_training_are_found_to_differ(trained: Path) -> None:
    write_json(trained / "h.json", {**RUNS["mlp"], "hidden_size": 256})
    args = (trained / "datasets" / "corpus", "hubert", "mlp")
    other = train_model(*args, root=trained, layer=1, hyperparameters=trained / "h.json", seed=8).folder
    for name in ("best_model.safetensors", "val_losses.npy"):
        shutil.copy(other / name, trained / "runs" / f"run{MLP}" / name)
    found = reproduce_run(root=trained, run_number=MLP)
    assert exact(found) == {"validation scores": False, "test scores": True, "validation losses": False}


def test_words_of_what_differs() -> None:
    assert str(Agreement("scores", 5, 0.0, (0.1, 0.1))) == "scores: 5 of 5 agree to the last bit"
    line = "scores: up to 0.00123 apart, of 5; EER 10.00% before, 12.00% now"
    assert str(Agreement("scores", 5, 0.001234, (0.1, 0.12))) == line
    assert str(Agreement("losses", 5, 0.5)) == "losses: up to 0.5 apart, of 5"
    assert str(Agreement("losses", 5, float("inf"))) == "losses: 5 before, another number now"


def test_other_versions_code_and_machines_are_named(trained: Path) -> None:
    def older(origin: dict[str, Any]) -> None:
        origin.update(code="0123abc", python="3.4.0")
        origin["packages"].update(numpy="1.0", ancient="0.1")
        del origin["packages"]["scipy"]
        origin["machine"].update(gpu="Voodoo", cores=4096)

    edit_json(trained / "runs" / f"run{LR}" / "provenance.json", older)
    found = reproduce_run(root=trained, run_number=LR)
    now = read_json(found.folder / "provenance.json")
    assert found.circumstances == [
        f"code 0123abc, now {now['code']}",
        f"Python 3.4.0, now {now['python']}",
        "ancient 0.1, now none",
        f"numpy 1.0, now {now['packages']['numpy']}",
        f"scipy none, now {now['packages']['scipy']}",
        f"gpu Voodoo, now {now['machine']['gpu'] or 'none'}",
    ]
    assert found.is_exact
    assert f"Not as it was: numpy 1.0, now {now['packages']['numpy']}" in str(found)
    assert "the same" not in str(found)


# ---- refused


def refused(root: Path, number: int, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        reproduce_run(root=root, run_number=number)
    assert not list((root / "runs").rglob("reproduction")), "something was trained or removed"


def test_other_embeddings_are_refused(trained: Path, renew_stores: Callable[..., None]) -> None:
    renew_stores(trained, model="another")
    refused(
        trained, SVM, r"embeddings of downstream_train are not those that .*run0 .*\(other model, digest\): bring back"
    )


def test_another_split_is_refused(trained: Path, renew_stores: Callable[..., None]) -> None:
    split_dataset(trained / "datasets" / "corpus", SplitShares(pretext=0, train=0.5, val=0.25), seed=99)
    refused(trained, SVM, "was changed after its embeddings were made")
    renew_stores(trained)
    refused(trained, SVM, r"embeddings of downstream_train are not those .*other .*split_digest")


def test_another_test_split_is_refused_where_the_run_was_tested(
    trained: Path, renew_stores: Callable[..., None]
) -> None:
    path = trained / "datasets" / "corpus" / "splits" / "by_file" / "files-downstream_test.csv"
    clips = pd.read_csv(path, dtype=str, keep_default_na=False)
    clips[:-1].to_csv(path, index=False)
    renew_stores(trained)
    refused(trained, SVM, r"embeddings of downstream_test are not those .*other .*split_digest")
    assert reproduce_run(root=trained, run_number=LR).is_exact, "which was never tested"


def test_scores_of_other_clips_are_refused(trained: Path) -> None:
    path = trained / "runs" / f"run{SVM}" / "scores.csv"
    pd.read_csv(path, keep_default_na=False)[1:].to_csv(path, index=False)
    refused(trained, SVM, r"scores\.csv is of other clips than downstream_test holds now; test the run again")


def test_damaged_losses_are_named(trained: Path) -> None:
    path = trained / "runs" / f"run{LR}" / "val_losses.npy"
    path.write_text("no array")
    refused(trained, LR, r"val_losses\.npy is damaged: train again")
    path.write_bytes(b"")
    refused(trained, LR, r"val_losses\.npy is damaged: train again")
    path.unlink()
    refused(trained, LR, r"val_losses\.npy is missing: train again")


def test_another_corpus_is_refused_and_the_same_elsewhere_is_not(trained: Path) -> None:
    with pytest.raises(ValueError, match="run0 was trained on the corpus corpus, not release"):
        reproduce_run(root=trained, run_number=SVM, dataset=trained / "datasets" / "release")
    shutil.move(trained / "datasets" / "corpus", trained / "elsewhere" / "corpus")
    assert reproduce_run(root=trained, run_number=SVM, dataset=trained / "elsewhere" / "corpus").is_exact


def test_embeddings_whose_numbers_changed_unnoticed_are_found_by_the_scores(trained: Path) -> None:
    """A store's digests say what it was made from; its bytes are checked by EmbeddingsInfo, and here by the result."""
    path = layer_file(embeddings_folder(trained, Path("corpus"), "hubert", "downstream_train"), 1)
    vectors = np.fromfile(path, "<f4")
    (vectors * 1.5).astype("<f4").tofile(path)
    assert not reproduce_run(root=trained, run_number=SVM).is_exact


def test_which_run_must_be_said(trained_once: Path) -> None:
    with pytest.raises(ValueError, match=r"Which run\? Give --run-number="):
        reproduce_run(root=trained_once)
    with pytest.raises(ValueError, match=r"Whose study\? Give --classifier="):
        reproduce_run(root=trained_once, study_number=0)
    with pytest.raises(FileNotFoundError, match=r"There is no run 9 .*runs there: 0, 1, 2, 3"):
        reproduce_run(root=trained_once, run_number=9)


# ---- what is written of the command


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("--storage=postgresql://ann:secret@host/base", "--storage=postgresql://ann:***@host/base"),
        ("postgresql://ann:secret@host/base", "postgresql://ann:***@host/base"),
        (
            "--storage=postgresql+psycopg://ann@cloud:secret@host/base",
            "--storage=postgresql+psycopg://ann@cloud:***@host/base",
        ),
        ("--storage=postgresql://ann:se:c/r@secret@host/base", "--storage=postgresql://ann:***@host/base"),
        ("--storage=redis://:secret@host", "--storage=redis://:***@host"),
        (
            "--storage=postgresql://host/b?user=ann&password=secret&port=1",
            "'--storage=postgresql://host/b?user=ann&password=***&port=1'",
        ),
        ("--storage=postgresql://ann@host:5432/base", "--storage=postgresql://ann@host:5432/base"),
        ("--dataset=a:b@c", "--dataset=a:b@c"),
    ],
)
def test_passwords_are_never_written(typed: str, written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["fab", "OptimizeHyperparameters", typed])
    origin = provenance.describe_origin(tmp_path, seed=7, data={}, started=provenance.now())
    shown = origin["command"].replace("'", "")
    assert shown == f"fab OptimizeHyperparameters {written}".replace("'", "")
    assert "secret" not in json.dumps(origin)
