"""Which clips go through the model together, and which process takes which of them.

Clips of like length share a batch, so that little of it is padding. A clip longer than a window goes through in windows
of equal length. The plan is such that what is left of it after some batches were done falls into the same batches
again: a run that was killed computes what an undisturbed run computes, to the last bit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """A clip, or a window of a long one."""

    file: str
    start: int = 0
    """In samples."""
    stop: int = 0
    """In samples; 0 = the end of the clip."""
    window: int = 0
    n_windows: int = 1


Batch = tuple[Piece, ...]
Unit = tuple[Batch, ...]
"""What belongs together: a batch of whole clips, or all the windows of a long clip."""


@dataclass(frozen=True)
class Share:
    """A part of the work, such as the second of three; or a part of a part, for the GPUs of one of three machines."""

    parts: tuple[tuple[int, int], ...] = ()
    """Number (from 0) and count, from the coarsest to the finest; empty for all of the work."""

    def __post_init__(self) -> None:
        for number, count in self.parts:
            if count < 1:
                raise ValueError(f"--num-shards must be 1 or more, not {count}.")
            if not 0 <= number < count:
                raise ValueError(f"--shard must lie in 0 to {count - 1} for --num-shards={count}, not {number}.")

    @property
    def name(self) -> str:
        """Return a name that can stand in a file's."""
        return "-".join(f"{number}-of-{count}" for number, count in self.parts if count > 1) or "all"

    @property
    def is_all(self) -> bool:
        """Tell whether there is nobody to share with."""
        return self.name == "all"

    def of(self, units: Sequence[Unit]) -> list[Unit]:
        """Return the units that this share is to do."""
        units = list(units)
        for number, count in self.parts:
            units = units[number::count]
        return units


ALL = Share()


def plan(lengths: Mapping[str, int], *, batch_samples: float, window_samples: float) -> list[Unit]:
    """Gather clips into batches, the shortest first.

    A batch takes clips as long as its padded size stays within `batch_samples`. Because lengths ascend, taking whole
    batches out of the plan leaves the boundaries of the others where they were.

    Parameters
    ----------
    lengths : mapping of str to int
        Clip -> its samples.
    batch_samples : float
        Samples of a batch, padding included; one clip may exceed it.
    window_samples : float
        Longer clips are cut into windows of equal length.
    """
    ascending = sorted(lengths.items(), key=lambda clip: clip[1])
    short = [Piece(file) for file, n_samples in ascending if n_samples <= window_samples]
    units: list[Unit] = [(batch,) for batch in _gather(short, [lengths[piece.file] for piece in short], batch_samples)]
    for file, n_samples in ascending[len(short) :]:
        windows = cut(file, n_samples, window_samples)
        units.append(tuple(_gather(windows, [piece.stop - piece.start for piece in windows], batch_samples)))
    return units


def cut(file: str, n_samples: int, window_samples: float) -> list[Piece]:
    """Cut a long clip into the fewest windows of at most `window_samples`, equal to within a sample.

    >>> [(piece.start, piece.stop) for piece in cut("long.wav", 10, 4)]
    [(0, 3), (3, 6), (6, 10)]
    """
    count = int(-(-n_samples // window_samples))
    edges = [n_samples * edge // count for edge in range(count + 1)]
    return [Piece(file, edges[number], edges[number + 1], number, count) for number in range(count)]


def _gather(pieces: Sequence[Piece], lengths: Sequence[int], batch_samples: float) -> list[Batch]:
    """Cut a sequence of pieces of ascending length into batches."""
    batches: list[list[Piece]] = []
    for piece, length in zip(pieces, lengths, strict=True):
        if not batches or (len(batches[-1]) + 1) * length > batch_samples:
            batches.append([])
        batches[-1].append(piece)
    return [tuple(batch) for batch in batches]
