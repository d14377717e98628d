"""Checksums of an embedding store's rows: a CRC-32 over all layers of a clip, recorded in the journal."""

from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd

from src.utils.embeddings import layer_file

ROWS_AT_ONCE = 4096


def row_checksums(values: np.ndarray) -> list[str]:
    """Return the checksum of every row of statistics (b, layers, 2, d), little-endian float32."""
    return [f"{crc32(row.tobytes()):08x}" for row in values]


def damaged_rows(folder: Path, layers: Sequence[int], journal: pd.DataFrame, row_bytes: int) -> list[int]:
    """Return the positions of the journal's rows whose stored vectors do not match their checksums.

    Parameters
    ----------
    folder : Path
    layers : sequence of int
        The layers that the store holds.
    journal : pd.DataFrame
        Its lines, in order. Of a clip that was written twice, only the last row is checked.
    row_bytes : int
        Bytes of one row of one layer.
    """
    superseded = journal["file"].duplicated(keep="last").to_numpy()
    damaged = []
    for start in range(0, len(journal), ROWS_AT_ONCE):
        rows = journal.iloc[start : start + ROWS_AT_ONCE]
        found = [0] * len(rows)
        for layer in layers:
            with layer_file(folder, layer).open("rb") as file:
                file.seek(start * row_bytes)
                for place in range(len(rows)):
                    found[place] = crc32(file.read(row_bytes), found[place])
        damaged += [
            start + place
            for place, written in enumerate(rows["checksum"])
            if f"{found[place]:08x}" != written and not superseded[start + place]
        ]
    return damaged
