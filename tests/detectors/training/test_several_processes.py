"""Two processes that train one detector, as `torchrun` starts them: one run folder, one model, after a kill too.

`torchrun` itself starts the task once. The other pairs are forked, with the variables that it sets: torch and
transformers need not be imported again.
"""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from src.detectors import DETECTORS
from src.detectors.training import loop
from src.experiments.inputs.waveforms import Waveforms
from src.experiments.runs.names import RunName
from src.experiments.training import resuming, trainer
from src.experiments.training.recipe import choose_recipe
from src.learning import trainer as learning
from tests.forked import finished, forked
from tests.typed import run_fab

ROOT = Path(__file__).resolve().parents[3]
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
PROGRAM = """
import sys
from pathlib import Path

import pytest

import src.utils.processes
from src.detectors import DETECTORS
from tests.typed import run_fab

DETECTORS["tiny"] = "tests.detectors.tiny:Tiny"
sys.exit(run_fab(sys.argv[2], Path(sys.argv[1]), pytest.MonkeyPatch()))
"""


def in_one_of_several(work: Any, *arguments: Any) -> None:
    """Do some work as one of the processes that a launcher has started."""
    from accelerate.state import AcceleratorState, GradientState

    AcceleratorState._reset_state(reset_partial_state=True)  # of trainings before the fork, which were alone
    GradientState._reset_state()
    DETECTORS["tiny"] = "tests.detectors.tiny:Tiny"
    work(*arguments)


def train(root: Path, how: str, last: int) -> None:
    """Train, or resume, with a checkpoint at every step; be killed at the step `last`; note the weights at the end."""
    learning.CHECKPOINT_SECONDS = 0.0
    step = loop.OurTrainer.training_step

    def until(self: loop.OurTrainer, *arguments: Any) -> Any:
        if self.state.global_step == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(self, *arguments)

    loop.OurTrainer.training_step = until  # type: ignore[method-assign]
    if how == "resume":
        run = resuming.resume_run(RunName.parse("run0"), root=root)
    else:
        recipe = choose_recipe(root / "datasets" / "corpus", Waveforms(), "tiny")
        run = trainer.train_model(replace(recipe, hold_out="system"), root=root)
    state = run.model.trained.state_dict()  # type: ignore[attr-defined]
    digest = hashlib.sha256(b"".join(state[name].numpy().tobytes() for name in sorted(state))).hexdigest()
    (root / f"digest-{os.environ['RANK']}").write_text(digest + f" {run.metrics['eer']}")


def type_task(root: Path, task: str) -> None:
    sys.exit(run_fab(task, root, pytest.MonkeyPatch()))


def launch(root: Path, work: Any, *arguments: Any, count: int = 2) -> tuple[list[int], str]:
    """Do some work in several processes at once; return their exit codes and what they wrote."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count)}
    output = root / "output.txt"
    output.write_text("")
    processes = [
        forked(
            in_one_of_several,
            work,
            root,
            *arguments,
            output=output,
            environment={**variables, "RANK": str(number), "LOCAL_RANK": str(number)},
        )
        for number in range(count)
    ]
    return [finished(process) for process in processes], output.read_text()


@pytest.fixture
def two_systems(project: Path) -> Path:
    """Name two systems in turn as makers of the spoofs, so that either can be left out."""
    for path in (project / "datasets/corpus/splits/by_file").glob("*.csv"):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        names = np.where(np.arange(len(table)) % 2, "alpha", "beta")
        table.assign(system=np.where(table["label"] == "spoof", names, "")).to_csv(path, index=False)
    return project


def test_both_end_with_the_same_weights_in_one_folder_also_when_they_were_killed(
    two_systems: Path, tmp_path: Path
) -> None:
    project = two_systems
    killed = shutil.copytree(project, tmp_path / "killed")
    codes, told = launch(project, train, "new", -1)
    assert codes == [0, 0], told[-3000:]
    assert [path.name for path in (project / "runs").iterdir()] == ["run0"]
    run = project / "runs" / "run0"
    assert (project / "digest-0").read_text() == (project / "digest-1").read_text()
    assert json.loads((run / "provenance.json").read_text())["machine"]["processes"] == 2
    assert not [path.name for path in run.iterdir() if path.is_dir()]
    assert pd.read_csv(run / "held_out.csv")["domain"].tolist() == ["alpha", "beta"]
    assert (run / "loss_plot.png").exists()

    assert -signal.SIGKILL in launch(killed, train, "new", 5)[0]  # the other may first miss the one that is dead
    assert list((killed / "runs/run0/checkpoints").glob("checkpoint-*/rng_state_1.pth"))
    codes, told = launch(killed, train, "resume", -1, count=1)
    assert codes == [1]
    assert "number of processes" in told
    codes, told = launch(killed, train, "resume", -1)
    assert codes == [0, 0], told[-3000:]
    for name in ("digest-0", "digest-1"):
        assert (killed / name).read_text() == (project / "digest-0").read_text()
    weights, expected = (load_file(root / "runs/run0/best_model.safetensors") for root in (killed, project))
    assert all(np.array_equal(weights[name], expected[name]) for name in expected)
    assert np.array_equal(*(np.load(root / "runs/run0/train_losses.npy") for root in (killed, project)))


def test_the_task_speaks_once_and_other_tasks_are_for_one_process(project: Path) -> None:
    (project / "program.py").write_text(PROGRAM)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    task = "TrainDetector --dataset=datasets/corpus --detector=tiny --epochs=1"
    command = [*launcher, str(project / "program.py"), str(project), task]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("Next: fab TestModel --run=run0") == 1
    assert "Warning" not in done.stderr
    codes, told = launch(project, type_task, "TestModel --run=run0")
    assert codes == [2, 2]
    assert "TestModel: This task is one process: start it without a launcher of 2." in told
