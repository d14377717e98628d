"""Extract one split in one process: read its recordings, run the model, write the store.

Other processes read recordings ahead (`readers.py`), this one runs the model (`lanes.py`), and a thread writes the
results (`writer.py`), so that none waits for another. Finished clips are skipped: a run that was killed resumes where
it stopped. A clip that cannot be used is listed in `rejected-files.csv` and left out of the index.
"""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from src.audio.storage.places import stretches_of
from src.backbones.clips import padded_samples, window_samples
from src.backbones.contract import Backbone
from src.experiments.extraction.batches import Batch, gather_by_stretch, largest_batch
from src.experiments.extraction.lanes import Lanes
from src.experiments.extraction.plan import SplitPlan
from src.experiments.extraction.readers import Sound, read_ahead
from src.experiments.extraction.requests import Extraction, Request
from src.experiments.extraction.writer import BATCHES_BEHIND, BatchWriter, Progress
from src.utils.dataset import reject
from src.utils.embedding_store import EmbeddingStore
from src.utils.embeddings import read_store_meta


def extract(part: SplitPlan, backbone: Backbone, request: Request) -> Extraction:
    """Compute the statistics of every layer that a backbone keeps, for every clip of a split that has none yet.

    Parameters
    ----------
    part : SplitPlan
        The split and its survey.
    backbone : Backbone
        Loaded for the request.
    request : Request
        Gives the limits and the share; the last share finishes the store.

    Raises
    ------
    ValueError
        When no clip can be used, or the folder holds another model's embeddings or those of other recordings.
    ChildProcessError
        When the system ends a process that reads recordings.
    """
    started = time.perf_counter()
    identity = {**backbone.identity(), **request.about()}
    samples, reasons = part.samples(backbone.rate, backbone.min_samples)
    share, patience = request.share.name, request.patience
    with EmbeddingStore(part.folder, identity, share, patience=patience, damaged=part.damaged) as store:
        waiting = store.waiting(part.fingerprints)
        store.leave_out({file: reasons[file] for file in waiting if file in reasons}, part.fingerprints)
        to_do = {file: samples[file] for file in waiting if file in samples}
        batches = _batches_of_share(store, samples, to_do, backbone, request)
        seconds = {piece.file: samples[piece.file] / backbone.rate for batch in batches for piece in batch}
        progress = Progress(f"{request.backbone}, {part.split}", len(seconds), sum(seconds.values()))
        in_one_pass = {file for file, length in part.lengths.items() if length.in_one_pass}
        reading = read_ahead(
            request.dataset,
            batches,
            rate=backbone.rate,
            min_samples=backbone.min_samples,
            in_one_pass=in_one_pass,
        )
        largest = largest_batch(batches, samples, padded_samples(backbone)) / backbone.rate
        with Lanes(backbone, largest) as lanes:
            behind = BATCHES_BEHIND + lanes.count - 1
            with BatchWriter(store, part.fingerprints, progress, backbone.rate, behind) as writer:
                waited = _compute(reading, lanes, writer)
        n_clips, left_out = _finish(store, part, request.dataset)
    return Extraction(store.folder, n_clips, writer.n_written, left_out, time.perf_counter() - started, waited)


def finish_without_model(part: SplitPlan, request: Request) -> Extraction:
    """Update the index of a split whose clips are all computed; the model is the one that the store names."""
    identity = read_store_meta(part.folder).identity
    with EmbeddingStore(part.folder, identity, request.share.name, damaged=part.damaged) as store:
        n_clips, left_out = _finish(store, part, request.dataset)
    return Extraction(part.folder, n_clips, 0, left_out)


def _compute(reading: Iterator[list[Sound]], lanes: Lanes, writer: BatchWriter) -> float:
    """Compute batches as they are read; return the seconds in which there was nothing to compute yet."""
    waited = 0.0
    for sounds, seconds in _timed(reading):
        waited += seconds
        usable = [sound.waveform for sound in sounds if not sound.reason]
        writer.write(sounds, lanes.begin(usable) if usable else None)
    return waited


def _finish(store: EmbeddingStore, part: SplitPlan, dataset: Path) -> tuple[int | None, int]:
    """Write the index if every clip is done; return its number of clips, else None, and the number left out."""
    n_clips = store.finish(part.clips, part.fingerprints)
    left_out = store.left_out(part.fingerprints)
    if n_clips is not None:
        reject(dataset, left_out)
    if n_clips == 0:
        file, reason = next(iter(left_out.items()))
        raise ValueError(f"None of the {len(part.clips)} clips of {part.split} can be used ({file}: {reason}).")
    return n_clips, len(left_out)


def _batches_of_share(
    store: EmbeddingStore, samples: dict[str, int], to_do: dict[str, int], backbone: Backbone, request: Request
) -> list[Batch]:
    """Return the batches of a share; every process divides the same list of batches into shares."""
    batch_seconds = request.limits.batch_seconds or backbone.batch_seconds
    gather = partial(
        gather_by_stretch,
        stretches=stretches_of(request.dataset, samples),
        window_samples=window_samples(backbone, request.limits.window_seconds),
        padded_samples=padded_samples(backbone),
    )
    if not request.share.is_all:
        agreed = store.agree_on_batch_seconds(batch_seconds)
        units = gather(samples, batch_samples=agreed * backbone.rate)
        mine = {piece.file for unit in request.share.of(units) for batch in unit for piece in batch}
        to_do = {file: count for file, count in samples.items() if file in mine and file in to_do}
    units = gather(to_do, batch_samples=batch_seconds * backbone.rate)
    return [batch for unit in units for batch in unit]


def _timed(items: Iterator[list[Sound]]) -> Iterator[tuple[list[Sound], float]]:
    """Yield items, each with the seconds spent waiting for it."""
    while True:
        asked = time.perf_counter()
        item = next(items, None)
        if item is None:
            return
        yield item, time.perf_counter() - asked
