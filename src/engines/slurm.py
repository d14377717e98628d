"""Calls by Slurm: an array of jobs, submitted by submitit and looked after until the last has ended.

Slurm gives a job a time limit. Shortly before it is over, submitit hears a signal and puts the job into the queue
again, which is allowed because every call can be made again (its `checkpoint` is the call itself). A job that Slurm
preempts, or whose node fails, Slurm puts into the queue again by itself. A job that ended without an answer was
killed, and is submitted again here. Who is alive is asked of `squeue`, which every cluster has; `sacct` needs a
database that small clusters lack.

What sbatch takes beside partition and time limit can be given by its own environment variables: SBATCH_ACCOUNT,
SBATCH_QOS, SBATCH_MEM_PER_CPU and so on.
"""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from src.engines.calling import carrier, packed, result_of
from src.engines.contract import MOST_DEATHS, POLL_SECONDS, Call, Engine
from src.engines.slurm_commands import (
    TIME_LIMIT,
    Share,
    cancel,
    end_leftovers,
    in_queue,
    last_words,
    share_of_partition,
)
from src.utils.files import read_json, write_json

SIGNAL_SECONDS = 90
"""How long before its end a job hears that its time is over; of short jobs a quarter of their time."""
MOST_TIMEOUTS = 100
"""How often a job may run out of time."""
LATE_SECONDS = 30.0
"""How long after its job has ended an answer may take to be seen on a network disk."""
SUBMITTED = "submitted.json"
"""File with the jobs of a driver, which the next one cancels if the driver was killed."""


@dataclass
class SlurmCluster:
    """Jobs of one driver."""

    engine: Engine
    folder: Path
    """On the shared disk, for logs and answers."""
    share: Share
    _jobs: dict[int, Any] = field(default_factory=dict)
    """Number of a call -> its job, until it has answered."""
    _arrays: set[str] = field(default_factory=set)
    """Ids of all that was submitted."""
    _deaths: dict[int, int] = field(default_factory=dict)
    _gone: dict[int, float] = field(default_factory=dict)
    """Number of a call -> when its job was first seen to have ended without an answer."""

    @property
    def n_workers(self) -> int:
        """Calls at the same time."""
        return self.engine.workers

    def run(self, calls: Sequence[Call], follow: Callable[[], None]) -> list[Any]:
        """Make the calls; see `Cluster.run`."""
        results: dict[int, Any] = {}
        self._deaths.clear()
        try:
            self._submit(dict(enumerate(calls)))
            while self._jobs:
                follow()
                for number in self._answered():
                    results[number] = self._result(number, calls[number])
                self._submit({number: calls[number] for number in self._lost(calls)})
                if self._jobs:
                    time.sleep(POLL_SECONDS)
        finally:
            self._cancel()
        follow()
        shutil.rmtree(self.folder, ignore_errors=True)
        return [results[number] for number in range(len(calls))]

    def _submit(self, calls: dict[int, Call]) -> None:
        """Submit calls as one array."""
        if not calls:
            return
        from submitit import AutoExecutor
        from submitit.core.utils import FailedJobError

        executor = AutoExecutor(self.folder, cluster=self.engine.cluster, slurm_max_num_timeout=MOST_TIMEOUTS)
        executor.update_parameters(**self._parameters())
        arguments = zip(*(packed(call, self.share.cpus) for call in calls.values()), strict=True)
        try:
            jobs = executor.map_array(_again(), *arguments)
        except FailedJobError as error:
            raise ValueError(f"Slurm refuses the jobs: {last_words(str(error))}") from None
        self._jobs |= dict(zip(calls, jobs, strict=True))
        self._arrays |= {job.job_id.split("_")[0] for job in jobs}
        write_json(self.folder / SUBMITTED, sorted(self._arrays))

    def _parameters(self) -> dict[str, Any]:
        """Return what submitit is told of each job."""
        minutes = self.share.minutes
        common = {
            "name": "audios",
            "timeout_min": minutes,
            "cpus_per_task": self.share.cpus,
            "gpus_per_node": self.share.gpus,
        }
        if self.engine.cluster != "slurm":
            return {**common, "gpus_per_node": None}
        return {
            **{name: value or None for name, value in common.items()},
            "slurm_partition": self.engine.partition or None,
            "slurm_array_parallelism": self.engine.workers,
            "slurm_signal_delay_s": min(SIGNAL_SECONDS, minutes * 15),
            "slurm_wckey": "",
            "slurm_additional_parameters": {"requeue": True},
            "slurm_srun_args": [f"--cpus-per-task={self.share.cpus}"],  # srun does not take it from sbatch
        }

    def _answered(self) -> list[int]:
        """Return the calls whose jobs have left an answer."""
        with os.scandir(self.folder):  # makes a network disk look again
            pass
        return [number for number, job in self._jobs.items() if job.paths.result_pickle.is_file()]

    def _result(self, number: int, call: Call) -> Any:
        """Return the result of a job that has left an answer, or raise its error."""
        job = self._jobs.pop(number)
        error = job.exception()
        if error is None:
            return result_of(job.result())
        trace = str(error).split("-" * 10)[1] if "-" * 10 in str(error) else str(error)
        raise ChildProcessError(f"{call.name} failed: {last_words(trace)} (see {job.paths.stderr}).")

    def _lost(self, calls: Sequence[Call]) -> list[int]:
        """Return the calls whose jobs ended without an answer; raise ChildProcessError when one did so too often."""
        at_work = self._at_work()
        lost = []
        for number, job in list(self._jobs.items()):
            if job.job_id in at_work or job.paths.result_pickle.is_file():
                self._gone.pop(number, None)
            elif time.monotonic() - self._gone.setdefault(number, time.monotonic()) >= self._late:
                del self._jobs[number], self._gone[number]
                self._deaths[number] = self._deaths.get(number, 0) + 1
                if self._deaths[number] >= MOST_DEATHS:
                    why = last_words(job.stderr() or "it left no log")
                    raise ChildProcessError(
                        f"{calls[number].name} was lost {MOST_DEATHS} times ({why}; see {job.paths.stderr}): "
                        "run the same command again; finished work is kept."
                    )
                lost.append(number)
        return lost

    @property
    def _late(self) -> float:
        return LATE_SECONDS if self.engine.cluster == "slurm" else 0.0

    def _at_work(self) -> set[str]:
        """Return the ids of the jobs that wait or run; all of them where that cannot be found out now."""
        if self.engine.cluster != "slurm":
            return {job.job_id for job in self._jobs.values() if not job.done()}
        try:
            return in_queue()
        except ValueError:  # the controller is busy or restarts
            return {job.job_id for job in self._jobs.values()}

    def _cancel(self) -> None:
        """Cancel what is still there: also jobs that have answered, and were put into the queue again after that."""
        if self._arrays and self.engine.cluster == "slurm":
            cancel(self._arrays)
        for job in self._jobs.values():
            if self.engine.cluster != "slurm":
                job.cancel()
        self._jobs.clear()
        self._arrays.clear()
        (self.folder / SUBMITTED).unlink(missing_ok=True)


@contextmanager
def open_slurm(engine: Engine, folder: Path, gpu: bool) -> Iterator[SlurmCluster]:
    """Ask what the partition has, and cancel what a killed driver left; see `open_engine`.

    Raises
    ------
    ValueError
        When there is no Slurm here, or no such partition.
    """
    share = Share(1, 0, engine.time_limit or TIME_LIMIT)
    if engine.cluster == "slurm":
        share = share_of_partition(engine.partition, engine.time_limit, gpu)
    jobs = folder / "slurm"
    if (jobs / SUBMITTED).is_file():
        end_leftovers(read_json(jobs / SUBMITTED))
    shutil.rmtree(jobs, ignore_errors=True)
    jobs.mkdir(parents=True)
    with _ends_are_stops():
        yield SlurmCluster(engine, jobs, share)


def _again() -> Callable[..., Any]:
    """Return the function that jobs are sent, which submitit may put into the queue again as it is."""
    from submitit.helpers import DelayedSubmission

    carry_out: Any = carrier()
    carry_out.checkpoint = lambda *packed_call: DelayedSubmission(carry_out, *packed_call)
    made: Callable[..., Any] = carry_out
    return made


@contextmanager
def _ends_are_stops() -> Iterator[None]:
    """Let a driver that is told to end, or whose terminal is closed, end as by Ctrl-C: its jobs are cancelled."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    heard = [which for which in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(which) != signal.SIG_IGN]  # nohup
    before = {which: signal.signal(which, stop) for which in heard}
    try:
        yield
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)
