"""Groups of the numbers that a classifier is given, each of which can be exchanged for those of other clips.

A group says how to put the part of other clips into a table of inputs. Most groups are columns: a statistic (mean or
standard deviation over time), a backbone of several, a layer of a mix, a run of a fusion; of LFCC also the coefficients
themselves, their deltas and their double deltas.

LFCC hold no frequency bands: each coefficient is a sum over all 40 filters. But the transform between the two is
orthonormal and linear, and so is the mean over time, so the mean coefficients are turned back into mean log energies of
the filters, those of one band are exchanged, and the result is turned into coefficients again; likewise for the deltas.
Standard deviations are not linear, so bands are exchanged in the means alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from src.experiments.inputs.choices import poolings_in
from src.experiments.inputs.contract import Input
from src.experiments.inputs.embeddings import MIX, Embeddings
from src.experiments.inputs.scores import Scores
from src.utils.embeddings import POOLINGS

Exchange = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(inputs (n, ...), those of other clips in their place (n, ...)) -> inputs with a part of the others."""
STATISTICS = ("mean", "standard deviation")
LFCC_PARTS = ("static", "delta", "double delta")
FILTERS_IN_BAND = 5


@dataclass(frozen=True)
class Group:
    """A part of the inputs."""

    kind: str
    """What it is one of, such as "frequency band"."""
    name: str
    exchange: Exchange


@dataclass(frozen=True)
class Block:
    """A statistic of a backbone's frames: neighbouring columns of the inputs."""

    backbone: str
    statistic: str
    columns: slice


def groups_of(eaten: Input, origin: Mapping[str, Any], n_columns: int) -> list[Group]:
    """Return the groups of an input; all of it together comes first.

    Parameters
    ----------
    eaten : Input
        Embeddings, or scores of runs.
    origin : mapping
        What the input says of the split: the layers of a mix.
    n_columns : int
        How many numbers a clip has (of each layer).
    """
    everything = Group("everything", "all of it", lambda values, donors: donors)
    if isinstance(eaten, Scores):
        places = enumerate(eaten.runs)
        return [everything, *(Group("run", name, _columns([slice(place, place + 1)])) for place, name in places)]
    if not isinstance(eaten, Embeddings):
        raise TypeError(f"Inputs of the kind {eaten.kind} have no groups.")
    blocks = blocks_of(eaten, origin, n_columns)
    return [everything, *_layers(eaten, origin), *_by_property(blocks), *_of_lfcc(blocks)]


def blocks_of(eaten: Embeddings, origin: Mapping[str, Any], n_columns: int) -> list[Block]:
    """Return where each statistic of each backbone lies among the columns."""
    poolings = poolings_in(eaten.pooling or "mean", len(eaten.backbones))
    stores = origin.get("stores", {eaten.backbone: origin})
    blocks, start = [], 0
    for backbone, pooling in zip(eaten.backbones, poolings, strict=True):
        for statistic in POOLINGS[pooling]:
            end = start + int(stores[backbone]["dimension"])
            blocks.append(Block(backbone, STATISTICS[statistic], slice(start, end)))
            start = end
    if start != n_columns:
        raise ValueError(f"The embeddings have {n_columns} numbers a clip, not {start} as their stores say.")
    return blocks


def names_of_features(eaten: Input, origin: Mapping[str, Any], n_columns: int) -> list[str]:
    """Return a name for each column, such as "lfcc delta 12, mean"; a mix has no single columns."""
    if isinstance(eaten, Scores):
        return [f"score of {name}" for name in eaten.runs]
    if not isinstance(eaten, Embeddings) or eaten.layer == MIX:
        return []
    names = []
    for block in blocks_of(eaten, origin, n_columns):
        size = block.columns.stop - block.columns.start
        numbers = _lfcc_numbers(size) if block.backbone == "lfcc" else [str(number) for number in range(size)]
        names += [f"{block.backbone} {number}, {block.statistic}" for number in numbers]
    return names


def _lfcc_numbers(size: int) -> list[str]:
    n_filters = size // len(LFCC_PARTS)
    return [f"{part} {number}" for part in LFCC_PARTS for number in range(n_filters)]


def _columns(where: Sequence[slice]) -> Exchange:
    """Return what exchanges columns, the last axis of the inputs."""
    return partial(_exchange_columns, where=where)


def _exchange_columns(values: np.ndarray, donors: np.ndarray, *, where: Sequence[slice]) -> np.ndarray:
    changed = values.copy()
    for columns in where:
        changed[..., columns] = donors[..., columns]
    return changed


def _exchange_layer(values: np.ndarray, donors: np.ndarray, *, place: int) -> np.ndarray:
    changed = values.copy()
    changed[:, place] = donors[:, place]
    return changed


def _exchange_band(
    values: np.ndarray, donors: np.ndarray, *, starts: Sequence[int], n_filters: int, filters: slice
) -> np.ndarray:
    """Exchange some of the filters behind coefficients: `starts` are the first columns of each set of `n_filters`."""
    from scipy.fft import dct, idct

    changed = values.astype(np.float64)
    outside = np.ones(n_filters, dtype=bool)
    outside[filters] = False
    for start in starts:
        columns = slice(start, start + n_filters)
        energies = idct(donors[..., columns].astype(np.float64) - values[..., columns], norm="ortho")
        energies[..., outside] = 0.0
        changed[..., columns] += dct(energies, norm="ortho")
    return changed.astype(values.dtype)


def _layers(eaten: Embeddings, origin: Mapping[str, Any]) -> Iterator[Group]:
    if eaten.layer == MIX:
        for place, number in enumerate(origin["layers"]):
            yield Group("layer", f"layer {number}", partial(_exchange_layer, place=place))


def _by_property(blocks: Sequence[Block]) -> Iterator[Group]:
    """Yield a group for each backbone and each statistic, where there are several."""
    for kind, key in (("backbone", "backbone"), ("statistic", "statistic")):
        names = list(dict.fromkeys(getattr(block, key) for block in blocks))
        for name in names if len(names) > 1 else ():
            yield Group(kind, name, _columns([block.columns for block in blocks if getattr(block, key) == name]))


def _of_lfcc(blocks: Sequence[Block]) -> Iterator[Group]:
    """Yield the delta orders and the frequency bands of LFCC."""
    from src.backbones.lfcc import N_FILTERS

    mine = [block for block in blocks if block.backbone == "lfcc"]
    for number, part in enumerate(LFCC_PARTS if mine else ()):
        starts = [block.columns.start + number * N_FILTERS for block in mine]
        yield Group("delta order", part, _columns([slice(start, start + N_FILTERS) for start in starts]))
    means = [block.columns.start for block in mine if block.statistic == "mean"]
    starts = [start + number * N_FILTERS for start in means for number in range(len(LFCC_PARTS))]
    for first in range(0, N_FILTERS if means else 0, FILTERS_IN_BAND):
        filters = slice(first, first + FILTERS_IN_BAND)
        change = partial(_exchange_band, starts=starts, n_filters=N_FILTERS, filters=filters)
        yield Group("frequency band", band_of_filters(filters), change)


def band_of_filters(filters: slice) -> str:
    """Return the band of LFCC's filters in words: from halfway to the filter before, to halfway to the one after.

    >>> band_of_filters(slice(0, 5)), band_of_filters(slice(35, 40))
    ('0-1.1 kHz', '6.9-8 kHz')
    """
    from src.backbones.clip_by_clip import RATE
    from src.backbones.lfcc import N_FILTERS

    step = RATE / 2 / (N_FILTERS + 1)
    low = 0.0 if filters.start == 0 else (filters.start + 0.5) * step
    high = RATE / 2 if filters.stop == N_FILTERS else (filters.stop + 0.5) * step
    return f"{round(low / 1000, 1):g}-{round(high / 1000, 1):g} kHz"
