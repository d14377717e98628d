"""Report on the embedding stores: of which model each is, whether it is finished, and whether it is intact."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from src.utils.embedding_checks import damaged_rows
from src.utils.embeddings import (
    INDEX,
    JOURNAL,
    META,
    StoreMeta,
    describe_layers,
    layer_file,
    read_journal,
    read_left_out,
    read_store_meta,
)

COLUMNS = ("embeddings", "model", "precision", "layers", "width", "clips", "left out", "size", "state")


@dataclass(frozen=True)
class StoreReport:
    """The contents and the state of a store."""

    folder: Path
    meta: StoreMeta
    n_clips: int
    n_left_out: int
    n_bytes: int
    finished: bool
    problem: str = ""
    """What is wrong with it; empty when nothing is."""

    @property
    def is_random(self) -> bool:
        """Whether the weights of its model are random."""
        return self.meta.record.get("random") is True

    @property
    def copies_in_words(self) -> str:
        """Of which augmented copies it is; empty for a store of clips as they were recorded."""
        about = self.meta.record
        if "augment" not in about:
            return ""
        return f"copy {about.get('copy')} by {about['augment']}, seed {about.get('seed')}"

    def row(self, root: Path) -> tuple[str, ...]:
        """Return its row of the table, one cell for each of `COLUMNS`."""
        state = "damaged" if self.problem else "finished" if self.finished else "unfinished"
        model = f"{self.meta.model} (random weights)" if self.is_random else str(self.meta.model)
        return (
            self.folder.relative_to(root / "embeddings").as_posix(),
            f"{model}, {self.copies_in_words}" if self.copies_in_words else model,
            str(self.meta.precision),
            describe_layers(self.meta.layers),
            str(self.meta.dimension),
            f"{self.n_clips:,}",
            f"{self.n_left_out:,}",
            f"{self.n_bytes / 1e6:,.1f} MB",
            state,
        )


def inspect_stores(root: Path, corpus: str | None = None, backbone: str | None = None) -> list[StoreReport]:
    """Inspect the stores below `<root>/embeddings`, of all corpora and backbones or of those named.

    Every row is compared with its checksum.

    Raises
    ------
    FileNotFoundError
        When there are none.
    """
    folders = sorted(path.parent for path in (root / "embeddings").glob(f"{corpus or '*'}/{backbone or '*'}/*/{META}"))
    if not folders:
        wanted = "/".join(name for name in (corpus, backbone) if name)
        raise FileNotFoundError(
            f"There are no embeddings {root / 'embeddings' / wanted}: make them with fab GenerateEmbeddings."
        )
    return [inspect_store(folder) for folder in folders]


def inspect_store(folder: Path) -> StoreReport:
    """Inspect one store, comparing every row with its checksum."""
    meta = read_store_meta(folder)
    journal = read_journal(folder)
    paths = [layer_file(folder, layer) for layer in meta.layers]
    finished = (folder / INDEX).is_file()
    return StoreReport(
        folder,
        meta,
        n_clips=meta.clips or 0 if finished else journal["file"].nunique(),
        n_left_out=len(set(read_left_out(folder)["file"]) - set(journal["file"])),
        n_bytes=sum(path.stat().st_size for path in paths if path.is_file()),
        finished=finished,
        problem=next(_problems(folder, meta, journal), ""),
    )


def format_reports(reports: list[StoreReport], root: Path) -> str:
    """Return the stores as a table of plain text."""
    table = pd.DataFrame([report.row(root) for report in reports], columns=list(COLUMNS))
    said = "\nRandom weights are for trying things out, not for a result." if any(r.is_random for r in reports) else ""
    return table.to_string(index=False) + said


def _problems(folder: Path, meta: StoreMeta, journal: pd.DataFrame) -> Iterator[str]:
    """Yield what is wrong with a store, the worst first."""
    for layer in meta.layers:
        path = layer_file(folder, layer)
        if not path.is_file() or path.stat().st_size < len(journal) * meta.row_bytes:
            yield f"{path} is missing or truncated"
            return
    damaged = damaged_rows(folder, meta.layers, journal, meta.row_bytes)
    if damaged:
        yield f"{len(damaged)} of {len(journal)} rows are not what was written (first: {journal['file'][damaged[0]]})"
    if (folder / INDEX).is_file() and not _index_fits(folder, journal):
        yield f"{folder / INDEX} is damaged: it does not fit {JOURNAL}"


def _index_fits(folder: Path, journal: pd.DataFrame) -> bool:
    """Return whether every row that the index names is the journal's row of that clip."""
    try:
        index = pd.read_csv(folder / INDEX, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError):
        return False
    if not {"file", "row"} <= set(index.columns) or not index["row"].str.fullmatch("[0-9]+").all():
        return False
    rows = index["row"].astype(int).to_numpy()
    return bool((rows < len(journal)).all()) and bool((journal["file"].to_numpy()[rows] == index["file"]).all())
