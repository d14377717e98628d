"""Trains the trials of a study, in this process or in several others.

The process that runs the study draws the trials and stores their outcomes; workers only train. So nothing is lost when
a worker dies: its trial is given to a new one. Each worker is a process of its own with its share of the cores, and
keeps the embeddings that it read for its next trials.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.experiments.inputs import Input
from src.experiments.inputs.contract import TrainingData, read_training_data
from src.experiments.runs.artefacts import CHECKPOINTS, HYPERPARAMETERS
from src.experiments.training.recipe import Recipe
from src.experiments.training.trainer import train_run
from src.models.contract import Config, Watch, keep_going
from src.utils.files import read_json
from src.utils.parallel import serve

if TYPE_CHECKING:
    import loky
    import optuna

MOST_DEATHS = 3
LOOKS = 6
"""How often a training is compared with other trials, at evenly spaced epochs."""


@dataclass(frozen=True)
class Job:
    """A trial to train, its recipe and its folder."""

    trial: "optuna.Trial"
    recipe: Recipe
    folder: Path
    root: Path


@dataclass(frozen=True)
class Outcome:
    """The outcome of a trial; no metrics where every worker that trained it died."""

    trial: "optuna.Trial"
    hyperparameters: dict[str, Any]
    metrics: dict[str, Any] | None


def train_all(ask: Callable[[], Job | None], jobs: int) -> Iterator[Outcome]:
    """Yield the outcome of every job that `ask` returns, as they end, until it returns none and all have ended.

    Parameters
    ----------
    ask : callable
        Returns the next job, or None when none is to be started now; it is called again after each end.
    jobs : int
        Processes; 1 = this one.
    """
    if jobs == 1:
        while (job := ask()) is not None:
            yield train_job(job)
    else:
        yield from _train_in_processes(ask, jobs)


def train_job(job: Job) -> Outcome:
    """Train a trial into its folder."""
    recipe = job.recipe
    data = _read(recipe.input, recipe.dataset, job.root)
    if not _can_be_resumed(job, data):
        shutil.rmtree(job.folder, ignore_errors=True)  # of a trial that was killed
        job.folder.mkdir()
    # Losses in domain are no reason to stop what is judged by what it has not heard.
    watch = keep_going if recipe.hold_out else _pruning(job.trial, recipe.config)
    run = train_run(recipe, data, job.folder, watch=watch)
    return Outcome(job.trial, run.hyperparameters, run.metrics)


def _can_be_resumed(job: Job, data: TrainingData) -> bool:
    """Tell whether a killed training of exactly this trial left checkpoints."""
    if not (job.folder / CHECKPOINTS).is_dir() or not (job.folder / HYPERPARAMETERS).is_file():
        return False
    return bool(read_json(job.folder / HYPERPARAMETERS) == job.recipe.as_json(data.described))


def forget_data() -> None:
    """Drop the embeddings that this process keeps: they may change between two studies."""
    _read.cache_clear()


@lru_cache(maxsize=4)
def _read(wanted: Input, dataset: Path, root: Path) -> TrainingData:
    return read_training_data(wanted.open(dataset, root))


def _pruning(trial: "optuna.Trial", config: Config) -> Watch:
    """Return a watch that prunes a training whose best EER so far is worse than that of the best trials by then."""
    from optuna.exceptions import UpdateFinishedTrialError

    every = max(1, config.epochs // LOOKS)

    def watch(epoch: int, best_eer: float) -> bool:
        if (epoch + 1) % every:
            return False
        try:
            trial.report(best_eer, epoch)
        except UpdateFinishedTrialError:  # another machine took this process for dead: what it finds is dropped
            return True
        return trial.should_prune()

    return watch


class Worker:
    """A process that trains, replaced when it dies."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._process = _start_process(jobs)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Start a call and return its future; a process that died while it was idle is replaced first."""
        from loky.process_executor import BrokenProcessPool

        try:
            return self._process.submit(function, *arguments)
        except BrokenProcessPool:
            self.replace()
            return self._process.submit(function, *arguments)

    def replace(self) -> None:
        """Start a new process in place of one that died."""
        self._process.shutdown(wait=False)
        self._process = _start_process(self._jobs)

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self._process.shutdown(wait=False, kill_workers=True)


def _train_in_processes(ask: Callable[[], Job | None], jobs: int) -> Iterator[Outcome]:
    """Keep `jobs` processes busy; a process that dies is replaced, and its job tried again."""
    workers = [Worker(jobs) for _ in range(jobs)]
    idle = list(workers)
    at_work: dict[Any, tuple[Job, Worker, int]] = {}
    try:
        while True:
            while idle and (job := ask()) is not None:
                worker = idle.pop()
                at_work[worker.submit(train_job, job)] = (job, worker, 0)
            if not at_work:
                return
            for future in wait(at_work, return_when=FIRST_COMPLETED).done:
                job, worker, deaths = at_work.pop(future)
                if not _died(future):
                    idle.append(worker)
                    yield future.result()
                    continue
                worker.replace()
                if deaths + 1 < MOST_DEATHS:
                    at_work[worker.submit(train_job, job)] = (job, worker, deaths + 1)
                else:
                    idle.append(worker)
                    yield Outcome(job.trial, {}, None)
    finally:
        for worker in workers:
            worker.end()


def _died(future: Any) -> bool:
    from loky.process_executor import BrokenProcessPool

    return isinstance(future.exception(), BrokenProcessPool)


def _start_process(jobs: int) -> "loky.ProcessPoolExecutor":
    """Return an executor of one process with its share of the cores; Ctrl-C is for the process that started it."""
    import loky

    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    share = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
    return loky.ProcessPoolExecutor(
        max_workers=1,
        # loky would mistake the embeddings and kernels that a worker keeps for a leak, and replace it.
        env={**share, "LOKY_MAX_CPU_COUNT": threads, "LOKY_MAX_MEMORY_LEAK_SIZE": "1e15"},
        initializer=serve,
        initargs=(os.getpid(),),
    )
