"""Write batches in a thread while the model computes the next ones, and show the progress."""

import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

import numpy as np
from tqdm import tqdm

from src.audio.io import SILENT
from src.backbones.clips import NOT_FINITE, Windows
from src.backbones.contract import Statistics
from src.experiments.extraction.readers import Sound
from src.utils.embedding_store import EmbeddingStore, Row

BATCHES_BEHIND = 2
"""Most batches that may be computed and not written yet, where one is computed at a time."""


class Progress:
    """One bar: clips, hours of sound, speed as a multiple of real time, and time left; on a terminal only.

    Parameters
    ----------
    description : str
    n_clips : int
    seconds : float
        Seconds of sound in total.
    """

    def __init__(self, description: str, n_clips: int, seconds: float) -> None:
        self._n_clips, self._seconds = n_clips, seconds
        self._clips_done = 0
        self._seconds_done = 0.0
        self._started = time.perf_counter()
        layout = "{desc}: {percentage:3.0f}%|{bar}| {unit} [{elapsed}<{remaining}]"
        quiet = True if os.environ.get("TQDM_DISABLE") else None  # None: unless it is a terminal
        self._bar = tqdm(total=seconds, desc=description, unit="", bar_format=layout, disable=quiet)

    def advance(self, n_clips: int, seconds: float) -> None:
        """Add what was done since the last call."""
        self._clips_done += n_clips
        self._seconds_done = min(self._seconds_done + seconds, self._seconds)
        self._bar.unit = self.status(time.perf_counter() - self._started)
        self._bar.update(self._seconds_done - self._bar.n)

    def status(self, elapsed: float) -> str:
        """Return the progress after `elapsed` seconds, as text."""
        return (
            f"{self._clips_done:,} of {self._n_clips:,} clips, "
            f"{self._seconds_done / 3600:.2f} of {self._seconds / 3600:.2f} h, "
            f"{self._seconds_done / max(elapsed, 1e-9):,.0f} x real time"
        )

    def close(self) -> None:
        """End the bar's line."""
        self._bar.close()


class BatchWriter:
    """Pools windows into clips and writes them, in order, in a thread; the next `write` raises an error from there.

    Parameters
    ----------
    store : EmbeddingStore
    fingerprints : mapping of str to str
        File -> fingerprint of its recording.
    progress : Progress
    rate : int
        Sample rate of the waveforms, in hertz.
    behind : int
        Most batches that may be under way and not written yet.
    """

    def __init__(
        self,
        store: EmbeddingStore,
        fingerprints: Mapping[str, str],
        progress: Progress,
        rate: int,
        behind: int = BATCHES_BEHIND,
    ) -> None:
        self.n_written = 0
        self._store, self._fingerprints, self._progress, self._rate = store, fingerprints, progress, rate
        self._most_behind = behind
        self._windows: dict[str, Windows] = {}
        self._refused: set[str] = set()
        """Long clips of which a window could not be used; their other windows are ignored."""
        self._thread = ThreadPoolExecutor(1)
        self._behind: deque[Future[None]] = deque()

    def __enter__(self) -> "BatchWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            with suppress(*([Exception] if kind else [])):  # report the first error, not what follows from it
                while self._behind:
                    self._behind.popleft().result()
        finally:
            self._thread.shutdown(cancel_futures=True)
            self._progress.close()

    def write(self, sounds: Sequence[Sound], wait: Callable[[], Statistics] | None) -> None:
        """Write a batch once its statistics are computed.

        Parameters
        ----------
        sounds : sequence of Sound
        wait : callable
            Returns the statistics of those that have a waveform; None when none has.
        """
        while len(self._behind) >= self._most_behind:
            self._behind.popleft().result()
        self._behind.append(self._thread.submit(self._write, sounds, wait))

    def _write(self, sounds: Sequence[Sound], wait: Callable[[], Statistics] | None) -> None:
        reasons = {sound.piece.file: sound.reason for sound in sounds if sound.reason}
        for file in reasons.keys() & self._refused:
            del reasons[file]
        self._refused |= reasons.keys()
        rows: list[Row] = []
        vectors: list[np.ndarray] = []
        usable = [sound for sound in sounds if not sound.reason]
        statistics, n_frames = wait() if wait else (np.empty(0), [])
        for sound, of_window, count in zip(usable, statistics, n_frames, strict=True):
            file = sound.piece.file
            if file in self._refused:
                self._windows.pop(file, None)
                continue
            windows = self._windows.setdefault(file, Windows(sound.piece.n_windows))
            if windows.add(of_window, count, sound.silent):
                pooled, count = self._windows.pop(file).pooled()
                reason = _why_not(windows, pooled)
                if reason:
                    reasons[file] = reason
                else:
                    rows.append(Row(file, self._fingerprints[file], count, windows.n_windows))
                    vectors.append(pooled)
        if rows:
            self._store.append(rows, np.stack(vectors))
        self._store.leave_out(reasons, self._fingerprints)
        self.n_written += len(rows)
        self._progress.advance(len(rows) + len(reasons), sum(len(sound.waveform) for sound in usable) / self._rate)


def _why_not(windows: Windows, pooled: np.ndarray) -> str:
    """Return why a clip cannot be used, or "": a single NaN would spoil every classifier."""
    if windows.silent:
        return SILENT
    return "" if np.isfinite(pooled).all() else NOT_FINITE
