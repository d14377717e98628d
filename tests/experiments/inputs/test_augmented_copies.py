"""Augmented copies in addition to training clips: read by trainings alone, and known by their digests."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest

from src.experiments.corpus.copies import Augmenting
from src.experiments.corpus.splits import DOWNSTREAM, read_split
from src.experiments.evaluation.evaluate import evaluate_run
from src.experiments.evaluation.reproduction import reproduce_run
from src.experiments.extraction.copies import extract_copies
from src.experiments.extraction.requests import Request
from src.experiments.extraction.stores import format_reports, inspect_stores
from src.experiments.inputs.contract import TEST, TRAIN, VAL, read_training_data
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trainer import train_model
from src.utils.embeddings import load_embeddings
from src.utils.files import read_json
from src.utils.recipes import name_of

NOISY = json.dumps([{"probability": 1, "one_of": [{"effect": "white", "parameters": {"snr": {"from": 0, "to": 30}}}]}])
NAME = name_of(NOISY)
INPUT = Embeddings("lfcc", augment=NOISY)


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for place in ("training.trainer", "evaluation.evaluate"):
        monkeypatch.setattr(f"src.experiments.{place}.save_figure", lambda *_: None)
    with joblib.parallel_config(backend="sequential"):
        yield


def extract(root: Path, **how: object) -> list[Path]:
    request = Request(root / "datasets" / "corpus", DOWNSTREAM, "lfcc")
    return [done.folder for done in extract_copies(request, Augmenting(NOISY, **how), root=root)]


@pytest.fixture(scope="module")
def augmented_once(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = Path(shutil.copytree(prepared, tmp_path_factory.mktemp("augmented") / "root"))
    with joblib.parallel_config(backend="sequential"):
        extract(root, copies=2)
    return root


@pytest.fixture
def root(augmented_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(augmented_once, tmp_path / "root"))


def opened(root: Path, wanted: Embeddings = INPUT):
    found = wanted.open(root / "datasets" / "corpus", root)
    found.check(TRAIN, VAL)
    return found


def test_training_alone_reads_them_and_its_people_stay(root: Path) -> None:
    clean, more = (read_training_data(opened(root, wanted)) for wanted in (Embeddings("lfcc"), INPUT))
    assert len(more.train) == 3 * len(clean.train) and len(more.val) == len(clean.val)
    assert more.people() == clean.people()
    np.testing.assert_array_equal(more.train.vectors[: len(clean.train)], clean.train.vectors)
    np.testing.assert_array_equal(more.train.labels, np.tile(clean.train.labels, 3))
    assert not np.array_equal(more.train.vectors[: len(clean.train)], more.train.vectors[-len(clean.train) :])
    one = read_training_data(opened(root, replace(INPUT, copies=1)))
    assert len(one.train) == 2 * len(clean.train) and one.described["copies"] == 1
    for split in DOWNSTREAM:
        np.testing.assert_array_equal(
            opened(root).read(split).vectors, opened(root, Embeddings("lfcc")).read(split).vectors
        )


def test_what_was_made_with_and_without_is_told_apart(root: Path) -> None:
    clean, more = (opened(root, wanted).identity(TRAIN, VAL) for wanted in (Embeddings("lfcc"), INPUT))
    assert [copy["copy"] for copy in more[TRAIN].pop("copies")] == [1, 2]
    assert more == clean
    meta = read_json(root / f"embeddings/corpus/lfcc/{TRAIN}-{NAME}-1/meta.json")
    assert (meta["augment"], meta["copy"], meta["seed"]) == (NAME, 1, 7)
    shown = format_reports(inspect_stores(root), root)
    assert f"copy 2 by {NAME}, seed 7" in shown
    assert Embeddings("lfcc").as_json() == {"backbone": "lfcc", "layer": -1, "pooling": "mean"}


def test_a_run_notes_them_is_tested_on_clean_clips_and_repeated_exactly(root: Path) -> None:
    run = train_model(choose_recipe(root / "datasets" / "corpus", INPUT, "lr"), root=root)
    assert (run.hyperparameters["augment"], run.hyperparameters["copies"]) == (NOISY, 2)
    noted = read_json(run.folder / "provenance.json")["data"]["embeddings"]
    assert len(noted[TRAIN]["copies"]) == 2 and "copies" not in noted[VAL]
    verdict = evaluate_run(run.name, root=root)
    assert verdict.metrics["n_spoof"]["value"] + verdict.metrics["n_bonafide"]["value"] == len(opened(root).read(TEST))
    assert reproduce_run(run.name, root=root).is_exact
    plain = train_model(choose_recipe(root / "datasets" / "corpus", Embeddings("lfcc"), "lr"), root=root)
    assert "augment" not in plain.hyperparameters
    inputs = run.folder / "hyperparameters.json"
    again = choose_recipe(root / "datasets" / "corpus", Embeddings("lfcc"), "lr", hyperparameters=inputs)
    assert again.input == replace(INPUT, copies=2)


def test_killed_or_with_more_copies_what_is_there_stays(root: Path, prepared: Path, tmp_path: Path) -> None:
    store = root / f"embeddings/corpus/lfcc/{TRAIN}-{NAME}-1"
    before, expected = (store / "meta.json").stat().st_mtime_ns, load_embeddings(store)
    assert extract(root, copies=3)[-1].name == f"{TRAIN}-{NAME}-3"
    assert (store / "meta.json").stat().st_mtime_ns == before
    fresh = Path(shutil.copytree(prepared, tmp_path / "fresh"))
    folder = fresh / f"embeddings/corpus/copies/{TRAIN}-{NAME}-1"
    extract(fresh)
    recordings = sorted(folder.rglob("*.flac"))
    for path in (*recordings[3:], folder / "files-metadata.csv", *(folder / "splits").rglob("*.csv")):
        path.unlink()  # as a kill would leave it
    shutil.rmtree(fresh / f"embeddings/corpus/lfcc/{TRAIN}-{NAME}-1")
    extract(fresh)
    np.testing.assert_array_equal(load_embeddings(fresh / store.relative_to(root)).vectors, expected.vectors)


def test_complete_copies_stay_where_a_clip_turns_out_to_be_unusable_later(root: Path) -> None:
    clip = read_split(root / "datasets" / "corpus", TRAIN)["file"].iloc[0]
    (root / "datasets" / "corpus" / "rejected-files.csv").write_text(
        f"file,reason\n{clip},shorter than a backbone takes\n"
    )
    copies = root / f"embeddings/corpus/copies/{TRAIN}-{NAME}-1"
    before = (copies / "recipe.json").read_bytes()
    extract(root, copies=2)
    assert (copies / "recipe.json").read_bytes() == before


def test_copies_of_anything_else_are_refused(root: Path) -> None:
    with pytest.raises(ValueError, match=r"made in another way \(seed differs\)"):
        extract(root, seed=8)
    with pytest.raises(FileNotFoundError, match=r"GenerateEmbeddings --backbone=lfcc .*--augment=field --copies=1"):
        opened(root, Embeddings("lfcc", augment="field"))
    with pytest.raises(FileNotFoundError, match="--copies=3"):
        opened(root, replace(INPUT, copies=3))
    with pytest.raises(ValueError, match=r"Only training splits get copies \(`augment`\), not downstream_val"):
        list(extract_copies(Request(root / "datasets/corpus", [VAL], "lfcc"), Augmenting(NOISY), root=root))
    note = root / f"embeddings/corpus/copies/{TRAIN}-{NAME}-2/recipe.json"
    note.write_text(json.dumps({**read_json(note), "split_digest": "another"}))
    with pytest.raises(ValueError, match=r"are not of the recordings that downstream_train of .* holds now"):
        opened(root)
