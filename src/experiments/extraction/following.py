"""Follow an extraction that other processes or machines carry out, by what the journals of its stores gain."""

from pathlib import Path

from src.experiments.extraction.plan import Plan
from src.experiments.extraction.writer import Progress
from src.utils.embeddings import JOURNAL
from src.utils.store_rows import as_lines, read_new_rows, size_of


class Follower:
    """One progress bar for all who carry out a plan; each look reads only what is new.

    Parameters
    ----------
    plan : Plan
    who : str
        Who carries it out, for the label of the bar.
    """

    def __init__(self, plan: Plan, who: str) -> None:
        self._seconds = {
            part.folder: {file: part.lengths[file].seconds for file in part.waiting} for part in plan.splits
        }
        total = sum(sum(of_store.values()) for of_store in self._seconds.values())
        self._progress = Progress(f"{plan.request.backbone}, {who}", plan.n_waiting, total)
        self._read = dict.fromkeys(self._seconds, 0)
        self.seen: dict[Path, set[str]] = {folder: set() for folder in self._seconds}
        """Folder of a store -> those of its waiting clips that were written."""

    def look(self) -> None:
        """Show what was written since the last look."""
        for folder, seconds in self._seconds.items():
            new = self._new_files(folder) & seconds.keys() - self.seen[folder]
            self.seen[folder] |= new
            self._progress.advance(len(new), sum(seconds[file] for file in new))

    def close(self) -> None:
        """End the bar's line."""
        self._progress.close()

    def _new_files(self, folder: Path) -> set[str]:
        """Return the files of the lines that a journal has gained; of all lines if a torn end was cut off."""
        size = size_of(folder / JOURNAL)
        if size < self._read[folder]:
            self._read[folder] = 0
        if size == self._read[folder]:
            return set()
        rows = read_new_rows(folder, self._read[folder])
        self._read[folder] += len(as_lines(rows))
        return set(rows["file"])
