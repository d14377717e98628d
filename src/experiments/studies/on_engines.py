"""A study on the machines of a cluster: the engines of `src/engines` start workers, which share one storage.

Each worker does what a study does that somebody starts on another machine with `--storage=`: it draws trials, trains
them into the study's folder, and stores their outcomes, until as many are finished as are asked for (`places.py`). The
driver makes the study, follows, and draws the pictures. Only paths travel: what is searched stands in the study's
`study.json`, on the disk that all machines share.

A worker that dies loses the trial that it was training, and the engine starts it again; it then knows its earlier trial
by its name, and another takes that place at once.
"""

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from src.engines import open_engine
from src.engines.contract import Call, Engine
from src.experiments.inputs import input_of
from src.experiments.runs.folders import alone
from src.experiments.runs.names import StudyName
from src.experiments.runs.provenance import without_password
from src.experiments.studies.effort import Effort, StudyResult
from src.experiments.studies.search import FIXED, STUDY, Search, Wish
from src.experiments.studies.storage import full_name, this_worker
from src.experiments.studies.tuner import NEW_STUDY, Tuner, tuner_of
from src.experiments.training.recipe import HOLD_OUT
from src.utils.files import read_json

LOGS = "engine"
"""Below a study's folder: what engines write."""


def search_on_engine(
    search: Search, effort: Effort, engine: Engine, *, root: Path, wish: Wish = NEW_STUDY
) -> StudyResult:
    """Run a study until it has as many finished trials as asked for, by the workers of an engine.

    Parameters
    ----------
    search, effort, root, wish
        See `optimize_hyperparameters`; `jobs` are those of each worker, 1 by default: several may share a machine.
    engine : Engine
        Not local.

    Raises
    ------
    ValueError
        When there is no storage that workers can share, or the engine cannot be had.
    """
    if wish.storage is None:
        raise ValueError(
            f"`engine={engine.name}` needs a storage that all workers reach: give `storage`, "
            "postgresql://user@host/base or a journal file on a disk that they share."
        )
    if engine.name == "slurm" and without_password(wish.storage) != wish.storage:
        raise ValueError(
            f"`storage` with a password would be written to the disk for Slurm: give {without_password(wish.storage)} "
            "without it, and put the password into ~/.pgpass."
        )
    effort = replace(effort, jobs=effort.jobs or 1)
    with tuner_of(search, effort, root=root, wish=wish) as tuner, alone(tuner.folder):
        done = tuner.begin()
        if done < tuner.wanted:
            try:
                _let_train(tuner, done, engine, full_name(wish.storage))
            except ValueError:
                if wish.number is None:
                    tuner.forget()
                raise
            tuner.findings.note()
        return tuner.result(done)


def _let_train(tuner: Tuner, done: int, engine: Engine, storage: str) -> None:
    """Let workers train what is missing of a study, with one progress bar here."""
    driver, until = this_worker(), time.time() + tuner.effort.timeout if tuner.effort.timeout else None
    shared = (str(tuner.folder), str(tuner.search.dataset), storage, asdict(tuner.effort), until)
    gpu = tuner.kind.takes == "waveforms"
    bar = tuner.bar(done)

    def follow() -> None:
        tuner.places.free_lost()
        tuner.show(bar, f"{tuner.places.n_under_way()} under way, best {tuner.findings.best_eer():.2%}")

    try:
        with bar, open_engine(engine, tuner.folder / LOGS, gpu=gpu) as cluster:
            count = min(cluster.n_workers, tuner.wanted - done)
            names = [f"worker {number + 1} of {count}" for number in range(count)]
            cluster.run([Call(work, (*shared, f"{name} of {driver}"), name) for name in names], follow)
            follow()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(tuner.how_to_resume("stopped")) from None
    except ChildProcessError as error:
        raise ChildProcessError(f"{error} {tuner.how_to_resume('Stopped')}") from None
    finally:
        tuner.places.free_of(driver)
    shutil.rmtree(tuner.folder / LOGS, ignore_errors=True)


def work(folder: str, dataset: str, storage: str, effort: Mapping[str, Any], until: float | None, name: str) -> None:
    """Train trials of a study, as one worker of an engine, until enough are finished.

    Parameters
    ----------
    folder : str
        Of the study.
    dataset : str
        Folder of its corpus.
    storage : str
        Database URL or journal file.
    effort : mapping
        The fields of an `Effort`.
    until : float or None
        Time, in seconds since 1970, at which no trial is started any more.
    name : str
        The worker's, the same when it is started again.
    """
    seconds = None if until is None else until - time.time()
    if seconds is not None and seconds <= 0:
        return
    place = Path(folder)
    wish = Wish(StudyName.parse(place.name).number, storage)
    asked = replace(Effort(**effort), timeout=seconds)
    with tuner_of(_search_of(place, Path(dataset)), asked, root=place.parents[1], wish=wish, name=name) as tuner:
        tuner.work(tuner.begin())


def _search_of(folder: Path, dataset: Path) -> Search:
    """Return what a study searches, by its folder."""
    asked = read_json(folder / STUDY)
    fixed, hold_out = asked.get(FIXED, {}), asked.get(HOLD_OUT, "")
    return Search(dataset, input_of(asked), asked["classifier"], asked["seed"], fixed, hold_out)
