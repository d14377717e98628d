"""Trace and Drift as they are typed: known and unknown systems, corpora near and far, detectors, errors of one line."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from src.deploy.distances import NAMES, VECTORS, read_distances
from src.detectors import DETECTORS
from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.splits import DOWNSTREAM, SplitShares, read_split, split_dataset
from src.experiments.extraction.engines import extract_splits
from src.experiments.extraction.requests import Request
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.inputs.waveforms import Waveforms
from src.experiments.runs.names import RunName
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trained import read_trained
from src.experiments.training.trainer import train_model
from tests.conftest import RATE, write_corpus
from tests.typed import run_fab

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
    pytest.mark.usefixtures("one_thread", "no_pictures"),
]
Screen = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def no_pictures() -> "object":
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("src.experiments.training.trainer.save_figure", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, no_pictures: object) -> Path:
    """Return a project: a corpus of the systems hum and buzz, a run of each kind on it, and two incoming corpora."""
    root = tmp_path_factory.mktemp("doubt")
    corpus = write_corpus(root / "datasets" / "corpus", people=16, clips=4)
    write_corpus(root / "datasets" / "alike", people=8, clips=4, seed=70_000)
    noisy = write_corpus(root / "datasets" / "noisy", people=6, clips=2, seed=50_000)
    for path in noisy.rglob("*.flac"):
        rng = np.random.default_rng(len(str(path)))
        soundfile.write(path, (0.3 * rng.standard_normal(8000)).astype(np.float32), RATE)
    for dataset in (root / "datasets").iterdir():
        spoofs = sorted(path.relative_to(dataset).as_posix() for path in dataset.glob("fake_voices/*/*"))
        rows = [f"{file},{('hum', 'buzz')[number % 2]}" for number, file in enumerate(spoofs)]
        (dataset / "SOURCES.csv").write_text("\n".join(["file,system", *rows]))
        generate_tables(dataset)
    split_dataset(corpus, SplitShares(pretext=0, train=0.5, val=0.25), seed=7)
    list(extract_splits(Request(corpus, DOWNSTREAM, "lfcc"), root=root))
    train_model(choose_recipe(corpus, Embeddings("lfcc", -1, "mean+std"), "lr"), root=root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DETECTORS, "tiny", "tests.detectors.tiny:Tiny")
        train_model(choose_recipe(corpus, Waveforms(), "tiny", values={"epochs": 1}), root=root)
    return root


@pytest.fixture(autouse=True)
def tiny_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DETECTORS, "tiny", "tests.detectors.tiny:Tiny")


def test_spoofs_are_traced_and_strangers_told(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Screen) -> None:
    corpus = root / "datasets" / "corpus"
    rows = read_split(corpus, "downstream_train")
    known = rows["file"][rows["label"] == "spoof"].tolist()[:4]
    real, noise = rows["file"][rows["label"] != "spoof"].iloc[0], root / "datasets" / "noisy" / "fake_voices"
    (root / "broken.wav").write_bytes(b"RIFF")
    named = [*(corpus / file for file in (*known, real)), noise, root / "broken.wav", root / "none.wav"]
    assert run_fab(f"Trace --run=run0 --files={','.join(map(str, named))}", root, monkeypatch) == 2
    screen = capsys.readouterr()
    lines = {line.split()[0]: line for line in screen.out.splitlines() if line.startswith("/")}
    of_known = [lines[str(corpus / file)] for file in known]
    assert sum(bool(re.search(r"spoof  (hum|buzz) \d+%", line)) for line in of_known) >= 3
    assert "bona fide  bona fide: not traced" in lines[str(corpus / real)]
    of_noise = [line for file, line in lines.items() if file.startswith(str(noise))]
    assert len(of_noise) > 5 and all("none is near" in line or "not traced" in line for line in of_noise)
    assert "there is no such file" in lines[str(root / "none.wav")] and "error" in lines[str(root / "broken.wav")]
    assert f"2 of {len(lines)} files could not be traced" in screen.out + screen.err


@pytest.mark.parametrize("run", ["run0", "run1"])
def test_a_corpus_like_the_training_data_is_no_drift_and_noise_is(
    run: str, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Screen
) -> None:
    assert run_fab(f"Drift --run={run} --dataset={root / 'datasets/alike'}", root, monkeypatch) == 0
    alike = capsys.readouterr().out
    assert "Nothing tells it" in alike or "Within reach" in alike or "Drifted" in alike
    assert run_fab(f"Drift --run={run} --dataset={root / 'datasets/noisy'}", root, monkeypatch) == 0
    noisy = capsys.readouterr().out
    assert "Unlike the training data" in noisy and "Unlike" not in alike
    assert ("Compared is the sound" in noisy) == (run == "run1")
    assert [line.split()[0] for line in noisy.splitlines()[1:6]] == ["all", "bona", "spoof", "buzz", "hum"]
    assert all((root / "runs" / run / name).is_file() for name in (VECTORS, NAMES))


def test_training_anew_in_its_folder_renews_what_is_kept(root: Path, tmp_path: Path) -> None:
    from src.utils.files import read_json, write_json

    copy = Path(shutil.copytree(root, tmp_path / "root"))
    trained = read_trained(copy, RunName.parse("run0"), copy / "datasets" / "corpus")
    read_distances(trained, copy)
    noted = read_json(trained.folder / NAMES)
    write_json(trained.folder / NAMES, {**noted, "trained": "long ago", "groups": ["other"]})
    assert read_distances(trained, copy).names == ("bona fide", "buzz", "hum")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("Trace --run=run0", "Which recordings?"),
        ("Trace --run=run9 --files=a.wav", "There is no run 9"),
        ("Trace --files=a.wav", "Which run?"),
        ("Drift --run=run0", "Which corpus? Give its folder by --dataset=datasets/incoming."),
        ("Drift --run=run0 --dataset=nowhere", "There is no folder"),
        ("TestModel --run=run0 --reject=5", "--reject is the error rate among the decisions"),
        ("Benchmark --run=run0 --datasets=datasets/alike --reject=0", "--reject is the error rate"),
    ],
)
def test_errors_are_one_line(
    typed: str, said: str, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Screen
) -> None:
    assert run_fab(typed, root, monkeypatch) == 2
    screen = capsys.readouterr()
    assert said in screen.err + screen.out and "Traceback" not in screen.err
