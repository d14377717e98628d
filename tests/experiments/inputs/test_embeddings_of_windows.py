"""Stores of a backbone in several windows hold other numbers in each: they are not one input."""

from pathlib import Path

import pytest

from src.experiments.inputs.embeddings import Embeddings
from src.experiments.inputs.open_embeddings import OpenEmbeddings
from src.utils.files import read_json, write_json
from tests.experiments.inputs.second_backbone import write_second_stores

TRAIN, VAL, TEST = "downstream_train", "downstream_val", "downstream_test"


def note_windows(root: Path, **windows: str) -> None:
    for split, window in windows.items():
        path = root / "embeddings" / "corpus" / "hubert" / split / "meta.json"
        write_json(path, {**read_json(path), "window": window})


def open_hubert(root: Path, backbone: str = "hubert") -> OpenEmbeddings:
    return Embeddings(backbone).open(root / "datasets" / "corpus", root)


def test_splits_in_different_windows_do_not_fit_together(drawn: Path) -> None:
    without = open_hubert(drawn).identity(TRAIN)
    assert "window" not in without[TRAIN]
    note_windows(drawn, **{TRAIN: "30 s", VAL: "30 s", TEST: "own"})
    opened = open_hubert(drawn)
    opened.check(TRAIN, VAL)
    assert opened.identity(TRAIN)[TRAIN] == {**without[TRAIN], "window": "30 s"}
    with pytest.raises(ValueError, match=r"different models \(window 30 s and own\): make both with the same `window`"):
        opened.check(TRAIN, TEST)
    assert "window" in Embeddings.same


def test_nor_do_those_of_several_backbones(drawn: Path) -> None:
    write_second_stores(drawn)
    assert "window" not in open_hubert(drawn, "hubert+lfcc").origin(TRAIN)
    note_windows(drawn, **{TRAIN: "30 s", VAL: "own"})
    opened = open_hubert(drawn, "hubert+lfcc")
    assert opened.origin(TRAIN)["window"] == "30 s+"
    with pytest.raises(ValueError, match=r"window 30 s\+ and own\+"):
        opened.check(TRAIN, VAL)
