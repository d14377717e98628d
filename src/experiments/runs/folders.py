"""Run folders: numbered by exclusive creation, and found by name.

Making a folder fails if it exists: of two processes that try the same number, one gets it and the other takes the next.
Counting folders instead could give both the same number.
"""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from filelock import FileLock, Timeout

from src.experiments.runs.artefacts import BEST, CHECKPOINTS, METRICS, TEST_RESULTS
from src.experiments.runs.commands import how_to_resume_training, how_to_search, how_to_train_again, launched
from src.experiments.runs.names import CROSS, RUN, RunName, StudyName, existing_numbers, studies_prefix
from src.utils.files import NO_ROOM, read_json, read_record, write_json
from src.utils.paths import runs_folder
from src.utils.peers import if_one_is_lost
from src.utils.processes import from_first, gathered, is_first

APPEARS_SECONDS = 30.0


def new_numbered_folder(parent: Path, prefix: str, *, above: int | None = None) -> Path:
    """Make the folder `<parent>/<prefix><n>`, with n above `above` and all existing numbers, for this caller alone."""
    parent.mkdir(parents=True, exist_ok=True)
    number = max([-1 if above is None else above, *existing_numbers(parent, prefix)]) + 1
    while True:
        folder = parent / f"{prefix}{number}"
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder


def new_folder_of_all(parent: Path, prefix: str) -> Path:
    """Make such a folder for all processes of a launcher, and return it to each of them.

    Raises
    ------
    ValueError
        When another machine does not see it.
    """
    folder = from_first(lambda: new_numbered_folder(parent, prefix))
    blind = sorted({host for host in gathered("" if _appears(folder) else socket.gethostname()) if host})
    if blind:
        if is_first():
            folder.rmdir()
        raise ValueError(
            f"{folder}, which the first process made, is not there on {', '.join(blind)}: the machines need the "
            "project on a disk that they share."
        )
    return folder


def _appears(folder: Path) -> bool:
    """Wait until a folder is there that another machine has made: a network disk shows it some seconds later."""
    until = monotonic() + APPEARS_SECONDS
    while not folder.is_dir() and monotonic() < until:
        sleep(0.5)
    return folder.is_dir()


def folder_to_resume(parent: Path, prefix: str, inputs: Mapping[str, Any], *, note: str, last: str) -> Path:
    """Return the newest unfinished folder `<parent>/<prefix><n>` of exactly these inputs, else a new one.

    Parameters
    ----------
    parent : Path
    prefix : str
    inputs : mapping
        JSON, which the folder keeps in the file `note`.
    note, last : str
        The files that are written first and last.
    """
    for number in reversed(existing_numbers(parent, prefix)):
        folder = parent / f"{prefix}{number}"
        if (folder / note).is_file() and not (folder / last).is_file() and read_json(folder / note) == inputs:
            return folder
    folder = new_numbered_folder(parent, prefix)
    write_json(folder / note, inputs)
    return folder


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Lock a folder for this process while it works there.

    Raises
    ------
    ValueError
        When another process holds it.
    """
    try:
        with FileLock(folder / ".lock", timeout=0):
            try:
                yield
            finally:
                (folder / ".lock").unlink(missing_ok=True)
    except Timeout:
        raise ValueError(f"Another process is at work on {folder.name}; wait for it to end.") from None


@contextmanager
def telling_how_to_resume(folder: Path, how: Callable[[Path], str]) -> Iterator[None]:
    """Say how a training is resumed whose checkpoints lie in a folder.

    Parameters
    ----------
    folder : Path
    how : callable
        Returns the command that resumes it.

    Raises
    ------
    KeyboardInterrupt, ValueError
        When it is stopped, or the disk is full, after it began to keep checkpoints; other errors pass as they are.
    """

    def remedy() -> str:
        begun = (folder / CHECKPOINTS).is_dir()
        return f"Resume it with {launched(how(folder))}." if begun else "Start the same command again."

    try:
        with if_one_is_lost(remedy):
            yield
    except (KeyboardInterrupt, OSError) as error:
        if not (folder / CHECKPOINTS).is_dir():
            raise
        resume = f"resume it with {launched(how(folder))}."
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(f"stopped; {resume}") from None
        if error.errno not in NO_ROOM:
            raise
        raise ValueError(f"{error.strerror}: {error.filename or folder}. Free some space and {resume}") from None


def find_study(root: Path, study: StudyName) -> Path:
    """Return the folder of a study.

    Raises
    ------
    FileNotFoundError
        When there is none of that name; the message lists the existing ones.
    """
    folder = study.folder(root)
    if not folder.is_dir():
        there = existing_numbers(runs_folder(root), studies_prefix(study.classifier))
        raise FileNotFoundError(
            f"There is no study {study.number} of {study.classifier}; {_listed('studies', there)}. "
            f"{how_to_search(study.classifier)} makes one."
        )
    return folder


def find_run(root: Path, name: RunName) -> Path:
    """Return the folder of a finished run; a study alone stands for its best trial.

    Raises
    ------
    FileNotFoundError
        When there is no such study or run, or the run did not finish.
    """
    parent = find_study(root, name.study) if name.study else runs_folder(root)
    if name.study and name.number is None:
        name = _best_run(name.study, root)
        if not name.folder(root).is_dir():
            best = read_record(parent / BEST, "best_hyperparameters")
            again = how_to_train_again(best["best_hyperparameters"], parent / BEST, best.get("dataset"))
            raise FileNotFoundError(
                f"The best trial of {parent}, run {name.number}, is not here: test it on the machine that trained "
                f"it, or train it here with {again}."
            )
    folder = find_folder(root, name)
    last = TEST_RESULTS if name.is_cross else METRICS
    if not (folder / last).is_file():
        raise FileNotFoundError(f"{folder} did not finish (no {last}); {_how_to_finish(name, folder)}.")
    return folder


def find_folder(root: Path, name: RunName) -> Path:
    """Return the folder of a run, finished or not; FileNotFoundError lists those that are there."""
    folder = name.folder(root)
    if not folder.is_dir() and name.is_cross:
        there = existing_numbers(folder.parent, CROSS)
        raise FileNotFoundError(f"There is no {name} in {folder.parent}; {_listed('cross-validations', there)}.")
    if not folder.is_dir():
        there = existing_numbers(folder.parent, RUN)
        maker = "" if name.study or there else " fab TrainModel and fab TrainDetector make runs."
        raise FileNotFoundError(f"There is no run {name.number} in {folder.parent}; {_listed('runs', there)}.{maker}")
    return folder


def _how_to_finish(name: RunName, folder: Path) -> str:
    """Say what finishes a run that did not: a study resumes its trials, a detector its training."""
    if name.is_cross:
        return "type its fab CrossValidate again, which resumes it"
    if name.study:
        return "resume its study"
    return f"resume it with {how_to_resume_training(name)}" if (folder / CHECKPOINTS).is_dir() else "train it again"


def _best_run(study: StudyName, root: Path) -> RunName:
    path = study.folder(root) / BEST
    if not path.is_file():
        raise FileNotFoundError(
            f"{path.parent} has no finished trial yet; resume it with the flags that it was started with and "
            f"{how_to_search(study.classifier)} --study-number={study.number}."
        )
    return study.run(int(read_record(path, "best_trial_number")["best_trial_number"]))


def _listed(what: str, numbers: list[int]) -> str:
    if not numbers:
        return f"there are no {what} yet"
    shown = ("..., " if len(numbers) > 20 else "") + ", ".join(map(str, numbers[-20:]))
    return f"{what} there: {shown}"
