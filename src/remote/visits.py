"""A task on one host or on several, of which each does its share.

All hosts are reached before anything is sent, and all have started before the first is followed. What a call does
depends on what it finds: a task that runs is followed, the results of one that ended are brought, and one that was cut
short, or failed, is started again and resumes by itself.
"""

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import IO

from src.remote.visit import Part, Visit
from src.utils.paths import claim_embeddings

Merge = Callable[[Sequence[Path], Path, Path], str]
"""Merges folders of stores into the store of a folder, of a corpus, and says what is there now."""


def run_on_hosts(visits: Sequence[Visit], merge: Merge, echo: IO[str]) -> int:
    """Run a task on all hosts and bring its results; return the first exit code that is not 0.

    Parameters
    ----------
    visits : sequence of Visit
    merge : callable
    echo : text file
        Where what the tasks say goes.

    Raises
    ------
    ValueError
        When a host cannot be used, or results cannot be brought.
    ConnectionAbortedError
        When a connection was lost; what the other hosts made was brought.
    """
    names = [visit.host.name for visit in visits]
    if len(set(names)) < len(names):
        raise ValueError(f"Name each host once, not {', '.join(names)}.")
    codes: list[int] = []
    lost: list[ConnectionAbortedError] = []
    ended: list[Visit] = []
    with reached(visits):
        for visit in visits:
            visit.begin()
        for visit in visits:
            try:
                codes.append(visit.follow(echo))
                ended += [visit] if codes[-1] == 0 else []
            except ConnectionAbortedError as error:
                lost.append(error)
        _take_in(chain.from_iterable(visit.bring() for visit in ended), merge, visits[0])
        for visit in ended:
            visit.forget()
    if lost:
        raise lost[0]
    return next((code for code in codes if code), 0)


@contextmanager
def reached(visits: Sequence[Visit]) -> Iterator[None]:
    """Connect to all hosts, and close the connections at the end."""
    try:
        for visit in visits:
            visit.reach()
        yield
    finally:
        for visit in visits:
            visit.host.connection.close()


def _take_in(parts: Iterable[Part], merge: Merge, visit: Visit) -> None:
    """Merge the stores that hosts made into those here."""
    of_folders = defaultdict[Path, list[Part]](list)
    for part in parts:
        of_folders[part.folder].append(part)
    for folder, of_hosts in of_folders.items():
        dataset = of_hosts[0].dataset
        claim_embeddings(visit.root, dataset)
        visit.say(merge([part.gathered for part in of_hosts], folder, dataset))
        for part in of_hosts:
            shutil.rmtree(part.gathered, ignore_errors=True)
            for parent in part.gathered.parents[:3]:  # backbone, host, .remote
                with suppress(OSError):
                    parent.rmdir()
