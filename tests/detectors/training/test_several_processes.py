"""Two processes that train one detector, as `torchrun` starts them: one run folder, one model, after a kill too."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.slow
PROGRAM = """
import hashlib, os, signal, sys, warnings
from dataclasses import replace
from pathlib import Path

import src.utils.processes
import torch

from src.detectors import DETECTORS
from src.detectors.training import loop
from src.experiments.inputs.waveforms import Waveforms
from src.experiments.runs.names import RunName
from src.experiments.training import resuming, trainer
from src.experiments.training.recipe import choose_recipe

torch.set_num_threads(1)
DETECTORS["tiny"] = "tests.detectors.tiny:Tiny"
loop.CHECKPOINT_SECONDS = 0.0
root, how, last = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
step = loop.OurTrainer.training_step


def until(self, *arguments):
    if self.state.global_step == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, *arguments)


loop.OurTrainer.training_step = until
if how.startswith("fab"):
    import pytest

    from tests.typed import run_fab

    sys.exit(run_fab(how.removeprefix("fab "), root, pytest.MonkeyPatch()))
if how == "resume":
    run = resuming.resume_run(RunName.parse("run0"), root=root)
else:
    warnings.filterwarnings("ignore", message="(Only 2 systems|EER in domain)")
    recipe = choose_recipe(root / "datasets" / "corpus", Waveforms(), "tiny")
    run = trainer.train_model(replace(recipe, hold_out="system"), root=root)
state = run.model.trained.state_dict()
digest = hashlib.sha256(b"".join(state[name].numpy().tobytes() for name in sorted(state))).hexdigest()
(root / f"digest-{os.environ.get('RANK', '0')}").write_text(digest + f" {run.metrics['eer']}")
"""


@pytest.fixture
def two_systems(project: Path) -> Path:
    """Name two systems in turn as makers of the spoofs, so that either can be left out."""
    for path in (project / "datasets/corpus/splits/by_file").glob("*.csv"):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        names = np.where(np.arange(len(table)) % 2, "alpha", "beta")
        table.assign(system=np.where(table["label"] == "spoof", names, "")).to_csv(path, index=False)
    return project


def launch(root: Path, how: str, *, last: int = -1, count: int = 2) -> subprocess.CompletedProcess[str]:
    """Train in several processes; `last` is the step at which all of them are killed."""
    (root / "program.py").write_text(PROGRAM)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    command = [*launcher, str(root / "program.py"), str(root), how, str(last)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=300, check=False)


def test_both_end_with_the_same_weights_in_one_folder_also_when_they_were_killed(
    two_systems: Path, tmp_path: Path
) -> None:
    project = two_systems
    killed = shutil.copytree(project, tmp_path / "killed")
    done = launch(project, "new")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Warning" not in done.stderr
    assert [path.name for path in (project / "runs").iterdir()] == ["run0"]
    run = project / "runs" / "run0"
    assert (project / "digest-0").read_text() == (project / "digest-1").read_text()
    assert json.loads((run / "provenance.json").read_text())["machine"]["processes"] == 2
    assert not [path.name for path in run.iterdir() if path.is_dir()]
    assert pd.read_csv(run / "held_out.csv")["domain"].tolist() == ["alpha", "beta"]
    assert (run / "loss_plot.png").exists()

    assert launch(killed, "new", last=5).returncode != 0
    assert list((killed / "runs/run0/checkpoints").glob("checkpoint-*/rng_state_1.pth"))
    alone = launch(killed, "resume", count=1)
    assert "number of processes" in alone.stderr
    again = launch(killed, "resume")
    assert again.returncode == 0, again.stderr[-3000:]
    for name in ("digest-0", "digest-1"):
        assert (killed / name).read_text() == (project / "digest-0").read_text()
    weights, expected = (load_file(root / "runs/run0/best_model.safetensors") for root in (killed, project))
    assert all(np.array_equal(weights[name], expected[name]) for name in expected)
    assert np.array_equal(*(np.load(root / "runs/run0/train_losses.npy") for root in (killed, project)))


def test_the_task_speaks_once_and_other_tasks_are_for_one_process(project: Path) -> None:
    done = launch(project, "fab TrainDetector --dataset=datasets/corpus --detector=tiny --epochs=1")
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("Next: fab TestModel --run=run0") == 1
    refused = launch(project, "fab TestModel --run=run0")
    assert refused.returncode != 0
    assert "TestModel: This task is one process: start it without a launcher of 2." in refused.stderr
