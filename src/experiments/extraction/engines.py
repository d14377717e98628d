"""The engines that carry out a plan: one process, or one process per device; each is a function of the plan.

All engines fill the same stores, and the result does not depend on the engine. Workers take equal parts of the plan
(`Plan.part`) and run `in_one_process` on them; an engine for a cluster submits the same function with the same parts.
The corpus is surveyed only once, by the process that makes the plan.
"""

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from dataclasses import replace
from pathlib import Path

import loky
from loky.process_executor import TerminatedWorkerError

from src.backbones import CPU_ONLY, load_backbone
from src.backbones.contract import Backbone
from src.experiments.extraction.extract import extract, finish_without_model
from src.experiments.extraction.plan import Plan, make_plan
from src.experiments.extraction.requests import Extraction, Request
from src.experiments.extraction.writer import Progress
from src.utils.embeddings import read_journal
from src.utils.parallel import signal_of
from src.utils.paths import claim_embeddings

POLL_SECONDS = 5.0


def extract_splits(request: Request, *, root: Path) -> Iterator[Extraction]:
    """Extract one split after another; invalid requests are refused before the model is loaded.

    The model is loaded only when clips are to be computed. If the machine has several GPUs and the request names none,
    they share the work, with one process each.

    Parameters
    ----------
    request : Request
    root : Path
        Embeddings go to `<root>/embeddings`.

    Raises
    ------
    FileNotFoundError, ValueError, ChildProcessError
        See `make_plan` and `extract`.
    """
    yield from run_plan(make_plan(request, root=root))


def run_plan(plan: Plan) -> Iterator[Extraction]:
    """Carry out a plan with the engine that suits this machine."""
    if not plan.needs_model:
        claim_embeddings(plan.root, plan.request.owner)
        for part in plan.splits:
            yield finish_without_model(part, plan.request)
        return
    devices = _devices(plan.request) if plan.n_waiting else [plan.request.device]
    yield from on_devices(plan, devices) if len(devices) > 1 else in_one_process(plan)


def in_one_process(plan: Plan) -> Iterator[Extraction]:
    """Load the model in this process and extract one split after another."""
    request = plan.request
    backbone = _load(request)
    claim_embeddings(plan.root, request.owner)
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
        running = [processes.submit(_run_part, part) for part in parts]
        try:
            _follow(running, plan)
            results, notes = zip(*(future.result() for future in running), strict=True)
        except BaseException as error:
            processes.shutdown(kill_workers=True)
            if not isinstance(error, TerminatedWorkerError):
                raise
            raise ChildProcessError(
                f"One of the {len(devices)} extracting processes died ({signal_of(error)}): "
                "run the same command again; finished work is kept."
            ) from None
    for note in dict.fromkeys(note for of_part in notes for note in of_part):
        warnings.warn(note, stacklevel=2)
    return [_sum_up(of_split) for of_split in zip(*results, strict=True)]


def _devices(request: Request) -> list[str]:
    """Return the devices that share the work."""
    if request.backbone in CPU_ONLY:
        return [request.device]
    from src.utils.devices import all_devices  # imports torch

    return all_devices(request.device)


def _load(request: Request) -> Backbone:
    """Load the backbone; of several shares only the first says what there is to say of the model."""
    with warnings.catch_warnings():
        if not request.share.is_first:
            warnings.simplefilter("ignore")
        return load_backbone(request.backbone, request.model, **request.options)


def _run_part(plan: Plan) -> tuple[list[Extraction], list[str]]:
    """Carry out the plan of one worker; return what was made, and what it warned of, which its parent says once."""
    with warnings.catch_warnings(record=True) as caught:
        return list(in_one_process(plan)), [str(warning.message) for warning in caught]


def _follow(running: Sequence[Future[tuple[list[Extraction], list[str]]]], plan: Plan) -> None:
    """Show the progress of the processes, read from the journals, until all have ended; raise the error of any."""
    seconds = {(part.folder, file): part.lengths[file].seconds for part in plan.splits for file in part.waiting}
    progress = Progress(f"{plan.request.backbone}, {len(running)} devices", len(seconds), sum(seconds.values()))
    seen: set[tuple[Path, str]] = set()
    try:
        while any(not future.done() for future in running):
            wait(running, timeout=POLL_SECONDS, return_when=FIRST_EXCEPTION)
            for future in running:
                if future.done():
                    future.result()
            written = {(part.folder, file) for part in plan.splits for file in read_journal(part.folder)["file"]}
            new = (written & seconds.keys()) - seen
            progress.advance(len(new), sum(seconds[clip] for clip in new))
            seen |= new
    finally:
        progress.close()


def _sum_up(parts: Sequence[Extraction]) -> Extraction:
    """Combine the results of several processes for one split."""
    return replace(
        parts[0],
        n_clips=max((part.n_clips for part in parts if part.n_clips is not None), default=None),
        n_computed=sum(part.n_computed for part in parts),
        n_rejected=max(part.n_rejected for part in parts),
        seconds=max(part.seconds for part in parts),
        waited=max(part.waited for part in parts),
    )
