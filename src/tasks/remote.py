"""The task that runs another task on a GPU machine, or on several.

Fabric calls a task once for each host of `-H`. Each of these calls only notes its host; what follows all of them has
the hosts together, so that all can be at work before the first is followed.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fabric import Connection
from invoke import Context
from invoke.exceptions import Exit

from src.tasks.command_line import TAKES, command
from src.utils.paths import ROOT

if TYPE_CHECKING:
    from src.experiments.extraction.requests import Extraction

NAME = "Remote"
CODE = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class RemoteFlags:
    """The flags of Remote."""

    task: str = ""
    folder: str = "~/audios"
    python: str = ""
    stop: bool = False


_noted: list[tuple[Connection, RemoteFlags]] = []
"""The hosts of this command, with its flags."""


@command(
    NAME,
    task="the task and its flags, such as 'GenerateEmbeddings --backbone=wav2vec2 --dataset=datasets/release'",
    folder="folder of the project on the host (default ~/audios)",
    python="Python there that has all packages (default: that of an environment that is made there)",
    stop="end the task there, as Ctrl-C does; the same command without it resumes",
)
def remote(c: Context, flags: RemoteFlags) -> None:
    """Run a task on another machine: fab -H user@gpu-machine Remote --task='...'; several hosts share it.

    Sends the code, and what the host lacks of the corpus; makes the environment; follows the task, which goes on there
    when the connection is lost; brings back stores and runs. The same command takes it up wherever it is.
    """
    if not isinstance(c, Connection):
        raise ValueError(f"On which host? Call it so: fab -H user@gpu-machine {NAME} --task='{flags.task or '...'}'.")
    _noted.append((c, flags))


@command(NAME)
def _on_all_hosts(c: Context) -> None:
    """Carry out the task on the hosts that were noted."""
    from src.experiments.extraction.merging import merge_stores
    from src.experiments.runs.provenance import code_version
    from src.remote.hosts import Host
    from src.remote.order import read_order
    from src.remote.visit import Visit
    from src.remote.visits import reached, run_on_hosts

    flags = _noted[0][1]
    hosts = [Host(connection, flags.folder) for connection, _ in _noted]
    _noted.clear()
    order = read_order(flags.task, {name: _kinds(takes) for name, takes in TAKES.items() if name != NAME}, ROOT)
    orders = [order.share(number, len(hosts)) for number in range(len(hosts))]
    version = code_version()
    visits = [
        Visit(host, part, ROOT, CODE, _say, version, flags.python) for host, part in zip(hosts, orders, strict=True)
    ]
    if flags.stop:
        with reached(visits):
            for visit in visits:
                visit.stop()
        return
    code = run_on_hosts(visits, lambda *stores: _in_words(merge_stores(*stores)), sys.stdout)
    if code:
        raise Exit(f"{NAME}: {order.words[0]} ended with exit code {code}; what it finished is kept there.", code=code)


def _in_words(merged: "Extraction") -> str:
    if merged.n_clips is None:
        return f"{merged.folder} is not complete yet: the same command computes and brings the rest"
    return f"{merged.n_clips} clips in {merged.folder}"


remote.post = [_on_all_hosts]


def _kinds(takes: dict[str, Any]) -> dict[str, str]:
    """Return what kind of value every flag of a task has."""
    kinds = {bool: "switch", Path: "path", Path | None: "path or none"}
    return {flag: kinds.get(annotation, "text") for flag, annotation in takes.items()}


def _say(line: str) -> None:
    print(line, flush=True)
