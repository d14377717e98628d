"""Two processes that train one detector, as `torchrun` starts them: one run folder, one model, after a kill too.

`torchrun` itself starts the task once. The other pairs are forked, with the variables that it sets: torch and
transformers need not be imported again.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from src.detectors.training import loop
from src.experiments.inputs.waveforms import Waveforms
from src.experiments.runs import folders
from src.experiments.runs.names import RunName
from src.experiments.training import resuming, trainer
from src.experiments.training.recipe import choose_recipe
from src.learning import trainer as learning
from src.utils.processes import own_number
from tests.launched import launch
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


def type_and_die(root: Path, task: str, victim: int) -> None:
    """Type a task in a process that is killed at the sixth step if it has this number; a checkpoint at every step."""
    learning.CHECKPOINT_SECONDS = 0.0
    step = loop.OurTrainer.training_step

    def until(self: loop.OurTrainer, *arguments: Any) -> Any:
        if self.state.global_step == 5 and own_number() == victim:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(self, *arguments)

    loop.OurTrainer.training_step = until  # type: ignore[method-assign]
    type_task(root, task)


def on_own_disk(root: Path, task: str) -> None:
    """Type a task in a process that, but for the first, does not see what the others write, as on another machine."""
    folders._appears = lambda _: own_number() == 0  # type: ignore[assignment]
    type_task(root, task)


def type_task(root: Path, task: str) -> None:
    sys.exit(run_fab(task, root, pytest.MonkeyPatch()))


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


def own_lines(told: str) -> list[str]:
    """Return the lines that are neither progress nor a note of PyTorch's, which only forked processes say."""
    return [line for line in told.splitlines() if not line.startswith(("epoch ", "[rank"))]


TRAIN = "TrainDetector --dataset=datasets/corpus --detector=tiny --epochs=2"


@pytest.mark.parametrize("victim", [0, 1])
def test_one_that_is_killed_ends_all_of_them_with_one_line(project: Path, victim: int) -> None:
    reading = f"{TRAIN} --workers=1"  # by a process that outlives the one that is killed, and must not speak for it
    codes, told = launch(project, type_and_die, reading, victim, count=3)
    assert codes == [-signal.SIGKILL if number == victim else 2 for number in range(3)], told
    lines = own_lines(told)
    assert len(lines) == 1, told
    assert lines[0].startswith(f"TrainDetector: Process {victim} of 3, on ")
    assert lines[0].endswith("Resume it with torchrun --nproc-per-node=3 -m fabric TrainDetector --resume=run0.")
    assert list((project / "runs/run0/checkpoints").glob("checkpoint-*/complete.json"))


def test_bad_input_of_one_is_one_line_and_leaves_nothing(project: Path) -> None:
    """A recording of the training, and then one of the validation, that only one process reads."""
    for split in ("train", "val"):
        table = pd.read_csv(project / f"datasets/corpus/splits/by_file/files-downstream_{split}.csv")
        clip = project / "datasets/corpus" / table["file"][1]
        kept = clip.read_bytes()
        clip.write_bytes(b"nothing")
        codes, told = launch(project, type_task, TRAIN)
        clip.write_bytes(kept)
        assert codes == [2, 2], told
        lines = own_lines(told)
        assert len(lines) == 1, told
        assert f"{clip.name} cannot be used" in lines[0]
        assert not list((project / "runs").iterdir())
    codes, told = launch(project, on_own_disk, TRAIN)
    assert codes == [2, 2]
    assert len(own_lines(told)) == 1, told
    assert "which the first process made, is not there on" in told
    assert not list((project / "runs").iterdir())
    codes, told = launch(project, type_task, "TrainDetector --dataset=datasets/none --detector=tiny")
    assert codes == [2, 2]
    assert len(own_lines(told)) == 1, told
