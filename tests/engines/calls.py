"""Calls for the tests of engines: they note what they do in a folder, and go on where they stopped."""

import os
import signal
import time
from pathlib import Path
from typing import Any
from unittest import mock

import optuna

from src.experiments.extraction.clusters import extract_part
from src.experiments.extraction.requests import Limits
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.studies.search import Search
from src.utils.embedding_store import EmbeddingStore


def add(one: int, other: int) -> int:
    return one + other


def count(folder: Path, number: int, steps: int, seconds: float = 0.0) -> int:
    """Write a line for each step, after those that are there; return how many there are."""
    path = folder / f"{number}.txt"
    while (done := path.read_text().count("\n") if path.is_file() else 0) < steps:
        time.sleep(seconds)
        with path.open("a") as file:
            file.write(f"{done} {os.getpid()}\n")
    return done


def extract_together(meeting: Path, place: Path, number: int, n_parts: int) -> Any:
    """Carry out a part of a plan once all parts have begun, the first time at leisure."""
    seconds = 0.0 if (meeting / str(number)).exists() else 0.3
    append = EmbeddingStore.append

    def append_late(*arguments: Any) -> None:
        time.sleep(seconds)
        append(*arguments)

    (meeting / str(number)).touch()
    give_up = time.monotonic() + 60
    while len(list(meeting.iterdir())) < n_parts:
        assert time.monotonic() < give_up, "somebody did not come"
        time.sleep(0.01)
    with mock.patch.object(EmbeddingStore, "append", append_late):
        return extract_part(place, number, n_parts)


def die_once(folder: Path, number: int) -> int:
    """End this process by force when called for the first time."""
    if not (folder / f"{number}.died").exists():
        (folder / f"{number}.died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def refuse() -> Limits:
    """Raise what is bad input."""
    return Limits(batch_seconds=-1.0)


def refuse_own() -> None:
    """Raise what is bad input, of a kind that this project defines."""
    study = optuna.create_study()
    study.enqueue_trial({"head": "linear", "freeze": "encoder"})
    Search(Path("corpus"), Embeddings("hubert"), "fine-tuned", fixed={"gradual": 4}).draw(study.ask(), 100)


def stumble() -> float:
    """Raise what is a bug."""
    return float("nine")
