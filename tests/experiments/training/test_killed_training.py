"""A training of a detector ended by SIGKILL and resumed from its run folder: the weights of an undisturbed one."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from src.utils.files import read_json, write_json

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import sys, warnings
from pathlib import Path

import torch

from src.detectors import DETECTORS
from src.detectors.training import loop
from src.experiments.inputs.waveforms import Waveforms
from src.experiments.runs.names import RunName
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.resuming import resume_run
from src.experiments.training.trainer import train_model

warnings.simplefilter("ignore")
torch.set_num_threads(1)
DETECTORS["tiny"] = "tests.detectors.tiny:Tiny"
loop.CHECKPOINT_SECONDS = 0.0  # at every step
steps, step = int(sys.argv[3]), loop.OurTrainer.training_step


def counted(self, *arguments):
    print("step", flush=True)
    loss = step(self, *arguments)
    if self.state.global_step == steps:
        print("wait", flush=True)
        import time
        time.sleep(60)  # until killed
    return loss


loop.OurTrainer.training_step = counted
root = Path(sys.argv[1])
if sys.argv[2] == "resume":
    resume_run(RunName.parse("run0"), root=root)
else:
    train_model(choose_recipe(root / "datasets" / "corpus", Waveforms(), "tiny"), root=root)
"""


def start(root: Path, how: str, steps: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROGRAM, str(root), how, str(steps)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)


def train(root: Path, how: str = "new") -> None:
    process = start(root, how, -1)
    process.communicate(timeout=300)
    assert process.returncode == 0


def kill_at(root: Path, how: str, step: int) -> None:
    """Start a training, and kill it while it takes a step, or once it has noted a checkpoint."""
    process = start(root, how, step)
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == "wait":
            break
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()


@pytest.mark.slow
def test_killed_three_times_it_ends_with_the_weights_of_an_undisturbed_run(project: Path, tmp_path: Path) -> None:
    undisturbed = shutil.copytree(project, tmp_path / "undisturbed")
    train(undisturbed)
    table = project / "datasets/corpus/splits/by_file/files-downstream_train.csv"
    n_steps = 4 * ((len(table.read_text().splitlines()) - 1) // 4)  # four epochs of batches of four
    steps = sorted(np.random.default_rng(time.time_ns()).choice(np.arange(1, n_steps - 5), 3, replace=False).tolist())
    print("killed at steps", steps)
    for number, step in enumerate(steps):
        kill_at(project, "resume" if number else "new", step)
        assert not (project / "runs" / "run0" / "metrics.json").exists()
    train(project, "resume")
    before, after = (load_file(root / "runs" / "run0" / "best_model.safetensors") for root in (undisturbed, project))
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    for name in ("metrics.json", "hyperparameters.json", "calibration.json"):
        assert read_json(undisturbed / "runs/run0" / name) == read_json(project / "runs/run0" / name)
    assert np.array_equal(*(np.load(root / "runs/run0/train_losses.npy") for root in (undisturbed, project)))
    assert not (project / "runs" / "run0" / "checkpoints").exists()


@pytest.mark.slow
def test_what_cannot_be_resumed_is_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from src.detectors import DETECTORS
    from src.experiments.inputs.embeddings import Embeddings
    from src.experiments.runs.names import RunName
    from src.experiments.training.recipe import choose_recipe
    from src.experiments.training.resuming import resume_run
    from src.experiments.training.trainer import train_model

    monkeypatch.setitem(DETECTORS, "tiny", "tests.detectors.tiny:Tiny")
    dataset = project / "datasets" / "corpus"
    kill_at(project, "new", 5)
    recordings = sorted(dataset.rglob("*.flac"))
    content = recordings[0].read_bytes()
    recordings[0].write_bytes(content + b"more")
    with pytest.raises(ValueError, match="corpus_digest"):
        resume_run(RunName.parse("run0"), root=project)
    recordings[0].write_bytes(content)
    svm = train_model(choose_recipe(dataset, Embeddings("lfcc"), "lr"), root=project)
    with pytest.raises(ValueError, match="is finished: fab TestModel --run=run1"):
        resume_run(svm.name, root=project)
    (svm.folder / "metrics.json").unlink()
    provenance = read_json(svm.folder / "provenance.json")
    provenance["data"]["corpus"]["path"] = "/elsewhere/corpus"
    write_json(svm.folder / "provenance.json", provenance)
    with pytest.raises(ValueError, match=r"no checkpoints .* --dataset=/elsewhere/corpus --backbone=lfcc"):
        resume_run(svm.name, root=project)
    with pytest.raises(FileNotFoundError, match="no run 9"):
        resume_run(RunName.parse("run9"), root=project)


@pytest.mark.parametrize("name", ["tiny_study2", "tiny_study2/run0"])
def test_a_trial_is_resumed_by_its_study_alone(tmp_path: Path, name: str) -> None:
    from src.experiments.runs.names import RunName
    from src.experiments.training.resuming import resume_run

    with pytest.raises(ValueError, match=r"belongs to a study.*`study_number=2`"):
        resume_run(RunName.parse(name), root=tmp_path)
