"""Carry out a plan on this machine: in this process, or in one process for each device.

Workers take equal parts of the plan (`Plan.part`), and the result does not depend on their number.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from dataclasses import replace

import loky
from loky.process_executor import TerminatedWorkerError

from src.backbones import load_backbone
from src.backbones.contract import Backbone
from src.experiments.extraction.extract import extract
from src.experiments.extraction.following import Follower
from src.experiments.extraction.plan import Plan
from src.experiments.extraction.requests import Extraction, Request
from src.utils.parallel import signal_of

POLL_SECONDS = 5.0


def in_one_process(plan: Plan, backbone: Backbone | None = None) -> Iterator[Extraction]:
    """Extract one split after another in this process; the model is loaded, unless it is given."""
    request = plan.request
    backbone = backbone or load_model(request)
    for part in plan.splits:
        yield extract(part, backbone, request)


def on_devices(plan: Plan, devices: Sequence[str]) -> list[Extraction]:
    """Let every device compute its part of the plan, in a process of its own, with one progress bar for all.

    Parameters
    ----------
    plan : Plan
    devices : sequence of str
        Such as "cuda:0" and "cuda:1"; one may be named several times.

    Raises
    ------
    ChildProcessError
        When one of the processes dies.
    """
    parts = [plan.part(number, len(devices), device) for number, device in enumerate(devices)]
    readers_each = max(1, loky.cpu_count() // len(devices))
    environment = {"TQDM_DISABLE": "1", "LOKY_MAX_CPU_COUNT": str(readers_each)}
    with loky.ProcessPoolExecutor(max_workers=len(devices), env=environment) as processes:
        running = [processes.submit(run_part, part) for part in parts]
        try:
            _follow(running, plan, f"{len(devices)} devices")
            results, notes = zip(*(future.result() for future in running), strict=True)
        except BaseException as error:
            processes.shutdown(kill_workers=True)
            if not isinstance(error, TerminatedWorkerError):
                raise
            raise ChildProcessError(
                f"One of the {len(devices)} extracting processes died ({signal_of(error)}): "
                "run the same command again; finished work is kept."
            ) from None
    warn_once(notes)
    return [sum_up(of_split) for of_split in zip(*results, strict=True)]


def load_model(request: Request) -> Backbone:
    """Load the backbone; of several shares only the first says what there is to say of the model."""
    with warnings.catch_warnings():
        if not request.share.is_first:
            warnings.simplefilter("ignore")
        return load_backbone(request.backbone, request.model, **request.options)


def run_part(plan: Plan) -> tuple[list[Extraction], list[str]]:
    """Carry out the plan of one worker; return what was made, and what it warned of, which its parent says once."""
    with warnings.catch_warnings(record=True) as caught:
        return list(in_one_process(plan)), [str(warning.message) for warning in caught]


def warn_once(notes: Iterable[Sequence[str]]) -> None:
    """Say what the workers warned of, once for all of them."""
    for note in dict.fromkeys(note for of_part in notes for note in of_part):
        warnings.warn(note, stacklevel=3)


def _follow(running: Sequence[Future[tuple[list[Extraction], list[str]]]], plan: Plan, who: str) -> None:
    """Show the progress of the processes until all have ended; raise the error of any."""
    follower = Follower(plan, who)
    try:
        while any(not future.done() for future in running):
            wait(running, timeout=POLL_SECONDS, return_when=FIRST_EXCEPTION)
            for future in running:
                if future.done():
                    future.result()
            follower.look()
    finally:
        follower.close()


def sum_up(parts: Sequence[Extraction]) -> Extraction:
    """Combine the results of several processes for one split."""
    return replace(
        parts[0],
        n_clips=max((part.n_clips for part in parts if part.n_clips is not None), default=None),
        n_computed=sum(part.n_computed for part in parts),
        n_rejected=max(part.n_rejected for part in parts),
        seconds=max(part.seconds for part in parts),
        waited=max(part.waited for part in parts),
    )
