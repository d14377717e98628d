"""The tasks of detectors as they are typed: stopped and resumed, with curves, on recordings that are no use."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from src.detectors import DETECTORS
from src.detectors.training import loop
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


def test_ctrl_c_says_how_to_resume_and_the_second_start_finishes(
    project: Path, fab: Fab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step = loop.OurTrainer.training_step

    def interrupted(self: loop.OurTrainer, *arguments: Any) -> Any:
        if self.state.global_step == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop.OurTrainer, "training_step", interrupted)
        assert fab(f"{TRAIN} --epochs=2") == 130
    assert capsys.readouterr().err.strip() == "TrainDetector: stopped; resume it with fab TrainDetector --resume=run0."
    assert fab("TrainDetector --resume=run0") == 0
    assert fab(f"{TRAIN} --epochs=2") == 0
    resumed, other = (load_file(project / f"runs/run{number}/best_model.safetensors") for number in (0, 1))
    assert all(np.array_equal(resumed[name], other[name]) for name in other)
