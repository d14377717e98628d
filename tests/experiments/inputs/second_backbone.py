"""A second backbone beside the drawn hubert: the store `lfcc`, of other width, size and order of rows."""

from pathlib import Path

import numpy as np
import pandas as pd

from src.experiments.corpus.splits import DOWNSTREAM, read_split
from src.utils.embedding_store import EmbeddingStore, Row
from src.utils.paths import embeddings_folder
from tests.drawn_project import draw_statistics

WIDTH, SIZE = 4, 1000.0


def second_statistics(file: str) -> np.ndarray:
    """Return mean and deviation of two layers, shape (2, 2, WIDTH)."""
    return SIZE * (draw_statistics(file)[:2, :, ::-1][:, :, :WIDTH] + 5)


def write_second_stores(root: Path, *, without: int = 0, take: str = "") -> None:
    """Write them for the downstream splits, without the first clips of each; another `take` = other recordings."""
    dataset = root / "datasets" / "corpus"
    identity = {
        "model": "second",
        "digest": "of second",
        "precision": "bf16",
        "layers": [0, 1],
        "dimension": WIDTH,
    }
    for split in DOWNSTREAM:
        clips: pd.DataFrame = read_split(dataset, split)
        files = clips["file"].tolist()
        used = files[without:][::-1]
        with EmbeddingStore(embeddings_folder(root, dataset, "lfcc", split), identity) as store:
            fingerprints = {file: file + take for file in files}
            store.append(
                [Row(file, fingerprints[file], 1) for file in used],
                np.stack([second_statistics(file) for file in used]),
            )
            store.leave_out(dict.fromkeys(files[:without], "too short"), fingerprints)
            assert store.finish(clips, fingerprints) == len(used)
