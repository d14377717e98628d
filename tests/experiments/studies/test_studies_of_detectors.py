"""Studies of detectors: fixed hyperparameters, a killed trial carried on from its checkpoints, several processes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from src.detectors import DETECTORS
from src.detectors.training import loop
from src.utils.files import read_json
from tests.typed import run_fab

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
    pytest.mark.usefixtures("one_thread"),
]
Fab = Callable[[str], int]


@pytest.fixture
def fab(project: Path, monkeypatch: pytest.MonkeyPatch) -> Fab:
    monkeypatch.setitem(DETECTORS, "tiny", "tests.detectors.tiny:Tiny")
    return lambda arguments: run_fab(arguments, project, monkeypatch)


def outcomes(study: Path, trials: int) -> list[dict[str, Any]]:
    return [read_json(study / f"run{number}" / "metrics.json") for number in range(trials)]


@pytest.mark.slow
def test_a_killed_trial_is_carried_on_and_the_study_ends_as_an_undisturbed_one(
    project: Path, fab: Fab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = "OptimizeHyperparameters --dataset=datasets/corpus --detector=tiny --trials=2 --set=epochs=3,dropout=0.2"
    assert fab(study) == 0
    steps: list[int] = []
    step = loop.OurTrainer.training_step

    def interrupted(self: loop.OurTrainer, *arguments: Any) -> Any:
        steps.append(self.state.global_step)
        if len(self.progress.val_eers) == 1:
            raise KeyboardInterrupt
        return step(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop.OurTrainer, "training_step", interrupted)
        assert fab(study) == 130
    first, second = (project / "runs" / f"tiny_study{number}" for number in (0, 1))
    assert "--study-number=1" in capsys.readouterr().err
    assert list((second / "run0" / "checkpoints").glob("checkpoint-*"))
    taken: list[int] = []
    monkeypatch.setattr(
        loop.OurTrainer, "training_step", lambda self, *a: (taken.append(self.state.global_step), step(self, *a))[1]
    )
    assert fab(f"{study} --study-number=1") == 0
    assert taken[0] == max(steps)  # it went on from there
    assert outcomes(first, 2) == outcomes(second, 2)
    for number in range(2):
        inputs = read_json(second / f"run{number}" / "hyperparameters.json")
        assert (inputs["epochs"], inputs["dropout"]) == (3, 0.2)
    noted = read_json(second / "study.json")
    assert (noted["input"], noted["fixed"]) == ("waveforms", {"epochs": 3, "dropout": 0.2})


@pytest.mark.slow
def test_several_processes_train_the_trials(project: Path, fab: Fab, capsys: pytest.CaptureFixture[str]) -> None:
    small = "--set=epochs=1,channels=4,embedding_size=4,seconds=0.5"
    study = f"OptimizeHyperparameters --dataset=datasets/corpus --detector=lcnn --trials=3 --jobs=2 {small}"
    assert fab(study) == 0
    assert "3 trials, 3 new" in capsys.readouterr().out
    for number in range(3):
        assert read_json(project / f"runs/lcnn_study0/run{number}/hyperparameters.json")["channels"] == 4
