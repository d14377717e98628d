"""Calls by Ray: tasks on the machines of a cluster that is running, each with a GPU where there are any.

A process beside the driver speaks to Ray. So what Ray prints goes to a log, an attempt to connect that hangs or ends
its process can be given up, and Ray, which takes seconds to import, is imported there alone. When the driver ends,
however it does, that process ends, and Ray cancels its tasks.

Ray itself makes a task again whose process or machine was lost.
"""

import os
import re
import socket
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import loky
from loky.process_executor import TerminatedWorkerError

from src.engines.calling import Answer, carrier, packed, result_of
from src.engines.contract import MOST_CPUS, MOST_DEATHS, POLL_SECONDS, Call, Engine
from src.utils.parallel import serve

REACH_SECONDS = 5.0
"""Within which the address must take a connection."""
CONNECT_SECONDS = 60.0
"""Within which Ray must have connected, once it is imported."""
PATIENCE = 120.0
"""Seconds for which the cluster may have no node with room for a call: a node that restarts is back within them."""
QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}
Resources = Mapping[str, float]
"""What a node has: "CPU", "GPU" and so on."""


@dataclass(frozen=True)
class Room:
    """What a cluster offers."""

    n_workers: int
    cpus: int
    """Of each call."""
    gpus: int
    """Of each call, 0 or 1."""


@dataclass(frozen=True)
class RayCluster:
    """A cluster that a process beside this one is connected to."""

    process: loky.ProcessPoolExecutor
    room: Room
    log: Path

    @property
    def n_workers(self) -> int:
        """Calls at the same time."""
        return self.room.n_workers

    def run(self, calls: Sequence[Call], follow: Callable[[], None]) -> list[Any]:
        """Make the calls; see `Cluster.run`."""
        answers = self.process.submit(_make_calls, calls, self.room, PATIENCE)
        try:
            while not answers.done():
                _wait(answers, POLL_SECONDS)
                follow()
            return [result_of(answer) for answer in answers.result()]
        except TerminatedWorkerError:
            raise ChildProcessError(
                f"The connection to the Ray cluster was lost (see {self.log}): run the same command again; "
                "finished work is kept."
            ) from None


@contextmanager
def open_ray(engine: Engine, folder: Path, gpu: bool) -> Iterator[RayCluster]:
    """Connect to a Ray cluster; see `open_engine`.

    Raises
    ------
    ValueError
        When no cluster answers at the address, or it is of another version of Ray or of Python.
    """
    address = engine.address or "auto"
    _require_reachable(address)
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "ray.log"
    process = loky.ProcessPoolExecutor(1, env=QUIET, initializer=_set_up, initargs=(os.getpid(), log))
    try:
        process.submit(_import_ray).result()
        nodes = _connected(process.submit(_connect, address), address, log)
        yield RayCluster(process, room_of(nodes, engine.workers, gpu), log)
    finally:
        process.shutdown(wait=False, kill_workers=True)


def room_of(nodes: Sequence[Resources], workers: int, gpu: bool) -> Room:
    """Return how calls are spread over nodes.

    Parameters
    ----------
    nodes : sequence of Resources
    workers : int
        Calls wanted at the same time; 0 = as many as there are GPUs, else nodes.
    gpu : bool
        Whether a call can make use of a GPU.

    >>> room_of([{"CPU": 64, "GPU": 8}, {"CPU": 32}], 0, gpu=True)
    Room(n_workers=8, cpus=8, gpus=1)
    >>> room_of([{"CPU": 8}, {"CPU": 4}], 0, gpu=True)
    Room(n_workers=2, cpus=4, gpus=0)
    """
    with_cpus = [node for node in nodes if node.get("CPU", 0) >= 1]  # a head may keep calls away by having none
    with_gpus = [node for node in with_cpus if node.get("GPU", 0) >= 1] if gpu else []
    useful = with_gpus or with_cpus
    if not useful:
        raise ValueError("The Ray cluster has no CPUs: add a node to it (ray start --address=...).")
    most = int(sum(node["GPU" if with_gpus else "CPU"] for node in useful))
    n_workers = min(workers or (most if with_gpus else len(useful)), most)
    if workers > n_workers:
        what = "GPUs" if with_gpus else "CPUs"
        warnings.warn(
            f"The Ray cluster has {most} {what}: {most} work at a time, not `workers={workers}`.", stacklevel=2
        )
    share = int(min(node["CPU"] for node in useful)) // ceil(n_workers / len(useful))
    return Room(n_workers, min(max(1, share), MOST_CPUS), 1 if with_gpus else 0)


def _require_reachable(address: str) -> None:
    """Raise ValueError when nothing takes connections at an address; Ray itself would try for minutes."""
    if address == "auto":
        return
    found = re.fullmatch(r"(ray://)?(?P<host>[^/:]+|\[[^/]+\]):(?P<port>\d+)", address)
    if not found or not 0 < int(found["port"]) < 65536:
        raise ValueError(f"`address` must be auto, host:port or ray://host:port, not '{address}'.")
    try:
        socket.create_connection((found["host"].strip("[]"), int(found["port"])), REACH_SECONDS).close()
    except OSError as error:
        raise ValueError(f"No Ray cluster can be reached at {address} ({error.strerror or error}).") from None


def _connected(answer: "Future[list[Resources] | str]", address: str, log: Path) -> list[Resources]:
    """Return what each node has; raise ValueError when there is no connection in time, or Ray refuses it."""
    _wait(answer, CONNECT_SECONDS)
    if not answer.done():
        raise ValueError(f"No Ray cluster answered at {address} within {CONNECT_SECONDS:.0f} s (see {log}).")
    try:
        found = answer.result()
    except TerminatedWorkerError:
        raise ValueError(f"No Ray cluster answered at {address} (see {log}).") from None
    if not isinstance(found, str):
        return found
    versions = re.findall(r"Ray: (\S+)\s+Python: (\S+)", found)
    if len(versions) == 2:
        there, here = (f"Ray {ray} on Python {python}" for ray, python in versions)
        raise ValueError(f"The cluster at {address} runs {there}, this machine {here}: both must be the same.")
    raise ValueError(f"No Ray cluster answered at {address}: {found}")


def _wait(answer: "Future[Any]", seconds: float) -> None:
    """Wait until there is an answer or the time is over."""
    with suppress(TimeoutError):
        answer.exception(timeout=seconds)


def _set_up(parent: int, log: Path) -> None:
    """Leave Ctrl-C to the driver, end with it, and let everything printed go to a log."""
    serve(parent)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)


def _import_ray() -> None:
    import ray  # noqa: F401


def _connect(address: str) -> list[Resources] | str:
    """Connect this process; return what each node has, or what Ray says against it."""
    import ray

    try:
        ray.init(address=address, log_to_driver=False)
        return [node["Resources"] for node in ray.nodes() if node["Alive"]]
    except BaseException as error:  # SystemExit too
        return " ".join(str(error).split()) or type(error).__name__


def _make_calls(calls: Sequence[Call], room: Room, patience: float) -> list[Answer]:
    """Make calls, at most so many at a time as there is room for; an error is the only answer."""
    import ray

    task, retries = ray.remote(carrier()), {"max_retries": MOST_DEATHS - 1, "scheduling_strategy": "SPREAD"}
    share = {"num_cpus": room.cpus, "num_gpus": room.gpus, **retries}
    answers: dict[int, Answer] = {}
    at_work: dict[Any, int] = {}
    waiting, had_room = iter(enumerate(calls)), time.monotonic()
    errors: list[Answer] = []
    while len(answers) < len(calls) and not errors:
        while len(at_work) < room.n_workers and (following := next(waiting, None)):
            number, call = following
            at_work[task.options(name=call.name, **share).remote(*packed(call, room.cpus))] = number
        for done in ray.wait(list(at_work), timeout=min(POLL_SECONDS, patience))[0]:
            number = at_work.pop(done)
            answers[number] = _answer_of(done, calls[number])
            if not answers[number][0]:
                errors.append(answers[number])
        if _is_there(room):
            had_room = time.monotonic()
        elif time.monotonic() - had_room > patience:
            errors.append(_lost_nodes(room, patience))
    for other in at_work:  # of a call that failed
        ray.cancel(other, force=True)
    return errors[:1] or [answers[number] for number in range(len(calls))]


def _is_there(room: Room) -> bool:
    """Return whether a node lives that could make a call, now or when it has made others."""
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return any(node.get("CPU", 0) >= room.cpus and node.get("GPU", 0) >= room.gpus for node in nodes)


def _lost_nodes(room: Room, patience: float) -> Answer:
    needed = f"{room.cpus} {'CPU' if room.cpus == 1 else 'CPUs'}{' and a GPU' if room.gpus else ''}"
    told = (
        f"The Ray cluster has lost all nodes with {needed}, and none came back within {patience:.0f} s: add a node "
        "(ray start --address=...) and run the same command again; finished work is kept."
    )
    return False, ChildProcessError(told), ""


def _answer_of(done: Any, call: Call) -> Answer:
    import ray

    try:
        answer: Answer = ray.get(done)
        return answer
    except ray.exceptions.RayError as error:  # what a call raises comes as its answer
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        began = not isinstance(error, ray.exceptions.RayTaskError)
        happened = f"was lost {MOST_DEATHS} times" if began else "could not begin"
        told = f"{call.name} {happened} ({lines[-1] if lines else type(error).__name__}); finished work is kept."
        return False, ChildProcessError(told), ""
