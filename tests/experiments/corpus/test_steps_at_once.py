"""Two steps at work on one corpus lose nothing of each other's, whenever either is delayed; and missing permissions."""

import errno
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from filelock import FileLock

from src.experiments.corpus import catalogue
from src.experiments.corpus.catalogue import add_amplitude, add_duration, generate_tables
from src.experiments.corpus.inspection import inspect_dataset
from src.utils.dataset import read_files, read_people, read_rejected

MakeCorpus = Callable[..., Path]
FORK = multiprocessing.get_context("fork")


def started(step: Callable[..., object], dataset: Path) -> BaseProcess:
    """Run a step in another process, with no processes of its own."""
    process = FORK.Process(target=step, args=(dataset, 1))
    process.start()
    return process


@pytest.mark.parametrize("step", [add_duration, add_amplitude])
def test_whoever_may_not_write_learns_it_before_any_clip_is_measured(
    step: Callable[..., object], make_corpus: MakeCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault 13, docs/faults.md."""
    dataset = make_corpus(people=2, clips=1)
    generate_tables(dataset)
    opened = []
    monkeypatch.setattr(catalogue, "usable_or_reason", lambda *_: opened.append(1) or (1.0, ""))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    with pytest.raises(PermissionError, match=f"The tables of {dataset} cannot be changed"):
        step(dataset, jobs=1)
    assert not opened


def test_clips_that_are_listed_while_others_are_measured_are_measured_as_well(
    make_corpus: MakeCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = make_corpus(people=3, clips=2)
    late = dataset / "real_voices" / "Person00_F000" / "F000-0001.flac"
    content = late.read_bytes()
    late.unlink()
    generate_tables(dataset)
    before = read_files(dataset)
    measure = catalogue._duration

    def measure_and_list(path: Path) -> float:
        if path.parent == late.parent and len(read_files(dataset)) == len(before):
            late.write_bytes(content)
            generate_tables(dataset)
        return measure(path)

    monkeypatch.setattr(catalogue, "_duration", measure_and_list)
    assert add_duration(dataset, jobs=1).n_clips == len(before) + 1
    assert read_files(dataset)["duration"].notna().all()


def disturbed(steps: list[BaseProcess], rng: random.Random) -> None:
    """Stop processes and let them continue at random moments until all have ended, each without an error."""
    while any(step.is_alive() for step in steps):
        step = rng.choice(steps)
        if step.is_alive() and step.pid:
            os.kill(step.pid, signal.SIGSTOP)
            time.sleep(rng.uniform(0, 0.03))
            os.kill(step.pid, signal.SIGCONT)
        time.sleep(rng.uniform(0, 0.02))
    for step in steps:
        step.join()
        assert step.exitcode == 0


@pytest.mark.slow
def test_no_column_is_lost_beside_a_step_that_reads(make_corpus: MakeCorpus) -> None:
    """Fault 07, docs/faults.md: DatasetInfo wrote the table that it had read before a column was added."""
    dataset = make_corpus(people=3, clips=2)
    (dataset / "real_voices" / "Person00_F000" / "bad.wav").write_bytes(b"no sound")
    for attempt in range(20):
        generate_tables(dataset)
        steps = [started(inspect_dataset, dataset), started(add_duration, dataset)]
        disturbed(steps, random.Random(attempt))
        files = read_files(dataset)
        assert files["duration"].notna().all()
        assert len(files) == 3 * 2 + 2 * 2
        assert set(read_rejected(dataset)) == {"real_voices/Person00_F000/bad.wav"}
        assert not list(dataset.glob(".*"))


@pytest.mark.slow
def test_no_column_is_lost_beside_another_step_that_writes(make_corpus: MakeCorpus) -> None:
    dataset = make_corpus(people=3, clips=2)
    for attempt in range(20):
        generate_tables(dataset)
        steps = [started(add_amplitude, dataset), started(add_duration, dataset)]
        disturbed(steps, random.Random(attempt))
        assert {"duration", "amplitude"} <= set(read_files(dataset).columns)
        assert len(read_people(dataset)) == 3
