"""Follow an extraction that other processes or machines carry out, by what the journals of its stores gain."""

from pathlib import Path

from src.experiments.extraction.plan import Plan
from src.experiments.extraction.writer import Progress
from src.utils.embeddings import JOURNAL
from src.utils.store_rows import JournalTail, size_of


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
        self._tails = [JournalTail(folder) for folder in self._seconds]
        self.seen: dict[Path, set[str]] = {folder: set() for folder in self._seconds}
        """Folder of a store -> those of its waiting clips that were written."""

    def look(self) -> None:
        """Show what was written since the last look."""
        for tail in self._tails:
            seconds, seen = self._seconds[tail.folder], self.seen[tail.folder]
            new = {file for file in _new_files(tail) if file in seconds and file not in seen}
            seen |= new
            self._progress.advance(len(new), sum(seconds[file] for file in new))

    def close(self) -> None:
        """End the bar's line."""
        self._progress.close()


def _new_files(tail: JournalTail) -> list[str]:
    """Return the files of the lines that a journal has gained; of all lines if a torn end was cut off."""
    if size_of(tail.folder / JOURNAL) < tail.n_bytes:
        tail.n_bytes = 0
    return [file for file, *_ in tail.new_rows()]
