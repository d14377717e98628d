"""Trains the trials of a study, in this process or in several others.

The process that runs the study draws the trials and stores their outcomes; workers only train. So nothing is lost when
a worker dies: its trial is given to a new one. Each worker is a process of its own with its share of the cores, and
keeps the embeddings that it read for its next trials.

With several workers a study can be repeated, too: the outcomes are stored in the order in which the trials were drawn,
and trial m is drawn when exactly the trials up to m - jobs are stored, whichever of them took longer. A worker that is
ahead waits for the others; that is the price.
"""

import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from src.experiments.inputs import Input
from src.experiments.inputs.contract import TrainingData, read_training_data
from src.experiments.runs.artefacts import CHECKPOINTS, HYPERPARAMETERS
from src.experiments.runs.provenance import code_version
from src.experiments.training.recipe import Recipe
from src.experiments.training.trainer import train_run
from src.models.contract import Config, Watch, keep_going
from src.utils.files import read_json
from src.utils.worker import Worker, can_fork, start_worker

if TYPE_CHECKING:
    import optuna

MOST_DEATHS = 3
"""How many processes may die when a trial is given to them, before it is given up."""
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


def train_all(ask: Callable[[], Job | None], workers: "Workers", *, in_order: bool = True) -> Iterator[Outcome]:
    """Yield the outcome of every job that `ask` returns, until it returns none and all have ended.

    Parameters
    ----------
    ask : callable
        Returns the next job, or None when none is to be started now; it is called again after each outcome.
    workers : Workers
    in_order : bool
        Whether outcomes come in the order of the jobs, or as they end.
    """
    under_way: deque[tuple[Job, Future[Outcome]]] = deque()
    while True:
        while len(under_way) < workers.jobs and (job := ask()) is not None:
            workers.start(_prepare, job)
            under_way.append((job, workers.submit(train_job, job)))
        if not under_way:
            return
        if not in_order:
            wait([future for _, future in under_way], return_when=FIRST_COMPLETED)
            under_way = deque(sorted(under_way, key=lambda each: not each[1].done()))
        job, future = under_way.popleft()
        try:
            yield future.result()
        except BrokenProcessPool:
            yield Outcome(job.trial, {}, None)


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


def _prepare(job: Job) -> None:
    """Find out, before processes are forked, what each of them would find out for itself."""
    _read(job.recipe.input, job.recipe.dataset, job.root)
    code_version()


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
    reported = max(trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values, default=-1)

    def watch(epoch: int, best_eer: float) -> bool:
        if (epoch + 1) % every or epoch < reported:  # a process that was killed has compared it there, and went on
            return False
        try:
            if epoch > reported:
                trial.report(best_eer, epoch)
        except UpdateFinishedTrialError:  # another machine took this process for dead: what it finds is dropped
            return True
        return trial.should_prune()

    return watch


class Workers:
    """The processes of a study, each replaced when it dies.

    Parameters
    ----------
    jobs : int
        How many; 1 = this process alone.
    """

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self._idle: deque[Worker] = deque()
        self._all: list[Worker] = []
        self._calls = ThreadPoolExecutor(jobs)
        self._has_ended = False
        self._changing = Lock()

    @property
    def n_threads(self) -> int:
        """How many threads each of several processes computes with: its share of the cores."""
        import loky

        return max(1, loky.cpu_count() // self.jobs)

    def start(self, prepare: Callable[..., Any], *arguments: Any) -> None:
        """Start the processes, once; where they are forked, what `prepare` reads before is shared by all."""
        if self.jobs == 1 or self._all:
            return
        if can_fork():
            prepare(*arguments)
        self._idle.extend(self._new() for _ in range(self.jobs))

    def submit(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Return the future of a call, which raises BrokenProcessPool where it killed process after process.

        Where no processes were started, the function is called here, before this returns.
        """
        if not self._all:
            future: Future[Any] = Future()
            future.set_result(function(*arguments))
            return future
        return self._calls.submit(self._call, function, arguments)

    def call_all(self, calls: Sequence[tuple[Any, ...]]) -> None:
        """Call functions with their arguments, in any order, and wait until all have returned.

        Raises
        ------
        ChildProcessError
            When one of them killed process after process.
        """
        futures = [self.submit(*call) for call in calls]
        try:
            for future in futures:
                future.result()
        except BrokenProcessPool:
            raise ChildProcessError(
                f"{MOST_DEATHS} worker processes died, possibly out of memory: run the same command again."
            ) from None

    def end(self) -> None:
        """End the processes, whatever they are doing."""
        with self._changing:
            self._has_ended = True
            for worker in self._all:
                worker.end()
        self._calls.shutdown()

    def _new(self) -> Worker:
        worker = start_worker(self.n_threads)
        self._all.append(worker)
        return worker

    def _replace(self, worker: Worker) -> Worker:
        """Start a process in place of one that died; raise BrokenProcessPool where it was ended."""
        with self._changing:
            if self._has_ended:
                raise BrokenProcessPool("The processes were ended.")
            new = self._new()
            worker.end()
            self._all.remove(worker)
            return new

    def _call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Call a function in an idle process, and in others in turn where that dies."""
        worker = self._idle.popleft()
        try:
            for death in range(1, MOST_DEATHS + 1):
                try:
                    return worker.call(function, *arguments)
                except BrokenProcessPool:
                    worker = self._replace(worker)
                    if death == MOST_DEATHS:
                        raise
        finally:
            self._idle.append(worker)
