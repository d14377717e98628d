"""From the clips of a split to its embedding store: survey, plan, read, compute, write.

Other processes read recordings ahead (`readers.py`), the model runs (`computer.py`), and a thread writes behind, so
that neither waits for the other. Finished clips are skipped: a run that was killed goes on where it stopped. A clip
that cannot be used is listed in `rejected-files.csv` and left out of the index.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from src.backbones import Backbone
from src.experiments.corpus.splits import read_split
from src.experiments.extraction.computer import Computer
from src.experiments.extraction.plan import ALL, Share, Unit, plan
from src.experiments.extraction.readers import DECODER_DIED, Sound, length_or_reason, read_ahead, survey
from src.experiments.extraction.writer import BatchWriter, Progress
from src.utils.dataset import REJECTED_TABLE, reject
from src.utils.embedding_store import EmbeddingStore
from src.utils.files import fingerprint
from src.utils.paths import embeddings_folder

WINDOW_SECONDS = 30.0


@dataclass(frozen=True)
class Extraction:
    """What was done for a split."""

    folder: Path
    n_clips: int | None
    """In the finished store; None while other shares are missing."""
    n_computed: int
    """By this call; the others were there."""
    n_rejected: int
    seconds: float = 0.0
    """That it took."""
    waited: float = 0.0
    """Seconds of these in which the model waited for recordings."""

    def __str__(self) -> str:
        left_out = f"; {self.n_rejected} clips left out, see {REJECTED_TABLE}" if self.n_rejected else ""
        if self.n_clips is None:
            return (
                f"{self.n_computed} clips computed into {self.folder}; it is whole once every other shard is written "
                "(and this one again, where clips were added meanwhile)"
            )
        return f"{self.n_clips} clips in {self.folder}, {self.n_computed} of them computed now{left_out}"


@dataclass(frozen=True)
class Limits:
    """How much goes through the model at once."""

    batch_seconds: float = 0.0
    """Seconds of sound of a batch, padding included; 0 = what the backbone is comfortable with."""
    window_seconds: float = WINDOW_SECONDS
    """Longer clips go through in windows."""

    def __post_init__(self) -> None:
        if not 0 <= self.batch_seconds < np.inf:
            raise ValueError(f"--batch-seconds must be 0 (automatic) or more, not {self.batch_seconds:g}.")
        if not 1 <= self.window_seconds < np.inf:
            raise ValueError(f"--max-seconds must be 1 or more, not {self.window_seconds:g}.")


COMFORTABLE = Limits()


def extract(
    dataset: Path,
    split: str,
    backbone: Backbone,
    name: str,
    *,
    root: Path,
    limits: Limits = COMFORTABLE,
    share: Share = ALL,
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
    limits : Limits
        How much goes through the model at once.
    share : Share
        Which part of the clips; the store is finished by whichever share is the last.

    Raises
    ------
    ValueError
        When no clip can be used, or the folder holds another model's embeddings or those of other recordings.
    ChildProcessError
        When the system ends a process that reads recordings.
    """
    started = time.perf_counter()
    clips = read_split(dataset, split)
    _check_recordings(dataset, clips["file"])
    files = clips["file"].tolist()
    fingerprints = survey(fingerprint, dataset, files)
    identity = {**backbone.identity(), "max_seconds": limits.window_seconds}
    with EmbeddingStore(embeddings_folder(root, dataset, name, split), identity, share.name) as store:
        waiting = store.waiting(fingerprints)
        lengths, reasons = _measure(dataset, waiting if share.is_all else files, backbone)
        store.leave_out({file: reasons[file] for file in waiting if file in reasons}, fingerprints)
        units = _units_to_do(store, lengths, waiting, backbone, limits, share)
        batches = [batch for unit in units for batch in unit]
        files_to_do = {piece.file for batch in batches for piece in batch}
        seconds_to_do = sum(lengths[file] for file in files_to_do) / backbone.rate
        progress = Progress(f"{name}, {split}", len(files_to_do), seconds_to_do)
        computer, waited = Computer(backbone), 0.0
        with BatchWriter(store, fingerprints, progress, backbone.rate) as writer:
            for sounds, seconds in _timed(
                read_ahead(dataset, batches, rate=backbone.rate, min_samples=backbone.min_samples)
            ):
                waited += seconds
                usable = [sound.waveform for sound in sounds if not sound.reason]
                writer.write(sounds, computer.begin(usable) if usable else None)
        n_clips = store.finish(clips, fingerprints)
        left_out = store.left_out(fingerprints)
    if n_clips is not None:
        reject(dataset, left_out)
    if n_clips == 0:
        file, reason = next(iter(left_out.items()))
        raise ValueError(f"None of the {len(clips)} clips of {split} can be used ({file}: {reason}).")
    return Extraction(store.folder, n_clips, writer.n_written, len(left_out), time.perf_counter() - started, waited)


def _measure(dataset: Path, files: Sequence[str], backbone: Backbone) -> tuple[dict[str, int], dict[str, str]]:
    """Return the samples of the clips that have a readable header, and why the others cannot be used."""
    measure = partial(length_or_reason, backbone.rate, backbone.min_samples)
    found = survey(measure, dataset, files)
    lengths = {file: n_samples for file, (n_samples, reason) in found.items() if not reason}
    reasons = {file: reason for file, (_, reason) in found.items() if reason}
    return lengths, {**{file: f"{DECODER_DIED})" for file in files if file not in found}, **reasons}


def _units_to_do(
    store: EmbeddingStore,
    lengths: Mapping[str, int],
    waiting: Sequence[str],
    backbone: Backbone,
    limits: Limits,
    share: Share,
) -> list[Unit]:
    """Plan what waits of a share; shares are cut from a plan of all clips that every process makes alike."""
    batch_seconds = limits.batch_seconds or backbone.batch_seconds
    window_samples = limits.window_seconds * backbone.rate
    left = dict(lengths)
    if not share.is_all:
        agreed = store.agree_on_batch_seconds(batch_seconds)
        mine = share.of(plan(lengths, batch_samples=agreed * backbone.rate, window_samples=window_samples))
        files = {piece.file for unit in mine for batch in unit for piece in batch} & set(waiting)
        left = {file: n_samples for file, n_samples in lengths.items() if file in files}
    return plan(left, batch_samples=batch_seconds * backbone.rate, window_samples=window_samples)


def _timed(items: Iterator[list[Sound]]) -> Iterator[tuple[list[Sound], float]]:
    """Yield items, each with the seconds it was waited for."""
    while True:
        asked = time.perf_counter()
        item = next(items, None)
        if item is None:
            return
        yield item, time.perf_counter() - asked


def _check_recordings(dataset: Path, files: Iterable[str]) -> None:
    missing = [file for file in files if not (dataset / file).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} recordings of {dataset} are gone (first: {missing[0]}): put them back, "
            "or run fab GenerateDatasetCSV and fab SplitDataset again."
        )
