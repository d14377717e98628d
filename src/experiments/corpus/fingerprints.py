"""Fingerprints of recordings: what tells that a recording is no longer the one that something was computed from."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from src.utils.files import fingerprint
from src.utils.paths import on

THREADS = 16


def take_fingerprints(dataset: Path, files: Sequence[str]) -> dict[str, str]:
    """Return file -> fingerprint of its recording, read in several threads.

    Raises
    ------
    FileNotFoundError
        When recordings are missing; the message counts them and names the first.
    """
    with ThreadPoolExecutor(THREADS) as threads:
        found = dict(zip(files, threads.map(partial(_fingerprint_if_there, dataset), files), strict=True))
    missing = [file for file, taken in found.items() if not taken]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} recordings that the splits of {dataset} list are missing (first: {missing[0]}): "
            f"put them back, or run fab GenerateDatasetCSV{on(dataset)} and fab SplitDataset{on(dataset)} again."
        )
    return found


def _fingerprint_if_there(dataset: Path, file: str) -> str:
    path = dataset / file
    return fingerprint(path) if path.is_file() else ""
