"""The stages of an extraction are measured by an edition's own code, and add up to what it takes."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import made_up, stages
from tests.benchmarks.test_extract_benchmark import TINY


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(made_up.SHAPES, "wav2vec2-base", ("wav2vec2", "Wav2Vec2", TINY))
    made_up.write_clips(tmp_path / "clips", np.array([0.5, 1.0, 0.7]), np.random.default_rng(0))
    made_up.save_model(tmp_path / "model", "wav2vec2-base")
    return tmp_path


@pytest.mark.slow
def test_every_stage_takes_time(folder: Path) -> None:
    found = stages.in_own_process(Path(stages.__file__).parents[1], folder, "fp32")
    assert set(found) == set(stages.STAGES)
    assert all(seconds > 0 for seconds in found.values())


def test_editions_are_measured_in_turn_and_compared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(made_up.SHAPES, "wav2vec2-base", ("wav2vec2", "Wav2Vec2", TINY))
    asked: list[Path] = []

    def in_own_process(root: Path, *_: Any) -> dict[str, float]:
        asked.append(root)
        return dict.fromkeys(stages.STAGES, 2.0 if root == tmp_path else 1.0)

    monkeypatch.setattr(stages, "in_own_process", in_own_process)
    monkeypatch.setattr(made_up, "draw_seconds", lambda *_: np.array([30.0, 30.0]))
    monkeypatch.setattr(sys, "argv", ["stages", f"--before={tmp_path}", "--rounds=2"])
    stages.main()
    here = Path(stages.__file__).parents[1]
    assert asked == [tmp_path, here, tmp_path, here]
    before, now = capsys.readouterr().out.splitlines()[-2:]
    assert before.split() == ["before", *["2.00", "s"] * 6, "12.00", "s"]
    assert now.split() == ["now", *["1.00", "s"] * 6, "6.00", "s"]
