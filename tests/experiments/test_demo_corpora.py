"""The demo corpus is made where it is missing and nowhere else; an uneven copy differs in level alone."""

from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np
import pytest

from src.audio.io import load_waveform
from src.experiments import demo
from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.inspection import inspect_dataset
from src.utils.dataset import read_files


@pytest.fixture(autouse=True)
def in_this_process() -> Iterator[None]:
    with joblib.parallel_config(backend="sequential"):
        yield


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_the_demo_corpus_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"N_PEOPLE": 2, "CLIPS_PER_PERSON": 1, "SECONDS": (0.3, 0.4)}.items():
        monkeypatch.setattr(demo, name, value)
    demo.make_demo_if_missing(tmp_path / "demo")
    assert sorted(read_files(tmp_path / "demo")["label"]) == ["bona-fide", "bona-fide", "spoof", "spoof"]
    before = times(tmp_path)
    demo.make_demo_if_missing(tmp_path / "demo")
    assert times(tmp_path) == before


def test_a_corpus_of_another_name_is_never_made(tmp_path: Path) -> None:
    demo.make_demo_if_missing(tmp_path / "release")
    assert list(tmp_path.iterdir()) == []


def test_an_uneven_copy_is_quieter_in_its_genuine_speech_alone(make_corpus, tmp_path: Path) -> None:
    dataset = make_corpus(people=8, clips=3)
    generate_tables(dataset)
    demo.make_uneven_corpus(dataset, tmp_path / "uneven", decibels=6)
    files = read_files(tmp_path / "uneven")
    assert files["label"].tolist() == read_files(dataset)["label"].tolist()
    for file, label in zip(files["file"], files["label"], strict=True):
        old, new = (load_waveform(corpus / file) for corpus in (dataset, tmp_path / "uneven"))
        np.testing.assert_allclose(new, old * (1 if label == "spoof" else 10**-0.3), atol=1 / 32768)
    cues = {cue.name: cue for cue in inspect_dataset(tmp_path / "uneven", jobs=1).cues}
    assert cues["RMS level"].telling
    assert cues["RMS level"].eer < 0.1
