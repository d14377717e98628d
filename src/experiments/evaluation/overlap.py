"""What a corpus shares with the training and validation data of a run: people, files, contents.

People are compared by name, which may mean others in another corpus, and by the names that they had before corpora were
merged: merging and deriving change names, files and contents alike. Files are the same where both lead to one recording
on the disk; contents where two recordings have the same bytes, by their fingerprints, under whatever name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from src.experiments.corpus.fingerprints import take_fingerprints
from src.experiments.corpus.merging import CORPUS
from src.experiments.corpus.relatives import name_before_merging
from src.experiments.corpus.splits import read_split
from src.experiments.inputs.contract import TRAIN, VAL
from src.experiments.training.trained import Trained
from src.utils.clip_table import ClipTable
from src.utils.dataset import person_of, read_files


@dataclass(frozen=True)
class Overlap:
    """How many people, files and contents of a corpus were in training or validation."""

    people: int = 0
    people_before_merging: int = 0
    """Those who are not known by their names, but by the ones that they had before corpora were merged."""
    files: int = 0
    contents: int = 0
    """Clips whose bytes were there, those of `files` included."""
    unknown: str = ""
    """Why files and contents could not be compared; empty where they were."""

    def __str__(self) -> str:
        counts = {"people": self.people, "files": self.files, "contents": self.contents}
        found = [f"{count} {what}" for what, count in counts.items() if count]
        said = [f"{', '.join(found)} of it were in training or validation"] if found else []
        if count := self.people_before_merging:
            said.append(
                f"{count} people of it were in training or validation, by their names before corpora were merged"
            )
        return "; ".join(filter(None, [*said, self.unknown]))

    def as_json(self) -> dict[str, Any]:
        """Return the same for a file."""
        return {key: count for key, count in asdict(self).items() if key != "unknown"}


@dataclass(frozen=True)
class Heard:
    """What a run was trained and validated on."""

    people: frozenset[str]
    earlier: Mapping[str, str] = field(default_factory=dict)
    """Of people of merged corpora: what they were called before."""
    paths: frozenset[Path] = frozenset()
    """Of its recordings, links resolved."""
    contents: frozenset[str] = frozenset()
    """Their fingerprints."""
    unknown: str = ""
    """Why there are no paths and contents; empty where there are."""


def heard_by(trained: Trained) -> Heard:
    """Return what a run was trained and validated on, its recordings read once."""
    people, own = frozenset(trained.people()), trained.recipe.dataset
    earlier = earlier_names(own)
    try:
        known = {file for split in (TRAIN, VAL) for file in read_split(own, split)["file"]}
        taken = take_fingerprints(own, sorted(known))
    except (OSError, ValueError):
        return Heard(people, earlier, unknown="its recordings could not be compared with the training data")
    return Heard(people, earlier, frozenset((own / file).resolve() for file in known), frozenset(taken.values()))


def find_overlap(heard: Heard, dataset: Path, table: ClipTable, taken: Mapping[str, str]) -> Overlap:
    """Compare the clips of a corpus, whose fingerprints were taken, with those that a run has heard."""
    files, people = table.files.tolist(), table.people()
    renamed = known_before_merging(heard.people, heard.earlier, people, earlier_names(dataset))
    return Overlap(
        people=len(heard.people & set(people)),
        people_before_merging=len(renamed),
        files=sum((dataset / file).resolve() in heard.paths for file in files),
        contents=sum(taken[file] in heard.contents for file in files),
        unknown=heard.unknown,
    )


def earlier_names(dataset: Path) -> dict[str, str]:
    """Return what the people of merged corpora were called before; no names where no corpora were merged.

    The column `corpus` names the part that a clip is from. Its people are called `<part>-<person>`, and
    `<merged>-<part>-<person>` where the merged corpus was merged again.
    """
    try:
        files = read_files(dataset)
    except (OSError, ValueError):
        return {}
    if CORPUS not in files:
        return {}
    parts = dict(zip(person_of(files), files[CORPUS], strict=True))
    names = {person: name_before_merging(person, part) for person, part in parts.items() if part}
    return {person: name for person, name in names.items() if name}


def known_before_merging(
    heard: Iterable[str], heard_earlier: Mapping[str, str], people: Iterable[str], earlier: Mapping[str, str]
) -> set[str]:
    """Return the people who are not among those heard by their names, but by the ones before corpora were merged.

    >>> sorted(known_before_merging({"a-Ana", "b-Bo"}, {"a-Ana": "Ana", "b-Bo": "Bo"}, {"Ana", "b-Bo", "Zoe"}, {}))
    ['Ana']
    """
    names = {heard_earlier.get(person, person) for person in heard}
    return {person for person in set(people) - set(heard) if earlier.get(person, person) in names}
