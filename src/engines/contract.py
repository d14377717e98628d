"""The contract of the engines: what carries out calls on other machines, and what it promises.

A call is a function and a few small arguments: paths and numbers, never sound or tables. Every call can be made again,
because it skips what is finished; that is all that an engine needs to know to survive a lost machine. Folders have
the same paths on all machines: the project, its environment, and what the calls read and write lie on a shared disk.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

POLL_SECONDS = 5.0
"""How often calls are looked after."""
MOST_DEATHS = 3
"""How often a call may be lost, with its process or its machine, before it counts as failed."""
MOST_CPUS = 16
"""Of a call: more would not be used."""
ROOT = Path(__file__).resolve().parents[2]
"""The project, which every machine must have at the same path."""


@dataclass(frozen=True)
class Engine:
    """By what calls are carried out; the fields are what the flags of tasks give."""

    name: str = "local"
    """local = processes of this machine; slurm; ray."""
    workers: int = 0
    """Calls at the same time; 0 = the engine's own choice. Slurm must be told."""
    address: str = ""
    """Of the Ray cluster: auto (also where nothing is given), host:port, or ray://host:port for a client outside."""
    partition: str = ""
    """Of the Slurm cluster; "" = its default."""
    time_limit: int = 0
    """Minutes that Slurm gives each call at a time; 0 = the default of the partition. A call cut short goes on."""
    cluster: str = "slurm"
    """By which executor of submitit calls are submitted; tests give "local"."""

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise ValueError(f"Unknown `engine` '{self.name}'; allowed: {', '.join(NAMES)}.")
        if self.workers < 0:
            raise ValueError(f"`workers` must be 1 or more (left out: the engine's choice), not {self.workers}.")
        if self.time_limit < 0:
            raise ValueError(f"`time_limit` must be 1 minute or more, not {self.time_limit}.")
        for flag, names in FLAGS_OF.items():
            if getattr(self, flag) and self.name not in names:
                raise ValueError(f"`{flag}` is for {' and '.join(f'`engine={each}`' for each in names)}.")
        if self.name == "slurm" and not self.workers:
            raise ValueError("`engine=slurm` must be told how many jobs may run at a time: give `workers`.")

    @property
    def is_local(self) -> bool:
        """Whether the work stays on this machine."""
        return self.name == "local"


NAMES = ("local", "slurm", "ray")
FLAGS_OF = {
    "workers": ("slurm", "ray"),
    "address": ("ray",),
    "partition": ("slurm",),
    "time_limit": ("slurm",),
}
"""Which engines take a flag."""


@dataclass(frozen=True)
class Call:
    """A function with its arguments, which can be made again at any time and on any machine."""

    function: Callable[..., Any]
    """Defined at the top of a module, so that other machines can import it."""
    arguments: tuple[Any, ...] = ()
    """Small: paths, numbers, records of them."""
    name: str = "call"
    """What messages and logs call it, such as "part 3 of 12"."""


class Cluster(Protocol):
    """An engine that was opened: reachable, and with room for so many calls at a time."""

    @property
    def n_workers(self) -> int:
        """Calls at the same time."""
        ...

    def run(self, calls: Sequence[Call], follow: Callable[[], None]) -> list[Any]:
        """Make the calls, at most `n_workers` at a time, and return their results in order.

        A call that is lost with its process or its machine, preempted, or out of time is made again, elsewhere where
        there is another machine. Whatever ends this early (an error of a call, Ctrl-C) cancels the others.

        Parameters
        ----------
        calls : sequence of Call
        follow : callable
            Called every few seconds while calls are under way, to show the progress.

        Raises
        ------
        ValueError, OSError, ...
            What a call raised, of the same kind and with the same words.
        ChildProcessError
            When a call was lost too often.
        FileNotFoundError
            When a machine does not have the project's folder; the message names the machine.
        """
        ...


Opened = Callable[[Engine, Path, bool], AbstractContextManager[Cluster]]
"""What a row of the table of engines names: `open_...(engine, folder, gpu)`. The folder lies on the shared disk and is
for logs and what else the engine writes; `gpu` tells whether a call can make use of a GPU."""
