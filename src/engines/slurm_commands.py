"""What is asked of Slurm by its own commands: what a partition has, which jobs are in the queue, and to cancel them."""

import math
import os
import re
import subprocess
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

from src.engines.contract import MOST_CPUS

TIME_LIMIT = 60
"""Minutes of a job where none are given: short jobs start sooner, and one that is cut short goes on."""
ANSWER_SECONDS = 120.0
"""Within which a command of Slurm must have ended; each waits for a busy controller."""


@dataclass(frozen=True)
class Share:
    """What each job gets."""

    cpus: int
    gpus: int
    minutes: int


def share_of_partition(partition: str, minutes: int, gpu: bool) -> Share:
    """Return what jobs get: a GPU and its share of a node's CPUs where there are GPUs, else the CPUs of a node.

    Parameters
    ----------
    partition : str
        "" = the default one.
    minutes : int
        Wanted for each job; 0 = `TIME_LIMIT`, or what the partition allows if that is less.
    gpu : bool
        Whether a job can make use of a GPU.

    Raises
    ------
    ValueError
        When there is no such partition, or it allows less time; or Slurm is not there, or does not answer.
    """
    lines = [line.split("|") for line in ask("sinfo", "--noheader", "--format=%P|%c|%G|%l").splitlines()]
    names = {line[0].rstrip("*") for line in lines}
    if partition and partition not in names:
        raise ValueError(f"Slurm has no `partition={partition}`; it has {', '.join(sorted(names)) or 'none'}.")
    nodes = [line[1:] for line in lines if (line[0].rstrip("*") == partition if partition else line[0].endswith("*"))]
    if not nodes:
        raise ValueError(f"Slurm has no default partition: give `partition`, one of {', '.join(sorted(names))}.")
    most = min(minutes_of(limit) for _, _, limit in nodes)
    if minutes > most:
        raise ValueError(f"The partition allows jobs of {most:.0f} minutes, not `time_limit={minutes}`.")
    cpus, gpus = share_of_node([(cpus, resources) for cpus, resources, _ in nodes], gpu)
    return Share(cpus, gpus, minutes or int(min(TIME_LIMIT, most)))


def share_of_node(nodes: Sequence[tuple[str, str]], gpu: bool) -> tuple[int, int]:
    """Return the CPUs and GPUs of a job from the CPUs and the generic resources of nodes, as `sinfo` writes them.

    >>> share_of_node([("64", "gpu:a100:8(S:0-1)"), ("32", "(null)")], gpu=True)
    (8, 1)
    >>> share_of_node([("64+", "gpu:a100:8(S:0-1)"), ("4", "(null)")], gpu=False)
    (4, 0)
    """
    counted = []
    for cpus, resources in nodes:
        gpus = re.findall(r"gpu(?::[^:,()]+)?:(\d+)", resources) if gpu else []
        counted.append((int(cpus.rstrip("+")), sum(map(int, gpus))))
    with_gpus = [node for node in counted if node[1]]
    share = min(cpus // max(1, gpus) for cpus, gpus in with_gpus or counted)
    return min(max(1, share), MOST_CPUS), 1 if with_gpus else 0


def minutes_of(limit: str) -> float:
    """Return a time limit in minutes, from days-hours:minutes:seconds.

    >>> [minutes_of(limit) for limit in ("5:00", "1:30:00", "2-00:00:00", "infinite")]
    [5.0, 90.0, 2880.0, inf]
    """
    if not limit[:1].isdigit():
        return math.inf
    days, _, rest = limit.rpartition("-")
    parts = [0, 0, *(int(part) for part in rest.split(":"))][-3:]
    return int(days or 0) * 1440 + parts[0] * 60 + parts[1] + parts[2] / 60


def in_queue() -> set[str]:
    """Return the ids of this user's jobs that wait or run, each of an array by itself."""
    return set(ask("squeue", "--noheader", "--array", f"--user={os.getuid()}", "--format=%i").split())


def cancel(ids: Collection[str]) -> None:
    """Cancel jobs by their ids."""
    with suppress(ValueError):  # they have ended meanwhile
        ask("scancel", *sorted(ids))


def end_leftovers(ids: Sequence[str]) -> None:
    """Cancel the jobs of a driver that was killed, and wait until they have ended."""
    cancel(ids)
    give_up = time.monotonic() + ANSWER_SECONDS
    while any(job.split("_")[0] in ids for job in in_queue()):
        if time.monotonic() > give_up:
            raise ValueError(f"Jobs of an earlier start do not end: cancel them by scancel {' '.join(ids)}.")
        time.sleep(1)


def ask(*command: str) -> str:
    """Return what a command of Slurm prints; raise ValueError when there is none, or it fails."""
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False)
    except FileNotFoundError:
        raise ValueError(
            f"There is no Slurm on this machine (no {command[0]}): start the task on a login node of the cluster."
        ) from None
    except subprocess.TimeoutExpired:
        raise ValueError(f"Slurm did not answer within {ANSWER_SECONDS:.0f} s ({command[0]}).") from None
    if ended.returncode:
        raise ValueError(f"Slurm refuses: {last_words(ended.stderr)}")
    return ended.stdout


def last_words(text: str) -> str:
    """Return the last line of what a command or a job has printed."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it does not say why"
