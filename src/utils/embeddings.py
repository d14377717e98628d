"""Read an embedding store: one layer of one split, as a read-only table.

A store is a folder `embeddings/<corpus>/<backbone>/<split>/`:

    meta.json             how it was made: model and digest, precision, normalisation, rate, layers, dimension, digests
    layers/layer-00.f32   a hidden layer: (rows, 2, d) little-endian float32, mean and standard deviation over time
    journal.csv           one line per row, in the order of writing; authoritative while a run is under way
    left-out.csv          the clips that could not be used, and why
    index.csv             the finished view: the row of every clip of the split, in the split's order; written last

Reading one layer reads one file. Layer 0 is what enters the first transformer layer, layer -1 the last layer stored.
"""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.utils.clip_table import ClipTable, clip_columns
from src.utils.dataset import read_file_rows
from src.utils.files import read_record, require_keys
from src.utils.paths import on

POOLINGS = {"mean": (0,), "std": (1,), "mean+std": (0, 1)}
"""Name of a pooling -> the stored statistics that it puts side by side: 0 = mean, 1 = standard deviation."""
META, INDEX, JOURNAL, LEFT_OUT = "meta.json", "index.csv", "journal.csv", "left-out.csv"
IDENTITY = ("model", "digest", "precision")
"""What a store says of the model that made it, whatever the backbone."""
SUMMARY = ("clips", "corpus_digest", "split_digest")
"""What a finished store says of its clips, beside what made it."""
JOURNAL_COLUMNS = ["file", "fingerprint", "frames", "windows", "checksum", "following"]
"""`frames`: number of frames behind the statistics; `windows`: number of windows in which the clip was computed;
`checksum`: CRC-32 of its row in all layers, one after another; `following`: how many more lines its batch has."""
UTF8 = {"encoding": "utf-8", "errors": "surrogateescape"}
"""Encoding of file names: bytes that are not UTF-8 are kept as they are."""
LEFT_OUT_COLUMNS = ["file", "fingerprint", "reason"]


@dataclass(frozen=True)
class EmbeddingTable(ClipTable):
    """Clips with their embeddings."""

    of_several_stores = False
    """Whether each vector is put together from several backbones, whose numbers may differ in size."""

    vectors: np.ndarray
    """Shape (n, d), float32; of all layers (n, layers, d)."""

    @property
    def inputs(self) -> np.ndarray:
        """The vectors, shape (n, d)."""
        return self.vectors


@dataclass(frozen=True)
class StoreMeta:
    """What a store says about itself in `meta.json`, read and checked once."""

    model: str
    digest: str
    """Of the model's weights."""
    precision: str
    layers: tuple[int, ...]
    dimension: int
    """Numbers of each statistic of a layer."""
    clips: int | None
    """In the index; None while the store is not finished, as are the two digests."""
    corpus_digest: str | None
    """Of the recordings of the split."""
    split_digest: str | None
    """Of the rows of the split."""
    record: Mapping[str, Any] = field(repr=False)
    """All that the file holds: normalisation, rate, and whatever else a backbone notes."""

    @property
    def row_bytes(self) -> int:
        """Return how many bytes a clip takes in the file of each layer: two statistics of float32."""
        return bytes_per_row(self.dimension)

    @property
    def identity(self) -> dict[str, Any]:
        """What must agree for two stores to be of one kind."""
        return {key: value for key, value in self.record.items() if key not in SUMMARY}

    def as_json(self) -> dict[str, Any]:
        """Return what the file holds."""
        return dict(self.record)


def load_embeddings(folder: Path, layer: int = -1, pooling: str = "mean", gender: str | None = None) -> EmbeddingTable:
    """Read one layer of a finished store.

    Parameters
    ----------
    folder : Path
        `embeddings/<corpus>/<backbone>/<split>`.
    layer : int
        A layer that the store holds, or a place counted from the end: -1 is the last layer stored.
    pooling : str
        "mean", "std" (each d wide) or "mean+std" (2 d wide).
    gender : str, optional
        F or M; None for all.

    Raises
    ------
    FileNotFoundError
        When the store is missing or unfinished; the message names the task.
    ValueError
        When layer, pooling or gender is not one that the store has.
    """
    meta, index = open_index(folder, pooling)
    number = resolve_layer(layer, meta.layers)
    return table_of(index, read_layer(folder, number, pooling, index["row"].to_numpy(), meta)).only(gender)


def open_index(folder: Path, pooling: str) -> tuple[StoreMeta, pd.DataFrame]:
    """Return what a finished store says about itself, and its index with the numbers of its rows."""
    if pooling not in POOLINGS:
        raise ValueError(f"Unknown `pooling` '{pooling}'; allowed: {', '.join(POOLINGS)}.")
    meta = read_meta(folder)
    index = read_file_rows(folder / INDEX, maker="GenerateEmbeddings")
    if "row" not in index:
        raise ValueError(f"{folder / INDEX} has no column row; delete it and run fab GenerateEmbeddings again.")
    return meta, index.astype({"row": int})


def read_layer(folder: Path, layer: int, pooling: str, rows: np.ndarray, meta: StoreMeta) -> np.ndarray:
    """Return rows (n,) of one layer, shape (n, d) or, pooled by two statistics, (n, 2 d)."""
    path, shape = layer_file(folder, layer), (rows.max() + 1, 2, meta.dimension)
    if not path.is_file() or path.stat().st_size < 4 * math.prod(shape):
        raise ValueError(f"{path} is missing or truncated; delete {folder} and run fab GenerateEmbeddings again.")
    stored = np.memmap(path, dtype="<f4", mode="r", shape=shape)
    return np.concatenate([stored[rows, statistic] for statistic in POOLINGS[pooling]], axis=1)


def table_of(index: pd.DataFrame, vectors: np.ndarray) -> EmbeddingTable:
    """Return the table of an index and its vectors."""
    return EmbeddingTable(vectors=vectors, **clip_columns(index))


def read_meta(folder: Path, dataset: Path | None = None) -> StoreMeta:
    """Return the metadata of a finished store.

    Raises
    ------
    FileNotFoundError
        When the store is missing or unfinished.
    """
    task = (
        f"fab GenerateEmbeddings --backbone={folder.parent.name} --splits={folder.name}{on(dataset) if dataset else ''}"
    )
    if not (folder / META).is_file():
        raise FileNotFoundError(f"There are no embeddings {folder}: make them with {task}.")
    if not (folder / INDEX).is_file():
        raise FileNotFoundError(f"The embeddings {folder} are not finished: resume with {task}.")
    return read_store_meta(folder)


def read_store_meta(folder: Path) -> StoreMeta:
    """Return the metadata of a store, finished or not.

    Raises
    ------
    ValueError
        When the file is damaged, or of a version before the first edition.
    """
    found = read_record(folder / META)
    if not isinstance(found.get("layers", []), list):
        raise ValueError(f"{folder} was made by an earlier version: delete it and run fab GenerateEmbeddings again.")
    require_keys(found, folder / META, *IDENTITY, "layers", "dimension")
    told: dict[str, Any] = {key: found.get(key) for key in (*IDENTITY, "dimension", *SUMMARY)}
    return StoreMeta(layers=tuple(found["layers"]), record=found, **told)


def resolve_layer(layer: int, layers: Sequence[int]) -> int:
    """Return the number of a stored layer, which may be given as a place counted from the end.

    >>> resolve_layer(-1, [0, 1, 2, 6])
    6
    """
    if layer in layers:
        return layer
    if -len(layers) <= layer < 0:
        return layers[layer]
    raise ValueError(
        f"There is no layer {layer}; these embeddings have {describe_layers(layers)} (-1 is the last of them)."
    )


def describe_layers(layers: Sequence[int]) -> str:
    """Write layers in the form that the option `layers` takes.

    >>> describe_layers([0, 1, 2, 6])
    '0-2,6'
    """
    runs: list[list[int]] = []
    for layer in layers:
        if runs and layer == runs[-1][-1] + 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def layer_file(folder: Path, layer: int) -> Path:
    """Return the file that holds one layer of a store."""
    return folder / "layers" / f"layer-{layer:02d}.f32"


def bytes_per_row(dimension: int) -> int:
    """Return the bytes of a clip's row in one layer: mean and standard deviation in float32.

    >>> bytes_per_row(768)
    6144
    """
    return 2 * dimension * 4


def read_journal(folder: Path) -> pd.DataFrame:
    """Return the rows that were written, in order, all columns as text; a batch that a kill cut short is ignored."""
    path = folder / JOURNAL
    return pd.DataFrame(whole_batches(path.read_bytes() if path.is_file() else b""), columns=JOURNAL_COLUMNS)


def whole_batches(lines: bytes) -> list[list[str]]:
    """Return the rows of a journal up to the end of its last complete batch, a cell for each of `JOURNAL_COLUMNS`."""
    rows = list(takewhile(lambda row: len(row) == len(JOURNAL_COLUMNS), _whole_lines(lines)))
    while rows and rows[-1][-1] != "0":
        rows.pop()
    return rows


def read_left_out(folder: Path) -> pd.DataFrame:
    """Return the clips that could not be used: file, fingerprint and the latest reason."""
    path = folder / LEFT_OUT
    lines = _whole_lines(path.read_bytes() if path.is_file() else b"")
    rows = [row for row in lines if len(row) == len(LEFT_OUT_COLUMNS)]
    return pd.DataFrame(rows, columns=LEFT_OUT_COLUMNS).drop_duplicates("file", keep="last")


def _whole_lines(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content[: content.rfind(b"\n") + 1].decode(**UTF8))))
