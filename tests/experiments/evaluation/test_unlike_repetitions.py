"""A repetition that differs from its run says in what; one whose data have changed is refused."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from src.experiments.corpus.splits import SplitShares, split_dataset
from src.experiments.evaluation.reproduction import Agreement, reproduce_run
from src.experiments.runs.names import RunName
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trainer import train_model
from src.utils.embeddings import layer_file
from src.utils.files import read_json, write_json
from src.utils.paths import embeddings_folder
from tests.experiments.evaluation.conftest import INPUT, LR, MLP, RUNS, SVM, edit_json, exact, repeat

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
    pytest.mark.usefixtures("one_thread", "no_pictures"),
]


# ---- not the same


def test_changed_test_scores_are_found_to_differ(finished: Path) -> None:
    path = finished / "runs" / f"run{SVM}" / "scores.csv"
    scores = pd.read_csv(path, keep_default_na=False)
    scores.loc[3, "score"] = np.nextafter(scores.loc[3, "score"], 100)
    scores.to_csv(path, index=False)
    found = repeat(finished, f"run{SVM}")
    assert exact(found) == {"validation scores": True, "test scores": False, "validation losses": True}
    assert str(found).splitlines()[-1].startswith("Not reproduced bit for bit.")
    assert read_json(found.folder / "reproduction.json")["bit_for_bit"] is False

    scores["score"] = -scores["score"]
    scores.to_csv(path, index=False)
    (test,) = [each for each in repeat(finished, f"run{SVM}").agreements if each.what == "test scores"]
    assert test.largest_difference == pytest.approx(2 * scores["score"].abs().max())
    assert test.eers is not None
    assert test.eers[0] > 0.5 > test.eers[1]
    assert f"EER {test.eers[0]:.2%} before, {test.eers[1]:.2%} now" in str(test)


def test_weights_of_another_training_are_found_to_differ(finished: Path) -> None:
    write_json(finished / "h.json", {**RUNS["mlp"], "hidden_size": 256})
    dataset = finished / "datasets" / "corpus"
    recipe = choose_recipe(dataset, INPUT, "mlp", hyperparameters=finished / "h.json", seed=8)
    other = train_model(recipe, root=finished).folder
    for name in ("best_model.safetensors", "val_losses.npy"):
        shutil.copy(other / name, finished / "runs" / f"run{MLP}" / name)
    found = repeat(finished, f"run{MLP}")
    assert exact(found) == {"validation scores": False, "test scores": True, "validation losses": False}


def test_words_of_what_differs() -> None:
    assert str(Agreement("scores", 5, 0.0, (0.1, 0.1))) == "scores: 5 of 5 agree to the last bit"
    line = str(Agreement("scores", 5, 0.001234, (0.1, 0.12)))
    assert line.startswith("scores: 5 ")
    for part in ("0.00123", "10.00%", "12.00%"):
        assert part in line
    assert str(Agreement("losses", 5, 0.5)).endswith(" 0.5")
    assert str(Agreement("losses", 5, float("inf"))) == "losses: 5 before, another number now"


def test_other_versions_code_and_machines_are_named(finished: Path) -> None:
    def older(origin: dict[str, Any]) -> None:
        origin.update(code="0123abc", python="3.4.0")
        origin["packages"].update(numpy="1.0", ancient="0.1")
        del origin["packages"]["scipy"]
        origin["machine"].update(gpu="Voodoo", cores=4096)

    edit_json(finished / "runs" / f"run{LR}" / "provenance.json", older)
    found = repeat(finished, f"run{LR}")
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
    assert f"numpy 1.0, now {now['packages']['numpy']}" in str(found)
    assert "the same" not in str(found)


# ---- refused


def refused(root: Path, number: int, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        repeat(root, f"run{number}")
    assert not list((root / "runs").rglob("reproduction")), "something was trained or removed"


def test_other_embeddings_are_refused(finished: Path, renew_stores: Callable[..., None]) -> None:
    renew_stores(finished, model="another")
    refused(
        finished,
        SVM,
        r"embeddings of downstream_train are not those that .*run0 .*model, digest\)",
    )


def test_another_split_is_refused(finished: Path, renew_stores: Callable[..., None]) -> None:
    split_dataset(finished / "datasets" / "corpus", SplitShares(pretext=0, train=0.5, val=0.25), seed=99)
    refused(finished, SVM, "was changed after its embeddings were made")
    renew_stores(finished)
    refused(finished, SVM, r"embeddings of downstream_train are not those .*split_digest")


def test_another_test_split_is_refused_where_the_run_was_tested(
    finished: Path, renew_stores: Callable[..., None]
) -> None:
    path = finished / "datasets" / "corpus" / "splits" / "by_file" / "files-downstream_test.csv"
    clips = pd.read_csv(path, dtype=str, keep_default_na=False)
    clips[:-1].to_csv(path, index=False)
    renew_stores(finished)
    refused(finished, SVM, r"embeddings of downstream_test are not those .*split_digest")
    assert repeat(finished, f"run{LR}").is_exact, "which was never tested"


def test_scores_of_other_clips_are_refused(finished: Path) -> None:
    path = finished / "runs" / f"run{SVM}" / "scores.csv"
    pd.read_csv(path, keep_default_na=False)[1:].to_csv(path, index=False)
    refused(finished, SVM, r"scores\.csv is of other clips than downstream_test holds now; test the run again")


def test_damaged_losses_are_named(finished: Path) -> None:
    path = finished / "runs" / f"run{LR}" / "val_losses.npy"
    path.write_text("no array")
    refused(finished, LR, r"val_losses\.npy is damaged: train again")
    path.write_bytes(b"")
    refused(finished, LR, r"val_losses\.npy is damaged: train again")
    path.unlink()
    refused(finished, LR, r"val_losses\.npy is missing: train again")


def test_another_corpus_is_refused_and_the_same_elsewhere_is_not(finished: Path) -> None:
    with pytest.raises(ValueError, match="run0 was trained on the corpus corpus, not release"):
        reproduce_run(RunName(None, SVM), root=finished, dataset=finished / "datasets" / "release")
    shutil.move(finished / "datasets" / "corpus", finished / "elsewhere" / "corpus")
    assert reproduce_run(RunName(None, SVM), root=finished, dataset=finished / "elsewhere" / "corpus").is_exact


def test_a_project_that_was_moved_finds_the_corpus_that_moved_with_it(drawn: Path, tmp_path: Path) -> None:
    train_model(choose_recipe(drawn / "datasets" / "corpus", INPUT, "lr"), root=drawn)
    moved = drawn.rename(tmp_path / "moved")
    assert reproduce_run(RunName(None, 0), root=moved).is_exact


def test_embeddings_whose_numbers_changed_unnoticed_are_found_by_the_scores(finished: Path) -> None:
    """A store's digests say what it was made from; its bytes are checked by EmbeddingsInfo, and here by the result."""
    path = layer_file(embeddings_folder(finished, finished / "datasets" / "corpus", "hubert", "downstream_train"), 1)
    vectors = np.fromfile(path, "<f4")
    (vectors * 1.5).astype("<f4").tofile(path)
    assert not repeat(finished, f"run{SVM}").is_exact


def test_a_run_that_is_not_there_is_named(finished_once: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no run 9 .*runs there: 0, 1, 2, 3"):
        repeat(finished_once, "run9")
    with pytest.raises(FileNotFoundError, match=r"There is no study 1 of mlp.*studies there: 0"):
        repeat(finished_once, "mlp_study1")
