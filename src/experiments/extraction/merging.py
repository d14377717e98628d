"""Merge stores of one split that several machines wrote, each its share of the clips, into one.

Rows are appended as an extraction appends them: a kill leaves a store that the next merge, or extraction, resumes. Each
row is compared with its checksum on the way; one that is not what was written is left out, and its clip is computed
again. Where there is no store yet, the first is taken as it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from src.experiments.corpus.fingerprints import take_fingerprints
from src.experiments.corpus.splits import read_split
from src.experiments.extraction.requests import Extraction
from src.utils.dataset import reject
from src.utils.embedding_checks import row_checksums
from src.utils.embedding_store import EmbeddingStore, Row
from src.utils.embeddings import StoreMeta, layer_file, read_journal, read_left_out, read_store_meta
from src.utils.paths import COPIES
from src.utils.store_rows import require_same_kind

ROWS_AT_ONCE = 1024


def merge_stores(parts: Sequence[Path], folder: Path, dataset: Path) -> Extraction:
    """Merge stores of one split into the store of a folder, and finish it if every clip is there.

    Parameters
    ----------
    parts : sequence of Path
        Folders of stores; the first is moved where there is no store yet, all others are only read.
    folder : Path
        Where the store belongs, `embeddings/<corpus>/<backbone>/<split>`.
    dataset : Path
        The corpus.

    Raises
    ------
    ValueError
        When they are not of one kind, or were computed from other recordings than the corpus holds now.
    """
    metas = [read_store_meta(part) for part in parts]
    identity = metas[0].identity
    for part, meta in zip(parts[1:], metas[1:], strict=True):
        require_same_kind(part, meta.record, identity)
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        parts[0].rename(folder)
        parts, metas = parts[1:], metas[1:]
    clips, prints = _clips(folder, dataset)
    with EmbeddingStore(folder, identity) as store:
        n_added = sum(_add(store, part, meta, prints) for part, meta in zip(parts, metas, strict=True))
        store.waiting(prints)
        n_clips, left_out = store.finish(clips, prints), store.left_out(prints)
    if n_clips is not None:
        reject(dataset, left_out)
    return Extraction(folder, n_clips, n_added, len(left_out))


def _clips(folder: Path, dataset: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the rows of the split of a store, and the fingerprints of its recordings, file -> fingerprint."""
    copies = folder.parents[1] / COPIES / folder.name
    source, split = (copies, folder.name.partition("-")[0]) if copies.is_dir() else (dataset, folder.name)
    clips = read_split(source, split)
    return clips, take_fingerprints(source, clips["file"].tolist())


def _add(store: EmbeddingStore, part: Path, meta: StoreMeta, prints: Mapping[str, str]) -> int:
    """Append the rows of a store that another one lacks; return how many these are."""
    journal = read_journal(part).reset_index(names="row").drop_duplicates("file", keep="last")
    journal = journal[journal["file"].isin(store.waiting(prints))]
    changed = journal["file"][journal["fingerprint"] != journal["file"].map(prints)]
    if len(changed):
        raise ValueError(
            f"{len(changed)} recordings changed since {part} was computed (first: {changed.iloc[0]}): run the task "
            "again, for the recordings as they are now."
        )
    n_added = 0
    for rows, values in _intact(part, meta, journal):
        store.append(rows, values)
        n_added += len(rows)
    waiting = set(store.waiting(prints))
    reasons = read_left_out(part)
    reasons = reasons[reasons["file"].isin(waiting) & (reasons["fingerprint"] == reasons["file"].map(prints))]
    store.leave_out(dict(zip(reasons["file"], reasons["reason"], strict=True)), prints)
    return n_added


def _intact(part: Path, meta: StoreMeta, journal: pd.DataFrame) -> Iterator[tuple[list[Row], np.ndarray]]:
    """Yield rows of a store whose checksums are right, and their statistics, shape (b, layers, 2, d)."""
    paths = [layer_file(part, layer) for layer in meta.layers]
    stored = [path.stat().st_size // meta.row_bytes for path in paths if path.is_file()]
    whole = min(stored) if len(stored) == len(paths) else 0
    journal = journal[journal["row"] < whole]
    if not len(journal):
        return
    shape = (whole, 2, meta.dimension)
    layers = [np.memmap(path, dtype="<f4", mode="r", shape=shape) for path in paths]
    for start in range(0, len(journal), ROWS_AT_ONCE):
        lines = journal.iloc[start : start + ROWS_AT_ONCE]
        values = np.stack([layer[lines["row"].to_numpy()] for layer in layers], axis=1)
        sound = np.array(row_checksums(values)) == lines["checksum"].to_numpy()
        rows = [
            Row(line.file, line.fingerprint, int(line.frames), int(line.windows))
            for line in lines[sound].itertuples(index=False)
        ]
        if rows:
            yield rows, values[sound]
