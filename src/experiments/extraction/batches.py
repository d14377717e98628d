"""Group clips into batches for the model.

Clips of similar length share a batch, so that there is little padding. A clip longer than a window is computed in
windows of equal length. The clips that remain after some batches are grouped into the same batches again: a run that
resumes computes what an uninterrupted run computes, to the last bit.

Recordings inside tars are grouped stretch by stretch, in the order in which the tars are read from front to back. Which
stretch a recording lies in depends on nothing else, so this holds for them as well.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from src.backbones.clips import window_edges

MOST_PADDED = 1.03
"""Most samples of a batch with padding, for each sample of its clips: padding is computed like sound."""


@dataclass(frozen=True)
class Piece:
    """A clip, or a window of a long one."""

    file: str
    start: int = 0
    """First sample."""
    stop: int = 0
    """Sample after the last one; 0 = the end of the clip."""
    window: int = 0
    n_windows: int = 1


Batch = tuple[Piece, ...]
Unit = tuple[Batch, ...]
"""What belongs together: a batch of whole clips, the windows of a long clip, or the batches of a stretch of a tar."""


def gather_batches(
    lengths: Mapping[str, int], *, batch_samples: float, window_samples: float, padded_samples: float = 0.0
) -> list[Unit]:
    """Group clips into batches, the shortest first.

    A batch takes clips while its padded size stays within `batch_samples`, and within `MOST_PADDED` of their own
    size. Because lengths ascend, removing whole batches does not move the boundaries of the others.

    Parameters
    ----------
    lengths : mapping of str to int
        Clip -> number of samples.
    batch_samples : float
        Most samples of a batch, padding included; a single clip may exceed it.
    window_samples : float
        Longer clips are cut into windows of equal length.
    padded_samples : float
        What is shorter counts as much: a model may pad every clip to this length.
    """
    ascending = sorted(lengths.items(), key=lambda clip: clip[1])
    short = [Piece(file) for file, n_samples in ascending if n_samples <= window_samples]
    padded = [max(lengths[piece.file], padded_samples) for piece in short]
    units: list[Unit] = [(batch,) for batch in _gather(short, padded, batch_samples)]
    for file, n_samples in ascending[len(short) :]:
        windows = cut(file, n_samples, window_samples)
        padded = [max(piece.stop - piece.start, padded_samples) for piece in windows]
        units.append(tuple(_gather(windows, padded, batch_samples)))
    return units


def gather_by_stretch(
    lengths: Mapping[str, int], *, stretches: Mapping[str, tuple[str, int]], **sizes: float
) -> list[Unit]:
    """Group clips into batches by `gather_batches`, those in tars stretch by stretch: each stretch becomes one unit.

    Parameters
    ----------
    lengths : mapping of str to int
        Clip -> number of samples.
    stretches : mapping of str to (str, int)
        Clip -> its tar and the number of its stretch; clips that are files of their own are left out.
    **sizes : float
        Those of `gather_batches`.

    >>> stretches = {"a.tar/1": ("a.tar", 0), "a.tar/2": ("a.tar", 1), "a.tar/3": ("a.tar", 0)}
    >>> lengths = {"a.tar/1": 300, "a.tar/2": 100, "a.tar/3": 299}
    >>> units = gather_by_stretch(lengths, stretches=stretches, batch_samples=900, window_samples=900)
    >>> [[[piece.file for piece in batch] for batch in unit] for unit in units]
    [[['a.tar/3', 'a.tar/1']], [['a.tar/2']]]
    """
    groups: dict[tuple[str, int], dict[str, int]] = {}
    for file, n_samples in lengths.items():
        groups.setdefault(stretches.get(file, ("", 0)), {})[file] = n_samples
    units = gather_batches(groups.pop(("", 0), {}), **sizes)
    in_tars = [gather_batches(groups[stretch], **sizes) for stretch in sorted(groups)]
    return units + [tuple(batch for unit in found for batch in unit) for found in in_tars]


def largest_batch(batches: Iterable[Batch], lengths: Mapping[str, int], padded_samples: float = 0.0) -> float:
    """Return the samples of the largest batch, padding included.

    >>> largest_batch([(Piece("a"), Piece("b")), (Piece("long", 5, 15),)], {"a": 6, "b": 7, "long": 15})
    14
    """
    sizes = [
        len(batch) * max(padded_samples, *((piece.stop or lengths[piece.file]) - piece.start for piece in batch))
        for batch in batches
    ]
    return max(sizes, default=0)


def cut(file: str, n_samples: int, window_samples: float) -> list[Piece]:
    """Cut a long clip into the fewest windows of at most `window_samples`, equal to within a sample.

    >>> [(piece.start, piece.stop) for piece in cut("long.wav", 10, 4)]
    [(0, 3), (3, 6), (6, 10)]
    """
    edges = window_edges(n_samples, window_samples)
    count = len(edges) - 1
    return [Piece(file, edges[number], edges[number + 1], number, count) for number in range(count)]


def _gather(pieces: Sequence[Piece], lengths: Sequence[float], batch_samples: float) -> list[Batch]:
    """Cut a sequence of pieces of ascending length into batches."""
    batches: list[list[Piece]] = []
    total = 0.0
    for piece, length in zip(pieces, lengths, strict=True):
        padded = (len(batches[-1]) + 1) * length if batches else math.inf
        if padded > batch_samples or padded > MOST_PADDED * (total + length):
            batches.append([])
            total = 0.0
        batches[-1].append(piece)
        total += length
    return [tuple(batch) for batch in batches]
