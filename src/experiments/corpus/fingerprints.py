"""Fingerprints of recordings: what tells that a recording is no longer the one that something was computed from."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path

from src.audio.storage.places import exists, in_reading_order
from src.utils.files import fingerprint
from src.utils.paths import on

THREADS = 16
BATCH = 64
"""Recordings that a thread is given at a time: one by one, a million of them would wait in a GB of memory."""


def take_fingerprints(dataset: Path, files: Sequence[str]) -> dict[str, str]:
    """Return file -> fingerprint of its recording, read in several threads.

    Raises
    ------
    FileNotFoundError
        When recordings are missing; the message counts them and names the first.
    """
    ordered = in_reading_order(dataset, files)
    batches = [ordered[start : start + BATCH] for start in range(0, len(ordered), BATCH)]
    with ThreadPoolExecutor(THREADS) as threads:
        taken = chain.from_iterable(threads.map(partial(_fingerprints_if_there, dataset), batches))
        prints = dict(zip(ordered, taken, strict=True))
    found = {file: prints[file] for file in files}
    missing = [file for file in found if not found[file]]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} recordings that the splits of {dataset} list are missing (first: {missing[0]}): "
            f"put them back, or run fab GenerateDatasetCSV{on(dataset)} and fab SplitDataset{on(dataset)} again."
        )
    return found


def _fingerprints_if_there(dataset: Path, files: Sequence[str]) -> list[str]:
    return [fingerprint(path) if exists(path) else "" for path in (dataset / file for file in files)]
