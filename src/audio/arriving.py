"""Sound that arrives bit by bit: from a recording, a pipe or a microphone, without ever holding all of it.

A source states its rate and channels, and yields chunks, float32 of shape (n, channels), of whatever sizes they arrive
in. Between chunks it may yield a `Remark`: no sound came for a while, sound was lost, the input ended too early. A
remark is told and the stream goes on, where a recording of a corpus would be refused.

A recording goes through the decoders of `decoders.py`, so the sound is what tests and training get; a pipe (`pipe.py`)
and a microphone (`recorder.py`) are live: whoever sends does not wait, so how long they kept silent is told.
"""

import queue
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src.audio.decoders import open_recording
from src.audio.storage.places import locate
from src.audio.unusable import UnusableAudio

PATIENCE = 5.0
"""Seconds without sound after which a live source is said to have stopped; it may go on later."""
AT_ONCE = 64
"""Most chunks of a live source that wait to be read."""


@dataclass(frozen=True)
class Remark:
    """What happened to the sound between two chunks."""

    text: str
    is_gap: bool = False
    """Whether sound is missing here, so that what follows does not continue what came before."""
    is_early_end: bool = False
    """Whether the input ends here though it promised more."""


Chunk = np.ndarray | Remark


@dataclass(frozen=True)
class Source:
    """Where sound comes from."""

    name: str
    rate: int
    """In hertz."""
    channels: int
    chunks: Iterator[Chunk]
    is_live: bool = False


def open_file(path: Path) -> Source:
    """Open a recording of any format, or a video with sound; a few seconds of it are in memory at a time.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When no decoder can read it, or it is known to be truncated.
    """
    locate(path)
    try:
        recording = open_recording(path)
    except UnusableAudio as error:
        raise ValueError(f"{path} cannot be used: {error}.") from None
    return Source(path.name, recording.rate, recording.channels, recording.blocks())


def patiently(chunks: Iterator[Chunk], patience: float = PATIENCE) -> Iterator[Chunk]:
    """Yield what a live source yields, and remarks on how long it kept silent.

    The source is read in a thread of its own, which ends with the process, so that a source that never sends anything
    again cannot keep anybody from being told.

    Parameters
    ----------
    chunks : iterator of Chunk
    patience : float
        In seconds.
    """
    arrived: queue.Queue[Chunk | Exception | None] = queue.Queue(AT_ONCE)

    def read() -> None:
        try:
            for chunk in chunks:
                arrived.put(chunk)
            arrived.put(None)
        except Exception as error:
            arrived.put(error)

    threading.Thread(target=read, daemon=True).start()
    while (chunk := (yield from next_of(arrived, patience))) is not None:
        yield chunk


def next_of(arrived: "queue.Queue[Chunk | Exception | None]", patience: float) -> Generator[Remark, None, Chunk | None]:
    """Wait for the next chunk in a queue and return it, None at the end; yield a remark where it takes long."""
    began = time.monotonic()
    try:
        chunk = arrived.get(timeout=patience)
    except queue.Empty:
        yield Remark(f"no sound for {patience:g} s; waiting")
        chunk = arrived.get()
        if chunk is not None:
            yield Remark(f"sound is back after {time.monotonic() - began:.1f} s")
    if isinstance(chunk, Exception):
        raise chunk
    return chunk
