"""Calls for the tests of engines: they note what they do in a folder, and go on where they stopped."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import optuna

from src.experiments.extraction.clusters import extract_part
from src.experiments.extraction.requests import Limits
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.studies.search import Search
from src.utils.embedding_store import EmbeddingStore

GO = "go"
"""A file that tells the attempts of `extract_together` to go on."""


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
    """Carry out a part of a plan; the first attempt at it, as all first ones, waits half-way for the word to go on."""
    append, attempt = EmbeddingStore.append, meeting / f"{number}-{os.getpid()}"
    is_first = not list(meeting.glob(f"{number}-*"))
    attempt.touch()

    def append_and_wait(*arguments: Any) -> None:
        append(*arguments)
        attempt.write_text("half-way")
        wait_until((meeting / GO).exists)

    with mock.patch.object(EmbeddingStore, "append", append_and_wait if is_first else append):
        return extract_part(place, number, n_parts)


def wait_until(is_so: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for what must come true within the given time."""
    give_up = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.01)


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
