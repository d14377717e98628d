"""Write an embedding store: append-only while a run is under way, finished by an index.

The vectors of a batch are appended to the layers' files first, then its lines to the journal. A kill in between leaves
vectors without lines, or the lines of half a batch, which the next writer cuts off: a batch is stored whole or not at
all, and missing clips are computed again in the same batches. Several processes may write one store, each its own
share of the clips; a lock makes them take turns. A store belongs to one model, precision and corpus: anything else is
refused. Clips that were removed from the split keep their rows, which are unused until the clips return.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from src.audio.storage.places import exists
from src.utils import store_rows
from src.utils.dataset import FILE_COLUMNS, write_table
from src.utils.embedding_checks import row_checksums
from src.utils.embeddings import INDEX, JOURNAL, META, bytes_per_row, layer_file, read_journal
from src.utils.files import fingerprint, read_json, read_record, text_digest, write_json
from src.utils.people import first_names
from src.utils.store_rows import Row

SHARING = "sharing.json"
"""File that records how the clips are divided while several processes write a store."""


class EmbeddingStore:
    """Writes one split's embeddings; use it as a context manager.

    Parameters
    ----------
    folder : Path
    identity : mapping
        What must agree for two stores to be of one kind: model, digest, precision, ..., `layers` and `dimension`.
    share : str
        Name of the share of the clips that this process writes; each share has one writer at a time.
    patience : float
        Seconds to wait for another writer of the share.
    damaged : sequence of int, optional
        Numbers of the rows that a survey has just found damaged: all others are trusted. None = compare all rows with
        their checksums now.

    Raises
    ------
    ValueError
        When the folder holds embeddings of another kind, or another process is writing this share.
    """

    def __init__(
        self,
        folder: Path,
        identity: Mapping[str, Any],
        share: str = "all",
        *,
        patience: float = 0.0,
        damaged: Sequence[int] | None = None,
    ) -> None:
        self.folder = folder
        self._patience, self._damaged = patience, damaged
        self.identity = dict(identity)
        self._share_lock = FileLock(folder / f".lock-{share}")
        self._paths = [layer_file(folder, layer) for layer in self.identity["layers"]]
        self._row_bytes = bytes_per_row(self.identity["dimension"])

    def __enter__(self) -> "EmbeddingStore":
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._share_lock.acquire(timeout=self._patience, poll_interval=0.5)
        except Timeout:
            raise ValueError(f"Another process is writing {self.folder}; wait for it to end.") from None
        try:
            with store_rows.locked(self.folder):
                self._check_identity()
            rows = self._read_rows()  # of a large store that takes a while, in which others may write
            with store_rows.locked(self.folder):
                self._recover(rows)
        except BaseException:
            self._share_lock.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._share_lock.release()

    def waiting(self, fingerprints: Mapping[str, str]) -> list[str]:
        """Return the files that have no row yet and are not known to be unusable.

        Parameters
        ----------
        fingerprints : mapping of str to str
            File -> its fingerprint now, for the clips of the split.

        Raises
        ------
        ValueError
            When a recording changed since its row was computed.
        """
        waiting = store_rows.waiting_clips(self.folder, self._known, fingerprints)
        if waiting:
            (self.folder / INDEX).unlink(missing_ok=True)
        return waiting

    def left_out(self, fingerprints: Mapping[str, str]) -> dict[str, str]:
        """Return the clips that cannot be used, file -> reason; recordings that changed since are tried again."""
        return store_rows.left_out_clips(self.folder, fingerprints)

    def agree_on_batch_seconds(self, wanted: float) -> float:
        """Return the batch size, in seconds, by which the clips are divided: that of the first process to ask."""
        path = self.folder / SHARING
        with store_rows.locked(self.folder):
            if not path.is_file():
                write_json(path, {"batch_seconds": wanted})
            return float(read_record(path, "batch_seconds")["batch_seconds"])

    def append(self, rows: Sequence[Row], statistics: np.ndarray) -> None:
        """Write the rows of a batch; after an interruption either all of them count or none.

        Parameters
        ----------
        rows : sequence of b Row
        statistics : np.ndarray, shape (b, layers, 2, d)
            Mean and standard deviation over time.
        """
        expected = (len(rows), len(self._paths), 2, self.identity["dimension"])
        if statistics.shape != expected:
            raise ValueError(f"Statistics of shape {expected} were expected, not {statistics.shape}.")
        values = np.ascontiguousarray(statistics, dtype="<f4")
        lines = [
            (row.file, row.fingerprint, row.frames, row.windows, checksum, len(rows) - 1 - place)
            for place, (row, checksum) in enumerate(zip(rows, row_checksums(values), strict=True))
        ]
        with store_rows.locked(self.folder):
            self._catch_up()
            for layer, path in enumerate(self._paths):
                with path.open("ab") as file:
                    file.write(values[:, layer].tobytes())
            store_rows.append_lines(self.folder / JOURNAL, lines)
            self._catch_up()

    def leave_out(self, reasons: Mapping[str, str], fingerprints: Mapping[str, str]) -> None:
        """Record clips that cannot be used, file -> reason."""
        if reasons:
            with store_rows.locked(self.folder):
                store_rows.append_left_out(self.folder, reasons, fingerprints)

    def finish(self, clips: pd.DataFrame, fingerprints: Mapping[str, str]) -> int | None:
        """Write the index of the split's clips that have a row, once every clip has one or is left out.

        Parameters
        ----------
        clips : pd.DataFrame
            The split's rows of the files table.
        fingerprints : mapping of str to str
            File -> fingerprint of its recording.

        Returns
        -------
        int or None
            How many clips the index has; None when other shares are still to be written.
        """
        with store_rows.locked(self.folder):
            self._catch_up()
            left_out = self.left_out(fingerprints)
            if any(file not in self._known and file not in left_out for file in clips["file"]):
                return None
            journal = read_journal(self.folder).reset_index(names="row").drop_duplicates("file", keep="last")
            journal = journal[journal["file"].isin(self._known.keys() - left_out.keys())]
            index = clips[FILE_COLUMNS].merge(journal[["file", "row", "frames", "windows"]], on="file", how="inner")
            meta = {
                **self.identity,
                "clips": len(index),
                "corpus_digest": recordings_digest(fingerprints),
                "split_digest": split_digest(clips),
            }
            if (self.folder / INDEX).is_file() and read_json(self.folder / META) == meta:
                return len(index)
            for name in (INDEX, SHARING):
                (self.folder / name).unlink(missing_ok=True)
            for path in (*self._paths, self.folder / JOURNAL):
                store_rows.to_disk(path)
            write_json(self.folder / META, meta)
            write_table(self.folder / INDEX, index)
            return len(index)

    def _check_identity(self) -> None:
        path = self.folder / META
        if not path.exists():
            if store_rows.size_of(self.folder / JOURNAL):
                raise ValueError(
                    f"{self.folder} holds embeddings but no {META}, which names their model: "
                    "delete that folder to compute them again."
                )
            write_json(path, self.identity)
        else:
            store_rows.require_same_kind(self.folder, read_record(path), self.identity)
        self._paths[0].parent.mkdir(exist_ok=True)
        for each in (*self._paths, self.folder / JOURNAL):
            with suppress(FileExistsError):  # the date of what is there stays
                each.touch(exist_ok=False)

    def _read_rows(self) -> store_rows.Rows:
        return store_rows.read_rows(self.folder, self.identity["layers"], self._row_bytes, self._damaged)

    def _recover(self, rows: store_rows.Rows) -> None:
        """Start from rows that were read, and cut off what a kill left behind."""
        if rows.torn:
            rows = self._read_rows()  # somebody may have cut it off and gone on
        if rows.torn:
            (self.folder / INDEX).unlink(missing_ok=True)
            store_rows.cut_off(self.folder / JOURNAL, rows.n_bytes)
        self._known, self._n_rows = rows.fingerprints, rows.n_rows
        self._journal = store_rows.JournalTail(self.folder, rows.n_bytes)
        self._catch_up()

    def _catch_up(self) -> None:
        """Read what any process added to the journal since the last call, and cut off what a dead one left."""
        new = self._journal.new_rows()
        self._n_rows += len(new)
        self._known.update((file, taken) for file, taken, *_ in new)
        store_rows.cut_off(self.folder / JOURNAL, self._journal.n_bytes)
        self._cut_layers()

    def _cut_layers(self) -> None:
        for path in self._paths:
            store_rows.cut_off(path, self._n_rows * self._row_bytes)


def recordings_digest(fingerprints: Mapping[str, str]) -> str:
    """Return a digest of the recordings of a split: file -> fingerprint, in whatever order."""
    return text_digest("\n".join(f"{file} {fingerprints[file]}" for file in sorted(fingerprints)))


def split_digest(clips: pd.DataFrame) -> str:
    """Return a digest of a split's rows: files, people, genders, labels and systems, in order.

    People are spelled as in the first edition, so that the digests of existing stores and runs stay valid.
    """
    return text_digest(clips.assign(speaker=first_names(clips))[FILE_COLUMNS].to_csv(index=False))


def changed_recordings(dataset: Path, folder: Path) -> list[str]:
    """Return the recordings that changed since a store was computed from them; missing ones are ignored."""
    journal = read_journal(folder).drop_duplicates("file", keep="last")
    indexed = set(pd.read_csv(folder / INDEX, dtype=str, keep_default_na=False)["file"])
    used = journal[[file in indexed and exists(dataset / file) for file in journal["file"]]]
    now = [fingerprint(dataset / file) for file in used["file"]]
    return used["file"][used["fingerprint"] != now].tolist()
