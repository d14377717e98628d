"""Read recordings in other processes, a few batches ahead of the model.

A decoder that crashes on a corrupt file ends its process and not the run: what was being read is read again, one
recording at a time, and a recording that crashes its reader is left out, with the reason. This module imports nothing
heavy, so that those processes start quickly.
"""

import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import loky
import numpy as np
from loky.process_executor import TerminatedWorkerError

from src.audio.io import UnusableAudio, is_silent, load_stretch, load_waveform, read_header
from src.audio.recording import resampled_length
from src.audio.storage.places import stretches_of, will_need
from src.backbones.clips import why_too_short
from src.experiments.extraction.batches import Batch, Piece
from src.experiments.extraction.one_reader import OneReader, kept_stretch
from src.utils.parallel import end_with, signal_of

T = TypeVar("T")
MOST_READERS = 16
FILES_AT_ONCE = 256
HEADER = ("frames", "rate", "reason", "in_one_pass")
"""Columns of tables that hold lengths."""
ENDED_BY_THE_SYSTEM = ("SIGKILL", "SIGTERM")
DECODER_CRASHED = "unreadable (the decoder crashed"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Sound:
    """A piece that was read: its waveform, or the reason why there is none."""

    piece: Piece
    waveform: np.ndarray
    reason: str = ""
    silent: bool = False
    """Whether the piece is silent; a window may be silent when its clip is not."""


def read_ahead(
    dataset: Path,
    batches: Iterable[Batch],
    *,
    rate: int,
    min_samples: int,
    ahead: int | None = None,
    in_one_pass: Collection[str] = (),
) -> Iterator[list[Sound]]:
    """Read batches in order, in other processes, a limited number ahead.

    Parameters
    ----------
    dataset : Path
    batches : iterable of Batch
    rate : int
        Sample rate wanted, in hertz.
    min_samples : int
        Shorter clips cannot be used.
    ahead : int, optional
        Batches read ahead; None = two for each reading process.
    in_one_pass : collection of str
        Long recordings whose windows are left to one process, which decodes each recording once.

    Raises
    ------
    ChildProcessError
        When the system ends a reading process.
    """
    read, windows = (partial(each, dataset, rate, min_samples) for each in (_read_batch, _read_windows))
    upcoming, announced = iter(batches), set[tuple[str, int]]()
    pending: deque[tuple[Batch, Future[list[Sound]]]] = deque()
    with closing(OneReader(windows, _of_each())) as one_reader:
        while True:
            new = list(islice(upcoming, (ahead or 2 * n_readers()) - len(pending)))
            try:
                while new:
                    _announce(dataset, new[0], announced)
                    is_window = new[0][0].stop and new[0][0].file in in_one_pass
                    job = one_reader.submit(new[0]) if is_window else _readers().submit(read, new[0])
                    pending.append((new[0], job))
                    new.pop(0)
                if not pending:
                    return
                sounds = pending[0][1].result()
            except TerminatedWorkerError as death:
                _refuse_if_ended_by_the_system(death)
                one_reader.close()
                for batch in [*(batch for batch, _ in pending), *new]:
                    yield [_read_alone(read, piece) for piece in batch]
                pending.clear()
            else:
                pending.popleft()
                yield sounds


def survey(function: Callable[[Path], T], dataset: Path, files: Sequence[str]) -> dict[str, T]:
    """Apply a quick function to many recordings; return file -> result, without those that crash their reader.

    Raises
    ------
    ChildProcessError
        When the system ends a reading process.
    """
    chunks = [files[start : start + FILES_AT_ONCE] for start in range(0, len(files), FILES_AT_ONCE)]
    found: dict[str, T] = {}
    try:
        for chunk, results in zip(chunks, _readers().map(partial(_apply, function, dataset), chunks), strict=True):
            found.update(zip(chunk, results, strict=True))
    except TerminatedWorkerError as death:
        _refuse_if_ended_by_the_system(death)
        for file in files[len(found) :]:
            try:
                found[file] = _readers().submit(_apply, function, dataset, [file]).result()[0]
            except TerminatedWorkerError as death_of_one:
                _refuse_if_ended_by_the_system(death_of_one)
    return found


@dataclass(frozen=True)
class Length:
    """How long a recording is by its header, or why it cannot be used."""

    n_frames: int = 0
    """Samples of each channel at the recording's own rate."""
    rate: int = 1
    """In hertz."""
    reason: str = ""
    in_one_pass: bool = False
    """Whether its windows should be read one after another, because each costs all that lies before it."""

    @classmethod
    def of_cells(cls, frames: str, rate: str, reason: str, in_one_pass: str) -> "Length":
        """Return what `cells` of a length say, once they are text."""
        return cls(int(frames), int(rate), reason, in_one_pass == "1")

    @property
    def cells(self) -> tuple[int, int, str, int]:
        """Its row in tables, under `HEADER`."""
        return self.n_frames, self.rate, self.reason, int(self.in_one_pass)

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.n_frames / self.rate

    def samples(self, rate: int) -> int:
        """Return the number of samples at another rate, in hertz."""
        return resampled_length(self.n_frames, self.rate, rate)


def read_lengths(dataset: Path, files: Sequence[str]) -> dict[str, Length]:
    """Read the header of each of these recordings once, in parallel; raises what `survey` raises."""
    found = survey(_read_length, dataset, files) if files else {}
    return {file: found.get(file, Length(reason=f"{DECODER_CRASHED})")) for file in files}


def n_readers() -> int:
    """Return the number of reading processes."""
    return min(loky.cpu_count(), MOST_READERS)


def _announce(dataset: Path, batch: Batch, announced: set[tuple[str, int]]) -> None:
    """Let the stretch of a tar that a batch lies in be read from front to back, whatever the order of its clips."""
    for tar, number in stretches_of(dataset, [batch[0].file]).values():
        if (tar, number) not in announced:
            announced.add((tar, number))
            _readers().submit(will_need, dataset / tar, number)


def _readers() -> Any:
    return loky.get_reusable_executor(max_workers=n_readers(), timeout=120, **_of_each())


def _of_each() -> dict[str, Any]:
    """Return the settings of every reading process."""
    return {"env": ONE_THREAD, "initializer": end_with, "initargs": (os.getpid(),)}


def _apply(function: Callable[[Path], T], dataset: Path, files: Sequence[str]) -> list[T]:
    return [function(dataset / file) for file in files]


def _read_length(path: Path) -> Length:
    try:
        header = read_header(path)
    except UnusableAudio as error:
        return Length(reason=str(error))
    return Length(round(header.duration * header.rate), header.rate, in_one_pass=header.decodes_from_beginning)


def _read_batch(dataset: Path, rate: int, min_samples: int, batch: Batch) -> list[Sound]:
    return [_read_piece(dataset, rate, min_samples, piece) for piece in batch]


def _read_windows(dataset: Path, rate: int, min_samples: int, batch: Batch) -> list[Sound]:
    """Read windows of a recording by what has decoded the windows before them."""
    return [_read_piece(dataset, rate, min_samples, piece, kept_stretch) for piece in batch]


def _read_piece(
    dataset: Path, rate: int, min_samples: int, piece: Piece, load: Callable[..., np.ndarray] = load_stretch
) -> Sound:
    path = dataset / piece.file
    try:
        waveform = load(path, piece.start, piece.stop, rate) if piece.stop else load_waveform(path, rate)
    except UnusableAudio as error:
        return _without_sound(piece, str(error))
    too_short = why_too_short(len(waveform), rate, min_samples)
    return _without_sound(piece, too_short) if too_short else Sound(piece, waveform, silent=is_silent(waveform))


def _without_sound(piece: Piece, reason: str) -> Sound:
    return Sound(piece, np.empty(0, np.float32), reason)


def _read_alone(read: Callable[[Batch], list[Sound]], piece: Piece) -> Sound:
    """Read a piece that may crash its reader."""
    try:
        return _readers().submit(read, (piece,)).result()[0]
    except TerminatedWorkerError as death:
        _refuse_if_ended_by_the_system(death)
        return _without_sound(piece, f"{DECODER_CRASHED}: {signal_of(death)})")


def _refuse_if_ended_by_the_system(death: TerminatedWorkerError) -> None:
    if signal_of(death) in ENDED_BY_THE_SYSTEM:
        raise ChildProcessError(
            f"The system ended a process that reads recordings ({signal_of(death)}), possibly out of memory: "
            "run the same command again; finished work is kept."
        ) from None
