"""Tables with more than one layer: all layers of a store, or layers of several backbones side by side."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from src.utils.embeddings import POOLINGS, EmbeddingTable, open_index, read_layer, table_of


@dataclass(frozen=True)
class JoinedTable(EmbeddingTable):
    """Clips with the embeddings of several backbones, as these are: classifiers scale them."""

    of_several_stores = True


def load_all_layers(folder: Path, pooling: str = "mean") -> EmbeddingTable:
    """Read all layers of a finished store, as `load_embeddings` reads one.

    Layers are read one after another, so that the whole is in memory once: 4 bytes x n x layers x d.

    Returns
    -------
    EmbeddingTable, vectors of shape (n, layers, d)
    """
    meta, index = open_index(folder, pooling)
    shape = len(index), len(meta.layers), len(POOLINGS[pooling]) * meta.dimension
    vectors = np.empty(shape, dtype=np.float32)
    for place, number in enumerate(meta.layers):
        vectors[:, place] = read_layer(folder, number, pooling, index["row"].to_numpy(), meta)
    return table_of(index, vectors)


def join_tables(tables: Mapping[str, EmbeddingTable], split: str) -> EmbeddingTable:
    """Put the vectors of several backbones side by side, clip by clip; a single table is returned as it is.

    Parameters
    ----------
    tables : mapping of str to EmbeddingTable
        Backbone -> its table, shape (n, d_b); clips may come in any order, and keep that of the first.
    split : str
        Their split, for errors.

    Returns
    -------
    EmbeddingTable, vectors of shape (n, sum of d_b)

    Raises
    ------
    ValueError
        When they hold different clips.
    """
    (first, start), *others = tables.items()
    if not others:
        return start
    vectors = [start.vectors]
    for backbone, table in others:
        _require_same_clips(split, (first, start), (backbone, table))
        place = {file: row for row, file in enumerate(table.files.tolist())}
        vectors.append(table.vectors[[place[file] for file in start.files.tolist()]])
    shared = {field.name: getattr(start, field.name) for field in fields(start) if field.name != "vectors"}
    return JoinedTable(vectors=np.concatenate(vectors, axis=1), **shared)


def _require_same_clips(split: str, one: tuple[str, EmbeddingTable], other: tuple[str, EmbeddingTable]) -> None:
    for (has, here), (lacks, there) in ((one, other), (other, one)):
        if missing := sorted(set(here.files.tolist()) - set(there.files.tolist())):
            raise ValueError(
                f"{len(missing)} clips of {split} are in the embeddings of {has} and not in those of {lacks} "
                f"(first: {missing[0]}): {lacks} could not use them; remove them from the corpus, or name one backbone."
            )
