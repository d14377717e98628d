"""From the clips of a split to its embedding store: read, batch, compute, write, each a piece of its own.

Finished clips are skipped, so a run that was killed goes on where it stopped. A clip that cannot be used is listed in
`rejected-files.csv` and left out of the index.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from src.audio.io import load_waveform
from src.backbones import Backbone, load_backbone
from src.experiments.catalogue import usable_or_reason
from src.experiments.splits import read_split
from src.utils.dataset import REJECTED_TABLE, check_dataset, reject
from src.utils.embedding_store import EmbeddingStore
from src.utils.files import fingerprint
from src.utils.paths import embeddings_folder

DEFAULT_BATCH_SECONDS = 60.0
READERS = 4


@dataclass(frozen=True)
class Extraction:
    """What was done for a split."""

    folder: Path
    n_clips: int
    """In the finished store."""
    n_computed: int
    """By this call; the others were there."""
    n_rejected: int

    def __str__(self) -> str:
        left_out = f"; {self.n_rejected} clips left out, see {REJECTED_TABLE}" if self.n_rejected else ""
        return f"{self.n_clips} clips in {self.folder}, {self.n_computed} of them computed now{left_out}"


@dataclass(frozen=True)
class Clip:
    """A clip on its way through: its name, and its waveform or the reason why there is none."""

    file: str
    waveform: np.ndarray
    reason: str = ""


def extract_splits(
    dataset: Path,
    splits: Sequence[str],
    backbone: str,
    model: str = "",
    *,
    root: Path,
    device: str = "auto",
    precision: str = "auto",
    batch_seconds: float = 0,
) -> Iterator[Extraction]:
    """Load a backbone and extract one split after another; bad names are refused before the model is loaded."""
    check_dataset(dataset)
    for split in splits:
        read_split(dataset, split)
    loaded = load_backbone(backbone, model, device=device, precision=precision)
    for split in splits:
        yield extract(dataset, split, loaded, backbone, root=root, batch_seconds=batch_seconds)


def extract(
    dataset: Path, split: str, backbone: Backbone, name: str, *, root: Path, batch_seconds: float = 0
) -> Extraction:
    """Compute the statistics of every hidden layer for every clip of a split.

    Parameters
    ----------
    dataset : Path
    split : str
    backbone : Backbone
    name : str
        The backbone's name, which names the store's folder.
    root : Path
        Embeddings go to `<root>/embeddings/<corpus>/<name>/<split>`.
    batch_seconds : float
        Seconds of audio that are in memory at once; 0 = 60.

    Raises
    ------
    ValueError
        When no clip can be used, or the folder holds another model's embeddings or those of other recordings.
    """
    if batch_seconds < 0:
        raise ValueError(f"--batch-seconds must be 0 (automatic) or more, not {batch_seconds:g}.")
    clips = read_split(dataset, split)
    _check_recordings(dataset, clips["file"])
    order = clips.sort_values("duration", kind="stable") if "duration" in clips else clips  # equal lengths meet
    fingerprints = {file: fingerprint(dataset / file) for file in order["file"]}
    reasons: dict[str, str] = {}
    with EmbeddingStore(embeddings_folder(root, dataset, name, split), backbone.identity()) as store:
        waiting = store.waiting(fingerprints)
        bar = tqdm(total=len(waiting), desc=f"{name}, {split}", unit="clip", disable=None)
        for batch in batches(
            read_clips(dataset, waiting, backbone), (batch_seconds or DEFAULT_BATCH_SECONDS) * backbone.rate
        ):
            usable = [clip for clip in batch if not clip.reason]
            reasons.update({clip.file: clip.reason for clip in batch if clip.reason})
            if usable:
                statistics, frames = backbone.statistics([clip.waveform for clip in usable])
                usable, statistics, frames = _finite_only(usable, statistics, frames, reasons)
                files = [clip.file for clip in usable]
                store.append(files, [fingerprints[file] for file in files], statistics, frames)
            bar.update(len(batch))
        bar.close()
        reject(dataset, reasons)
        n_clips = store.finish(clips, fingerprints)
    if n_clips == 0:
        file, reason = next(iter(reasons.items()))
        raise ValueError(f"None of the {len(clips)} clips of {split} can be used ({file}: {reason}).")
    return Extraction(store.folder, n_clips, len(waiting) - len(reasons), len(reasons))


def read_clips(dataset: Path, files: Sequence[str], backbone: Backbone) -> Iterator[Clip]:
    """Decode clips in the order asked for, a few ahead of whoever consumes them."""
    read = partial(_read_clip, dataset, rate=backbone.rate, min_samples=backbone.min_samples)
    with ThreadPoolExecutor(READERS) as readers:
        upcoming = iter(files)
        pending: list[Future[Clip]] = [readers.submit(read, file) for file in islice(upcoming, 4 * READERS)]
        while pending:
            clip = pending.pop(0).result()
            pending += [readers.submit(read, file) for file in islice(upcoming, 1)]
            yield clip


def batches(clips: Iterable[Clip], max_samples: float) -> Iterator[list[Clip]]:
    """Gather clips into batches of at most `max_samples` samples in all, at least one clip each."""
    batch: list[Clip] = []
    size = 0
    for clip in clips:
        if batch and size + len(clip.waveform) > max_samples:
            yield batch
            batch, size = [], 0
        batch.append(clip)
        size += len(clip.waveform)
    if batch:
        yield batch


def _read_clip(dataset: Path, file: str, *, rate: int, min_samples: int) -> Clip:
    waveform, reason = usable_or_reason(partial(load_waveform, rate=rate), dataset / file)
    if not reason and len(waveform) < min_samples:
        reason = f"too short ({len(waveform)} samples at {rate} Hz; a frame needs {min_samples})"
    return Clip(file, np.empty(0) if reason else waveform, reason)


def _finite_only(
    clips: list[Clip], statistics: np.ndarray, frames: list[int], reasons: dict[str, str]
) -> tuple[list[Clip], np.ndarray, list[int]]:
    """Leave out clips whose embeddings are not finite, and say so: one NaN would spoil every classifier."""
    finite = np.isfinite(statistics).all(axis=(1, 2, 3))
    reasons.update(
        {clip.file: "its embedding is not finite" for clip, fine in zip(clips, finite, strict=True) if not fine}
    )
    kept = np.flatnonzero(finite)
    return [clips[place] for place in kept], statistics[kept], [frames[place] for place in kept]


def _check_recordings(dataset: Path, files: Iterable[str]) -> None:
    missing = [file for file in files if not (dataset / file).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} recordings of {dataset} are gone (first: {missing[0]}): put them back, "
            "or run fab GenerateDatasetCSV and fab SplitDataset again."
        )
