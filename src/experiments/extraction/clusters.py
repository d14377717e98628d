"""Carry out a plan on the machines of a cluster: by Slurm or by Ray, through the seam of `src/engines`.

The driver surveys the corpus and writes the plan; every call reads it, computes its part and writes it into the store.
So only paths travel. What is finished is skipped, whatever engine computed it.

There are four parts for each worker. So a slow machine takes fewer of them, and whichever part is the last delays the
end by a quarter of what an even share takes at most on its machine; a model is loaded four times, which takes a minute
in all. A machine that is lost costs less than a part: the clips it has written are kept.
"""

import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from src.backbones import BACKBONES, CPU_ONLY
from src.engines import open_engine
from src.engines.contract import Call, Cluster, Engine
from src.experiments.extraction.extract import finish_without_model
from src.experiments.extraction.following import Follower
from src.experiments.extraction.local import run_part, sum_up, warn_once
from src.experiments.extraction.plan import Plan
from src.experiments.extraction.requests import Extraction, Request
from src.experiments.extraction.travel import read_plan, write_plan
from src.utils.dataset import check_dataset
from src.utils.embeddings import INDEX
from src.utils.paths import ENGINES, corpus_folder
from src.utils.registry import require_known

PARTS_PER_WORKER, MOST_PARTS = 4, 1000
"""Slurm takes arrays of up to 1,000 jobs, as it is usually set up."""
PATIENCE = 180.0
"""Seconds that a part waits for its lock: a file server frees what a lost machine held after its lease, often 90 s."""


@dataclass
class WhenNeeded:
    """A cluster that is opened when the first calls are to be made, if there are any."""

    opening: AbstractContextManager[Cluster]
    closing: ExitStack

    @cached_property
    def opened(self) -> Cluster:
        """The cluster itself, open until `closing` ends."""
        return self.closing.enter_context(self.opening)

    @property
    def n_workers(self) -> int:
        """Calls at the same time."""
        return self.opened.n_workers

    def run(self, calls: Sequence[Call], follow: Callable[[], None]) -> list[Any]:
        """Make the calls; see `Cluster.run`."""
        return self.opened.run(calls, follow)


@contextmanager
def open_cluster(engine: Engine, request: Request, *, root: Path) -> Iterator[Cluster | None]:
    """Open the engine that carries out a request; None where that is this machine.

    What cannot be reached is refused before the corpus is surveyed. Where all stores have their index, as a rule
    nothing is left to compute: then the engine is opened only if the survey finds clips that wait.

    Raises
    ------
    ValueError, FileNotFoundError
        When the request does not suit an engine, or the engine cannot be had.
    """
    if engine.is_local:
        yield None
        return
    if not request.share.is_all:
        raise ValueError(f"`engine={engine.name}` divides the work itself: leave out `shard` and `num_shards`.")
    if request.device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"With `engine={engine.name}`, `device` must be auto, cpu or cuda, not {request.device}.")
    check_dataset(request.dataset)
    require_known(BACKBONES, request.backbone, "backbone")
    folder = folder_of(request, root)
    folder.mkdir(parents=True, exist_ok=True)
    with _only_driver(folder):
        for left in folder.glob("plan-*"):  # by a driver that was killed
            shutil.rmtree(left, ignore_errors=True)
        gpu = request.backbone not in CPU_ONLY and request.device != "cpu"
        with ExitStack() as closing:
            later = WhenNeeded(open_engine(engine, folder, gpu=gpu), closing)
            finished = all((request.folder(root, split) / INDEX).is_file() for split in request.splits)
            yield later if finished else later.opened


def folder_of(request: Request, root: Path) -> Path:
    """Return the folder of plans and logs of the engines that extract with a backbone."""
    return corpus_folder(root, request.owner) / ENGINES / request.backbone


def on_cluster(plan: Plan, cluster: Cluster) -> list[Extraction]:
    """Let a cluster carry out a plan, with one progress bar here.

    Raises
    ------
    FileNotFoundError
        When a machine does not have the corpus, or the folder of embeddings; the message names the machine.
    ValueError, ChildProcessError
        See `extract` and `Cluster.run`.
    """
    count = max(1, min(PARTS_PER_WORKER * cluster.n_workers, MOST_PARTS, plan.n_waiting))
    place = write_plan(plan, folder_of(plan.request, plan.root))
    follower = Follower(plan, f"{cluster.n_workers} workers")
    try:
        calls = [Call(extract_part, (place, number, count), f"part {number + 1} of {count}") for number in range(count)]
        results, notes = zip(*cluster.run(calls, follower.look), strict=True)
        follower.look()
    finally:
        follower.close()
        shutil.rmtree(place, ignore_errors=True)
    warn_once(notes)
    made = []
    for part, of_parts in zip(plan.splits, zip(*results, strict=True), strict=True):
        done = replace(sum_up(of_parts), n_computed=len(follower.seen[part.folder]))  # also by attempts that were lost
        if done.n_clips is None:
            done = replace(done, n_clips=finish_without_model(part, plan.request).n_clips)
        made.append(done)
        for lock in part.folder.glob(f".lock-*-of-{count}"):  # of the parts, all of which have ended
            lock.unlink()
    return made


def extract_part(place: Path, number: int, count: int) -> tuple[list[Extraction], list[str]]:
    """Carry out one part of a plan that lies in a folder; return what was made, and what was warned of."""
    _require_here(place)
    plan = read_plan(place)
    _require_here(plan.request.dataset)
    patient = replace(plan, request=replace(plan.request, patience=PATIENCE))
    return run_part(patient.part(number, count, plan.request.device))


def _require_here(folder: Path) -> None:
    if not folder.is_dir():
        raise FileNotFoundError(
            f"The machine {socket.gethostname()} has no folder {folder}: all machines need the corpus, and the "
            "project with its embeddings, at the same paths."
        )


@contextmanager
def _only_driver(folder: Path) -> Iterator[None]:
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise ValueError(
            f"Another engine is extracting with {folder.name} for the same corpus; wait for it to end."
        ) from None
