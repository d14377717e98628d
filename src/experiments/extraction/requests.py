"""What `fab GenerateEmbeddings` asks for, done on one device or shared among all GPUs of the machine."""

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import loky
from loky.process_executor import TerminatedWorkerError

from src.audio.io import SPEECH_RATE
from src.backbones import CPU_ONLY, load_backbone
from src.experiments.corpus.splits import read_split
from src.experiments.extraction.extract import COMFORTABLE, Extraction, Limits, extract
from src.experiments.extraction.plan import ALL, Share
from src.experiments.extraction.readers import length_or_reason, survey
from src.experiments.extraction.writer import Progress
from src.utils.dataset import check_dataset
from src.utils.devices import all_devices
from src.utils.embeddings import read_journal
from src.utils.parallel import signal_of
from src.utils.paths import embeddings_folder

POLL_SECONDS = 5.0


@dataclass(frozen=True)
class Request:
    """Which splits of a corpus to extract, and with what."""

    dataset: Path
    splits: Sequence[str]
    backbone: str
    model: str = ""
    device: str = "auto"
    precision: str = "auto"
    layers: str = ""
    limits: Limits = COMFORTABLE
    share: Share = ALL


def extract_splits(request: Request, *, root: Path) -> Iterator[Extraction]:
    """Load a backbone and extract one split after another; bad names are refused before the model is loaded.

    Where the machine has several GPUs and the request names none, they share the work, a process each.
    """
    check_dataset(request.dataset)
    for split in request.splits:
        read_split(request.dataset, split)
    devices = all_devices(request.device)
    if len(devices) > 1 and request.backbone not in CPU_ONLY:
        yield from extract_on_devices(request, devices, root=root)
        return
    backbone = load_backbone(
        request.backbone, request.model, device=request.device, precision=request.precision, layers=request.layers
    )
    for split in request.splits:
        yield extract(
            request.dataset, split, backbone, request.backbone, root=root, limits=request.limits, share=request.share
        )


def extract_on_devices(request: Request, devices: Sequence[str], *, root: Path) -> list[Extraction]:
    """Let every device compute its part of the request's share, in a process of its own, behind one bar."""
    parts = [
        replace(request, device=device, share=Share((*request.share.parts, (number, len(devices)))))
        for number, device in enumerate(devices)
    ]
    readers_each = max(1, loky.cpu_count() // len(devices))
    environment = {"TQDM_DISABLE": "1", "LOKY_MAX_CPU_COUNT": str(readers_each)}
    with loky.ProcessPoolExecutor(max_workers=len(devices), env=environment) as processes:
        running = [processes.submit(_extract_all, part, root) for part in parts]
        try:
            _follow(running, request, root)
            done = [future.result() for future in running]
        except BaseException as error:
            processes.shutdown(kill_workers=True)
            if not isinstance(error, TerminatedWorkerError):
                raise
            raise ChildProcessError(
                f"One of the {len(devices)} extracting processes died ({signal_of(error)}): "
                "run the same command again; finished work is kept."
            ) from None
    return [_sum_up(of_split) for of_split in zip(*done, strict=True)]


def _extract_all(request: Request, root: Path) -> list[Extraction]:
    return list(extract_splits(request, root=root))


def _follow(running: Sequence[Future[list[Extraction]]], request: Request, root: Path) -> None:
    """Show how far the processes are, as their journals tell, until all have ended; raise what one has raised."""
    files = {split: read_split(request.dataset, split)["file"].tolist() for split in request.splits}
    measure = partial(length_or_reason, SPEECH_RATE, 0)
    seconds = {
        (split, file): n_samples / SPEECH_RATE
        for split in request.splits
        for file, (n_samples, _) in survey(measure, request.dataset, files[split]).items()
    }
    progress = Progress(f"{request.backbone}, {len(running)} devices", len(seconds), sum(seconds.values()))
    seen: set[tuple[str, str]] = set()
    try:
        while any(not future.done() for future in running):
            wait(running, timeout=POLL_SECONDS, return_when=FIRST_EXCEPTION)
            for future in running:
                if future.done():
                    future.result()
            written = {
                (split, file)
                for split in request.splits
                for file in read_journal(embeddings_folder(root, request.dataset, request.backbone, split))["file"]
            }
            new = (written & seconds.keys()) - seen
            progress.advance(len(new), sum(seconds[clip] for clip in new))
            seen |= new
    finally:
        progress.close()


def _sum_up(parts: Sequence[Extraction]) -> Extraction:
    """Return what several processes did for one split."""
    return replace(
        parts[0],
        n_clips=max((part.n_clips for part in parts if part.n_clips is not None), default=None),
        n_computed=sum(part.n_computed for part in parts),
        n_rejected=max(part.n_rejected for part in parts),
        seconds=max(part.seconds for part in parts),
        waited=max(part.waited for part in parts),
    )
