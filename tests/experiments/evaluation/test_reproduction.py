"""A run trained again from its files scores the same to the last bit, with the same number of threads."""

from pathlib import Path

import numpy as np
import pytest
import torch

from src.experiments.evaluation import reproduction
from src.experiments.evaluation.evaluate import HeldOut, evaluate_run
from src.experiments.runs.names import RunName
from src.experiments.training.trained import Trained
from src.models import classifier_class
from src.utils.files import read_json, write_json
from tests.experiments.evaluation.conftest import LR, MLP, RUNS, SVM, edit_json, exact, repeat

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
    pytest.mark.usefixtures("one_thread", "no_pictures"),
]


@pytest.mark.parametrize("number", range(len(RUNS)), ids=list(RUNS))
def test_every_classifier_is_reproduced_bit_for_bit(number: int, finished: Path) -> None:
    run = finished / "runs" / f"run{number}"
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    found = repeat(finished, f"run{number}")
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


def test_an_early_stop_comes_at_the_same_epoch(finished: Path) -> None:
    n_epochs = len(np.load(finished / "runs" / f"run{MLP}" / "val_losses.npy"))
    assert n_epochs < RUNS["mlp"]["epochs"], "it was not stopped early"
    folder = repeat(finished, f"run{MLP}").folder
    assert len(np.load(folder / "val_losses.npy")) == n_epochs


def test_a_pruned_trial_is_stopped_at_the_same_epoch(finished: Path) -> None:
    run = finished / "runs" / "mlp_study0" / "run6"
    n_epochs = len(np.load(run / "val_losses.npy"))
    assert read_json(run / "metrics.json")["pruned"] is True
    assert n_epochs < 12
    found = repeat(finished, "mlp_study0/run6")
    assert exact(found) == {"validation metrics": True, "validation losses": True}
    assert len(np.load(found.folder / "val_losses.npy")) == n_epochs
    assert (found.folder / "metrics.json").read_bytes() == (run / "metrics.json").read_bytes()


def test_a_trial_whose_weights_were_dropped_is_compared_by_its_metrics_and_losses(finished: Path) -> None:
    study = finished / "runs" / "mlp_study0"
    best = read_json(study / "best_hyperparameters.json")["best_trial_number"]
    dropped = next(number for number in range(6) if number != best)
    assert not any((study / f"run{dropped}" / name).exists() for name in classifier_class("mlp").files)
    found = repeat(finished, f"mlp_study0/run{dropped}")
    assert exact(found) == {"validation metrics": True, "validation losses": True}
    metrics = read_json(found.folder / "metrics.json")
    assert metrics == read_json(study / f"run{dropped}" / "metrics.json")
    write_json(study / f"run{dropped}" / "metrics.json", {**metrics, "cllr": metrics["cllr"] + 1e-15})
    found = repeat(finished, f"mlp_study0/run{dropped}")
    assert exact(found) == {"validation metrics": False, "validation losses": True}


def test_a_study_alone_stands_for_its_best(finished: Path) -> None:
    study = finished / "runs" / "mlp_study0"
    best = read_json(study / "best_hyperparameters.json")["best_trial_number"]
    found = repeat(finished, "mlp_study0")
    assert found.folder == study / f"run{best}" / "reproduction"
    assert exact(found) == {"validation scores": True, "validation losses": True}


def test_reproducing_again_starts_from_an_empty_folder(finished: Path) -> None:
    (repeat(finished, f"run{LR}").folder / "left.txt").touch()
    found = repeat(finished, f"run{LR}")
    assert found.is_exact
    assert not (found.folder / "left.txt").exists()


def test_a_run_from_before_calibration_is_compared_by_its_raw_scores(finished: Path) -> None:
    (finished / "runs" / f"run{SVM}" / "calibration.json").unlink()
    evaluate_run(RunName(None, SVM), HeldOut(finished / "datasets" / "corpus"), root=finished)
    found = repeat(finished, f"run{SVM}")
    assert exact(found)["test scores"]
    assert found.is_exact


def test_the_threads_are_those_of_the_run(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    train = reproduction.train_run
    monkeypatch.setattr(
        reproduction, "train_run", lambda *given, **more: seen.append(torch.get_num_threads()) or train(*given, **more)
    )
    path = finished / "runs" / f"run{LR}" / "provenance.json"
    assert read_json(path)["machine"]["threads"] == 1
    edit_json(path, lambda origin: origin["machine"].update(threads=2))
    repeat(finished, f"run{LR}")
    edit_json(path, lambda origin: origin["machine"].pop("threads"))  # as earlier versions wrote it
    repeat(finished, f"run{LR}")
    assert seen == [2, 1]
    assert torch.get_num_threads() == 1


def test_the_threads_of_the_scores_are_those_of_the_test(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study's workers train with one thread each; a test then scores with all."""
    seen: list[tuple[int, int]] = []
    scores_of = Trained.scores
    monkeypatch.setattr(
        Trained,
        "scores",
        lambda run, table: seen.append((len(table), torch.get_num_threads())) or scores_of(run, table),
    )
    run = finished / "runs" / f"run{MLP}"
    edit_json(run / "test_provenance.json", lambda origin: origin["machine"].update(threads=2))
    repeat(finished, f"run{MLP}")
    n_tested = len((run / "scores.csv").read_text().splitlines()) - 1
    assert [threads for _, threads in seen] == [1, 1, 2]
    assert seen[-1][0] == n_tested
    assert torch.get_num_threads() == 1
