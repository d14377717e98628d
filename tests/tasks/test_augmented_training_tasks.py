"""Augmentation as it is typed: copies and windows in training, a corpus of copies, a run under distortions; errors."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from src.detectors import DETECTORS
from src.utils.embeddings import load_embeddings
from src.utils.files import read_json
from tests.typed import REPOSITORY, run_fab

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
    pytest.mark.usefixtures("one_thread"),
]
ON = "--dataset=datasets/corpus"
HISS = [{"probability": 1, "one_of": [{"effect": "white", "parameters": {"snr": {"from": 5, "to": 30}}}]}]
Fab = Callable[[str], int]


@pytest.fixture
def fab(project: Path, monkeypatch: pytest.MonkeyPatch) -> Fab:
    monkeypatch.setitem(DETECTORS, "tiny", "tests.detectors.tiny:Tiny")
    monkeypatch.setattr("src.experiments.training.trainer.save_figure", lambda *_: None)
    monkeypatch.setattr("src.experiments.studies.tuner.draw_pictures", lambda *_: None)
    (project / "hiss.json").write_text(json.dumps(HISS))
    return lambda arguments: run_fab(arguments, project, monkeypatch)


@pytest.mark.slow
def test_a_classifier_is_trained_on_copies_put_under_distortions_and_shown(
    project: Path, fab: Fab, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fab(f"GenerateEmbeddings {ON} --backbone=lfcc --augment=hiss.json --copies=2") == 0
    output = capsys.readouterr().out
    assert "downstream_train-own" in output and "--classifier=svm --augment=hiss.json" in output
    assert fab("EmbeddingsInfo") == 0
    assert "copy 2 by own" in capsys.readouterr().out
    train = f"TrainModel {ON} --backbone=lfcc --classifier=lr --augment=hiss.json"
    assert fab(f"{train} --copies=1") == 0
    inputs = read_json(project / "runs/run0/hyperparameters.json")
    assert (json.loads(inputs["augment"]), inputs["copies"]) == (HISS, 1)
    (project / "hiss.json").write_text("[]")  # the run keeps what it was trained with
    assert fab("ReproduceRun --run=run0") == 0
    assert "Reproduced bit for bit" in capsys.readouterr().out
    assert fab("StressTest --run=run0 --effects=white,level") == 0
    output = capsys.readouterr().out
    assert "white 20 dB" in output and "Mean EER of 6 distortions" in output and "Next: fab ReportRuns" in output
    assert fab("ReportRuns") == 0
    page = (project / "runs/run0/report.html").read_text()
    assert "augmented by a recipe of its own" in page and "EER under distortions" in page


@pytest.mark.slow
def test_detectors_and_the_trials_of_their_studies_note_the_recipe(project: Path, fab: Fab) -> None:
    assert fab(f"TrainDetector {ON} --detector=tiny --epochs=1 --augment=hiss.json") == 0
    assert json.loads(read_json(project / "runs/run0/hyperparameters.json")["augment"]) == HISS
    assert fab(f"OptimizeHyperparameters {ON} --detector=tiny --trials=1 --set=epochs=1 --augment=noise") == 0
    assert read_json(project / "runs/tiny_study0/run0/hyperparameters.json")["augment"] == "noise"
    assert read_json(project / "runs/tiny_study0/study.json")["fixed"] == {"epochs": 1, "augment": "noise"}
    assert fab("ReproduceRun --run=run0") == 0
    assert read_json(project / "runs/run0/reproduction/reproduction.json")["bit_for_bit"]


def test_a_corpus_of_copies_says_what_comes_next(project: Path, fab: Fab, capsys: pytest.CaptureFixture[str]) -> None:
    assert fab(f"AugmentDataset {ON} --recipe=hiss.json") == 0
    assert "Next: fab GenerateEmbeddings --backbone=lfcc" in capsys.readouterr().out
    shutil.rmtree(project / "datasets/corpus/splits")
    assert fab(f"AugmentDataset {ON} --recipe=hiss.json --output=datasets/other") == 0
    assert "Next: fab SplitDataset" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (f"TrainDetector {ON} --detector=tiny --augment=fields", "Unknown recipe 'fields'"),
        (f"TrainDetector {ON} --detector=tiny --augment=absent.json", "There is no recipe"),
        (f"TrainModel {ON} --backbone=lfcc --classifier=lr --copies=2", "--copies goes with --augment"),
        (f"TrainModel {ON} --backbone=lfcc --classifier=lr --augment=field", "GenerateEmbeddings --backbone=lfcc"),
        (f"GenerateEmbeddings {ON} --backbone=lfcc --augment=field --copies=0", "--copies must be 1 or more"),
        (f"AugmentDataset {ON} --copies=0", "--copies must be 1 or more, not 0."),
        (f"AugmentDataset {ON} --recipe=hiss.json --output=datasets/corpus/in", "--output must lie outside"),
        ("StressTest --run=run0", "There is no run"),
        ("StressTest", "Which run?"),
        ("StressTest --run=run0 --effects=,", "--effects=, names no effect: give some, such as white,mp3"),
    ],
)
def test_bad_input_ends_with_one_line(
    project: Path, fab: Fab, capsys: pytest.CaptureFixture[str], command: str, line: str
) -> None:
    assert fab(command) == 2
    error = capsys.readouterr().err.strip()
    assert line in error and "\n" not in error
    assert not (project / "runs/run0").exists()


@pytest.mark.slow
def test_killed_copies_end_as_undisturbed_ones(project: Path, tmp_path: Path) -> None:
    """SIGKILL once a few copies are written, and again while the second store is made."""
    undisturbed = Path(shutil.copytree(project, tmp_path / "undisturbed"))
    program = (
        "import sys; from pathlib import Path; from src.experiments.corpus.copies import Augmenting; "
        "from src.experiments.extraction.copies import extract_copies; "
        "from src.experiments.extraction.requests import Request; root = Path(sys.argv[1]); "
        "request = Request(root / 'datasets/corpus', ['downstream_train'], 'lfcc'); "
        "list(extract_copies(request, Augmenting('noise', copies=2), root=root))"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    folder = project / "embeddings/corpus/copies"
    for number in (1, 2):
        process = subprocess.Popen([sys.executable, "-c", program, str(project)], cwd=REPOSITORY, env=environment)
        while process.poll() is None and len(list(folder.glob(f"*noise-{number}/**/*.flac"))) < 5:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    for root in (project, undisturbed):
        subprocess.run([sys.executable, "-c", program, str(root)], cwd=REPOSITORY, env=environment, check=True)
    for number in (1, 2):
        place = f"embeddings/corpus/lfcc/downstream_train-noise-{number}"
        one, other = (load_embeddings(root / place) for root in (project, undisturbed))
        assert one.files.tolist() == other.files.tolist()
        np.testing.assert_array_equal(one.vectors, other.vectors)
