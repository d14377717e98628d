"""What the loop of a pretraining does between its steps, without a training."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from src.learning import randomness
from src.learning.checkpoints import Checkpoints
from src.learning.randomness import own_randomness
from src.pretraining.health import Health
from src.pretraining.loop import Keeper
from src.pretraining.progress import PretrainingProgress


def keeper_of(folder: Path, **trainer: Any) -> Keeper:
    """Return the keeper of a pretraining of 10 steps that has no steps."""
    objective = SimpleNamespace(start_step=lambda step, n_steps: None)
    config = SimpleNamespace(validations=5)
    lesson = SimpleNamespace(seed=7, config=config, training=SimpleNamespace(objective=objective))
    known: Any = SimpleNamespace(lesson=lesson, n_steps=10, **trainer)
    checkpoints = Checkpoints(folder, "", PretrainingProgress)
    return Keeper(known, checkpoints, lambda table: None, SimpleNamespace(disable=False))  # type: ignore[arg-type]


def test_each_of_several_processes_draws_its_own_noise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    health = Health(0)
    health.rows.append({"step": 0})
    monkeypatch.setattr(randomness, "n_processes", lambda: 2)
    drawn = []
    for number in (0, 1):
        monkeypatch.setattr(randomness, "own_number", lambda number=number: number)
        with own_randomness(7):
            keeper_of(tmp_path, health=health).on_train_begin(None, SimpleNamespace(global_step=0), None)
            drawn.append(torch.rand(8))
    assert not torch.equal(*drawn)
