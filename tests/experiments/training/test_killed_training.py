"""A training of a detector ended by SIGKILL and resumed from its run folder: the weights of an undisturbed one."""

import shutil
import time
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from src.detectors import DETECTORS
from src.detectors.training import loop
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.inputs.waveforms import Waveforms
from src.experiments.runs.names import RunName
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.resuming import resume_run
from src.experiments.training.trainer import train_model
from src.learning import trainer as learning
from src.utils.files import read_json, write_json
from tests.forked import FORK, finished, forked, kill

pytestmark = pytest.mark.usefixtures("one_thread")
RUN = RunName.parse("run0")


def train_in_its_process(root: Path, how: str, last: int, waits: Connection) -> None:
    """Train, or resume, with a checkpoint at every step; after a step say so, and wait to be killed."""
    DETECTORS["tiny"] = "tests.detectors.tiny:Tiny"
    learning.CHECKPOINT_SECONDS = 0.0
    step = loop.OurTrainer.training_step

    def counted(self: loop.OurTrainer, *arguments: Any) -> Any:
        loss = step(self, *arguments)
        if self.state.global_step == last:
            waits.send(last)
            time.sleep(60)
        return loss

    loop.OurTrainer.training_step = counted  # type: ignore[method-assign]
    if how == "resume":
        resume_run(RUN, root=root)
    else:
        train_model(choose_recipe(root / "datasets" / "corpus", Waveforms(), "tiny"), root=root)


def start(root: Path, how: str, last: int) -> tuple[BaseProcess, Connection]:
    told, waits = FORK.Pipe(duplex=False)
    return forked(train_in_its_process, root, how, last, waits), told


def train(root: Path, how: str = "new") -> None:
    process, _ = start(root, how, -1)
    assert finished(process) == 0


def kill_at(root: Path, how: str, step: int) -> None:
    """Start a training, and kill it once it has taken a step."""
    process, told = start(root, how, step)
    assert told.poll(60), "it never came to this step"
    kill(process)


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
    monkeypatch.setitem(DETECTORS, "tiny", "tests.detectors.tiny:Tiny")
    dataset = project / "datasets" / "corpus"
    kill_at(project, "new", 5)
    recordings = sorted(dataset.rglob("*.flac"))
    content = recordings[0].read_bytes()
    recordings[0].write_bytes(content + b"more")
    with pytest.raises(ValueError, match="corpus_digest"):
        resume_run(RUN, root=project)
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
    with pytest.raises(ValueError, match=r"belongs to a study.*`study_number=2`"):
        resume_run(RunName.parse(name), root=tmp_path)
