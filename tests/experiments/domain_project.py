"""A drawn project of three spoof systems and three corpora, in which the layers of a store catch different things.

Layer 0 holds a fingerprint of each system: a classifier that has heard a system never misses it, and one that has not
is guessing. In layer 1 all spoofs differ from bona fide speech a little, in the same way. Validation in domain prefers
layer 0, and whoever leaves out systems prefers layer 1.
"""

from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd

SYSTEMS = ("alpha", "beta", "gamma")
FINGERPRINTS, GENERAL = 0, 1
"""The layers."""
CORPORA = ("first", "second", "third")
DIMENSION = 5
SIZE_OF_FINGERPRINT, SIZE_IN_GENERAL = 8.0, 2.0
"""How far spoofs lie from bona fide clips, in deviations."""


def draw_statistics(file: str, system: str) -> np.ndarray:
    """Return mean and deviation of both layers, shape (2, 2, DIMENSION)."""
    statistics = np.random.default_rng(crc32(file.encode())).standard_normal((2, 2, DIMENSION))
    if system:
        statistics[FINGERPRINTS, 0, SYSTEMS.index(system)] += SIZE_OF_FINGERPRINT
        statistics[GENERAL, 0, -1] += SIZE_IN_GENERAL
    return statistics


def write_domain_project(root: Path, *, people: int = 48, clips: int = 2, **columns: object) -> Path:
    """Write tables, splits and stores; return the corpus. Every person has spoofs of all systems."""
    from src.experiments.corpus.splits import SplitShares, split_dataset
    from src.utils.dataset import FILE_COLUMNS, write_tables

    rows = []
    for number in range(people):
        gender = "FM"[number % 2]
        name, identity = f"Person{number:02d}", f"{gender}{number:03d}"
        corpus = CORPORA[number % 3]
        for clip in range(clips):
            bonafide = f"real_voices/{name}_{identity}/{clip}.wav"
            rows.append([bonafide, name, identity, gender, "bona-fide", "", corpus])
            for system in SYSTEMS:
                spoof = f"fake_voices/{name}_{identity}_Fake/{system}{clip}.wav"
                rows.append([spoof, name, identity, gender, "spoof", system, corpus])
    dataset = root / "datasets" / "corpus"
    dataset.mkdir(parents=True)
    write_tables(dataset, pd.DataFrame(rows, columns=[*FILE_COLUMNS, "corpus"]).assign(**columns))
    split_dataset(dataset, SplitShares(pretext=0, train=0.5, val=0.25), seed=7)
    write_domain_stores(root)
    return dataset


def write_domain_stores(root: Path) -> None:
    """Write the stores of the downstream splits, as those of the backbone hubert."""
    from src.experiments.corpus.splits import DOWNSTREAM, read_split
    from src.utils.embedding_store import EmbeddingStore, Row
    from src.utils.paths import embeddings_folder

    dataset = root / "datasets" / "corpus"
    identity = {"model": "m", "digest": "d", "precision": "fp32", "layers": [0, 1], "dimension": DIMENSION}
    for split in DOWNSTREAM:
        clips = read_split(dataset, split)
        pairs = list(zip(clips["file"], clips["system"], strict=True))
        with EmbeddingStore(embeddings_folder(root, dataset, "hubert", split), identity) as store:
            rows = [Row(file, file, 1) for file, _ in pairs]
            store.append(rows, np.stack([draw_statistics(*pair) for pair in pairs]))
            store.finish(clips, {row.file: row.fingerprint for row in rows})
