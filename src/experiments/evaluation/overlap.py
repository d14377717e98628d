"""What a corpus shares with the training and validation data of a run: people, files, contents.

People are compared by name, which may mean others in another corpus. Files are the same where both lead to one
recording on the disk; contents where two recordings have the same bytes, by their fingerprints, under whatever name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.experiments.corpus.fingerprints import take_fingerprints
from src.experiments.corpus.splits import read_split
from src.experiments.inputs.contract import TRAIN, VAL
from src.experiments.training.trained import Trained
from src.utils.clip_table import ClipTable


@dataclass(frozen=True)
class Overlap:
    """How many people, files and contents of a corpus were in training or validation."""

    people: int = 0
    files: int = 0
    contents: int = 0
    """Clips whose bytes were there, those of `files` included."""
    unknown: str = ""
    """Why files and contents could not be compared; empty where they were."""

    def __str__(self) -> str:
        counts = {"people": self.people, "files": self.files, "contents": self.contents}
        found = [f"{count} {what}" for what, count in counts.items() if count]
        said = f"{', '.join(found)} of it were in training or validation" if found else ""
        return "; ".join(filter(None, [said, self.unknown]))

    def as_json(self) -> dict[str, Any]:
        """Return the same for a file."""
        return {"people": self.people, "files": self.files, "contents": self.contents}


@dataclass(frozen=True)
class Heard:
    """What a run was trained and validated on."""

    people: frozenset[str]
    paths: frozenset[Path] = frozenset()
    """Of its recordings, links resolved."""
    contents: frozenset[str] = frozenset()
    """Their fingerprints."""
    unknown: str = ""
    """Why there are no paths and contents; empty where there are."""


def heard_by(trained: Trained) -> Heard:
    """Return what a run was trained and validated on, its recordings read once."""
    people, own = frozenset(trained.people()), trained.recipe.dataset
    try:
        known = {file for split in (TRAIN, VAL) for file in read_split(own, split)["file"]}
        taken = take_fingerprints(own, sorted(known))
    except (OSError, ValueError):
        return Heard(people, unknown="its recordings could not be compared with the training data")
    return Heard(people, frozenset((own / file).resolve() for file in known), frozenset(taken.values()))


def find_overlap(heard: Heard, dataset: Path, table: ClipTable, taken: Mapping[str, str]) -> Overlap:
    """Compare the clips of a corpus, whose fingerprints were taken, with those that a run has heard."""
    files = table.files.tolist()
    return Overlap(
        people=len(heard.people & set(table.people())),
        files=sum((dataset / file).resolve() in heard.paths for file in files),
        contents=sum(taken[file] in heard.contents for file in files),
        unknown=heard.unknown,
    )
