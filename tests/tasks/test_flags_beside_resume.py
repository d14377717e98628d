"""Flags that are typed beside --resume: one that the training would not follow is refused, not passed over."""

import re
from pathlib import Path

import pytest

from src.utils.files import write_json
from tests.typed import run_fab

CASES = [
    ("PretrainBackbone --resume=pretraining0 --steps=9 --seed=3", "--steps does not go with --resume, only --workers"),
    ("PretrainBackbone --resume=pretraining0 --set=patience=9", "--set does not go with --resume"),
    ("PretrainBackbone --resume=pretraining0 --workers=2 --no-probe", "There is no pretraining0"),
    ("PretrainBackbone --resume=pretraining1 --dataset=other", "--dataset: pretraining1 goes on with .*corpus"),
    ("TrainDetector --resume=run0 --epochs=9", "--epochs does not go with --resume, only --log, --workers and"),
    ("TrainDetector --resume=run0 --workers=2", "There is no run 0"),
    ("FineTune --resume=run0 --backbone=hubert", "--backbone does not go with --resume"),
]


@pytest.mark.parametrize(("typed", "line"), CASES)
def test_flags_that_a_resumed_training_would_not_follow_are_refused(
    typed: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "runs/pretraining1"
    (folder / "checkpoints").mkdir(parents=True)
    values = {"corpora": ["datasets/corpus"], "splits": ["pretext_train"], "seed": 7, "objective": "mel"}
    write_json(folder / "hyperparameters.json", values)
    assert run_fab(typed, tmp_path, monkeypatch) == 2
    told = capsys.readouterr().err
    assert re.search(line, told) and len(told.splitlines()) == 1, told
