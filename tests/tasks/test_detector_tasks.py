"""The tasks of detectors as they are typed: stopped and resumed, with curves, on recordings that are no use."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file

from src.detectors import DETECTORS
from src.detectors.training import loop
from src.experiments.training import trainer
from src.experiments.training.recipe import Recipe
from src.tasks.detectors import parse_settings
from tests.typed import run_fab

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
    pytest.mark.usefixtures("one_thread"),
]
TRAIN = "TrainDetector --dataset=datasets/corpus --detector=tiny"
Fab = Callable[[str], int]


@pytest.fixture
def fab(project: Path, monkeypatch: pytest.MonkeyPatch) -> Fab:
    monkeypatch.setitem(DETECTORS, "tiny", "tests.detectors.tiny:Tiny")
    return lambda arguments: run_fab(arguments, project, monkeypatch)


@pytest.mark.slow
def test_ctrl_c_says_how_to_resume_and_the_second_start_finishes(
    project: Path, fab: Fab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step = loop.OurTrainer.training_step

    def interrupted(self: loop.OurTrainer, *arguments: Any) -> Any:
        if self.state.global_step == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, *arguments)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background ignore it
    try:
        with monkeypatch.context() as patch:
            patch.setattr(loop.OurTrainer, "training_step", interrupted)
            assert fab(f"{TRAIN} --epochs=2") == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err.strip() == "TrainDetector: stopped; resume it with fab TrainDetector --resume=run0."
    assert fab("TrainDetector --resume=run0") == 0
    assert fab(f"{TRAIN} --epochs=2") == 0
    resumed, other = (load_file(project / f"runs/run{number}/best_model.safetensors") for number in (0, 1))
    assert all(np.array_equal(resumed[name], other[name]) for name in other)


@pytest.mark.parametrize("name", ["model", "weights"])
def test_a_folder_that_is_typed_is_found_from_wherever_the_run_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "published").mkdir()
    monkeypatch.chdir(tmp_path)
    assert parse_settings(f"{name}=published,epochs=3") == {name: str(tmp_path / "published"), "epochs": 3}
    assert parse_settings(f"{name}=facebook/wav2vec2-base") == {name: "facebook/wav2vec2-base"}
    assert parse_settings(f"{name}=") == {name: ""}


def test_it_can_be_judged_by_what_is_left_out(
    fab: Fab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def noted(recipe: Recipe, **_: Any) -> None:
        asked.append(recipe.hold_out)
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "train_model", noted)
    assert fab(f"{TRAIN} --hold-out=system") == fab(TRAIN) == 130
    assert asked == ["system", ""]
    assert fab(f"{TRAIN} --hold-out=speaker") == 2
    assert "--hold-out must be system, corpus or system,corpus, not 'speaker'." in capsys.readouterr().err


def test_curves_for_tensorboard_stay_in_the_folder_of_the_run(project: Path, fab: Fab) -> None:
    assert fab(f"{TRAIN} --epochs=1 --log=tensorboard") == 0
    assert list((project / "runs/run0/tensorboard").glob("events.out.tfevents*"))
    assert not (project / "runs/run0/checkpoints").exists()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_corrupt_recording_ends_a_training_with_one_line(
    project: Path, fab: Fab, capsys: pytest.CaptureFixture[str], workers: int
) -> None:
    for person in ("Person00_F000", "Person01_M001"):  # one of them may be in the test split, another is not
        for path in (project / "datasets/corpus/real_voices" / person).glob("*.flac"):
            path.write_bytes(b"no sound at all")
    code = fab(f"{TRAIN} --epochs=2 --workers={workers}")
    told = capsys.readouterr().err.strip()
    assert code == 2, told
    assert "\n" not in told
    assert ".flac cannot be used: " in told
    assert told.endswith(
        "Run fab AddDatasetDuration on its corpus, which lists such clips as rejected, and train again."
    )
    assert not list((project / "runs").glob("run*")), "nothing that could not be resumed is left"


def test_clips_that_are_far_shorter_than_a_window_train(project: Path, fab: Fab) -> None:
    for path in sorted((project / "datasets/corpus").rglob("*.flac"))[::3]:
        soundfile.write(path, np.random.default_rng(1).uniform(-0.1, 0.1, 10).astype(np.float32), 16_000)
    assert fab(f"{TRAIN} --epochs=1") == 0
    assert fab("TestModel --run=run0") == 0


def test_an_unknown_hyperparameter_lists_those_there_are(fab: Fab, capsys: pytest.CaptureFixture[str]) -> None:
    assert fab(f"{TRAIN} --set=?=0") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "Unknown hyperparameter '?'; allowed, with their defaults: " in line
    assert "channels=4, dropout=0.1" in line


def test_a_training_that_is_refused_leaves_no_folder(
    project: Path, fab: Fab, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fab("TrainDetector --dataset=datasets/corpus --detector=lcnn --seconds=0.05") == 2
    assert "--seconds=0.05 is shorter than what the network sees at once" in capsys.readouterr().err
    assert not list((project / "runs").glob("run*"))
