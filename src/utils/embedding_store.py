"""The embedding store as its writer sees it: append-only while running, finished by an index.

Vectors of a batch go to the layers' files first, then a line a clip to the journal. Whatever is killed in between
leaves vectors without a line, which the next start cuts off. A store belongs to one model, precision and corpus:
anything else is refused, never mixed in. Clips that left the split keep their rows, unused until they come back.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from src.utils.dataset import FILE_COLUMNS, write_table
from src.utils.embeddings import INDEX, JOURNAL, META, layer_file, read_journal
from src.utils.files import fingerprint, read_json, text_digest, write_json, write_text


class EmbeddingStore:
    """Writes one split's embeddings; use it as a context manager, one process at a time.

    Parameters
    ----------
    folder : Path
    identity : mapping
        What makes two stores the same kind: model, digest, precision, ..., and `layers` and `dimension`.

    Raises
    ------
    ValueError
        When the folder holds embeddings of another kind, or another process is writing it.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.folder = folder
        self.identity = dict(identity)
        self._lock = FileLock(folder / ".lock")

    def __enter__(self) -> "EmbeddingStore":
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise ValueError(f"Another process is writing {self.folder}; wait for it to end.") from None
        try:
            self._check_identity()
            self.journal = self._recover()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def waiting(self, fingerprints: Mapping[str, str]) -> list[str]:
        """Return the files that have no row yet.

        Parameters
        ----------
        fingerprints : mapping of str to str
            File -> its fingerprint now, for the clips of the split.

        Raises
        ------
        ValueError
            When a recording is no longer the one its row was computed from.
        """
        known = dict(zip(self.journal["file"], self.journal["fingerprint"], strict=True))
        changed = [file for file, now in fingerprints.items() if known.get(file, now) != now]
        if changed:
            raise ValueError(
                f"{len(changed)} recordings changed since {self.folder} was made (first: {changed[0]}): "
                "delete that folder to compute them anew, or give the changed corpus a name of its own."
            )
        waiting = [file for file in fingerprints if file not in known]
        if waiting:
            (self.folder / INDEX).unlink(missing_ok=True)
        return waiting

    def append(
        self, files: Sequence[str], fingerprints: Sequence[str], statistics: np.ndarray, frames: Sequence[int]
    ) -> None:
        """Write the rows of a batch.

        Parameters
        ----------
        files, fingerprints : sequences of b str
        statistics : np.ndarray, shape (b, layers, 2, d)
            Mean and standard deviation over time.
        frames : sequence of b int
            How many frames each was computed from.
        """
        expected = (len(files), self.identity["layers"], 2, self.identity["dimension"])
        if statistics.shape != expected:
            raise ValueError(f"Statistics of shape {expected} were expected, not {statistics.shape}.")
        for layer in range(self.identity["layers"]):
            with layer_file(self.folder, layer).open("ab") as file:
                file.write(np.ascontiguousarray(statistics[:, layer], dtype="<f4").tobytes())
        with (self.folder / JOURNAL).open("a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(zip(files, fingerprints, frames, strict=True))

    def finish(self, clips: pd.DataFrame, fingerprints: Mapping[str, str]) -> int:
        """Write the index of the split's clips that have a row; return how many they are.

        Parameters
        ----------
        clips : pd.DataFrame
            The split's rows of the files table.
        fingerprints : mapping of str to str
            File -> fingerprint of its recording.
        """
        self.journal = read_journal(self.folder)
        places = pd.DataFrame(
            {"file": self.journal["file"], "row": range(len(self.journal)), "frames": self.journal["frames"]}
        )
        index = clips[FILE_COLUMNS].merge(places, on="file", how="inner")
        corpus = "\n".join(f"{file} {fingerprints[file]}" for file in sorted(fingerprints))
        meta = {
            **self.identity,
            "clips": len(index),
            "corpus_digest": text_digest(corpus),
            "split_digest": split_digest(clips),
        }
        if (self.folder / INDEX).is_file() and read_json(self.folder / META) == meta:
            return len(index)
        (self.folder / INDEX).unlink(missing_ok=True)
        write_json(self.folder / META, meta)
        write_table(self.folder / INDEX, index)
        return len(index)

    def _check_identity(self) -> None:
        path = self.folder / META
        if not path.exists():
            write_json(path, self.identity)
            return
        found = read_json(path)
        for key, value in self.identity.items():
            if found.get(key) != value:
                raise ValueError(
                    f"{self.folder} holds embeddings of another kind: {key} is {found.get(key)!r} there, "
                    f"{value!r} now. Delete that folder to make it anew."
                )

    def _recover(self) -> pd.DataFrame:
        """Cut journal and layers back to the rows that both hold whole."""
        row_bytes = 2 * self.identity["dimension"] * 4
        paths = [layer_file(self.folder, layer) for layer in range(self.identity["layers"])]
        paths[0].parent.mkdir(exist_ok=True)
        for path in paths:
            path.touch()
        journal = read_journal(self.folder)
        rows = min(len(journal), *(path.stat().st_size // row_bytes for path in paths))
        for path in paths:
            if path.stat().st_size > rows * row_bytes:
                with path.open("r+b") as file:
                    file.truncate(rows * row_bytes)
        journal = journal.iloc[:rows]
        text = journal.to_csv(index=False, header=False, lineterminator="\n")
        if not (self.folder / JOURNAL).is_file() or (self.folder / JOURNAL).read_bytes() != text.encode():
            (self.folder / INDEX).unlink(missing_ok=True)
            write_text(self.folder / JOURNAL, text)
        return journal


def split_digest(clips: pd.DataFrame) -> str:
    """Return a digest of a split's rows: files, people, genders, labels and systems, in order."""
    return text_digest(clips[["file", "speaker", "id", "gender", "label", "system"]].to_csv(index=False))


def changed_recordings(dataset: Path, folder: Path) -> list[str]:
    """Return the recordings that are no longer those a store was computed from; missing ones are passed over."""
    journal = read_journal(folder)
    indexed = set(pd.read_csv(folder / INDEX, dtype=str, keep_default_na=False)["file"])
    used = journal[[file in indexed and (dataset / file).is_file() for file in journal["file"]]]
    now = [fingerprint(dataset / file) for file in used["file"]]
    return used["file"][used["fingerprint"] != now].tolist()
