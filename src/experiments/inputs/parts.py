"""The parts of a fusion: finished runs, and where the scores lie that they gave the clips of a split.

A training leaves the scores of its validation clips, `val_scores.csv`; those of any other split are the results of a
test, and so are those of the validation clips where an earlier version trained the run. Each file stands beside the
provenance of what made it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from src.experiments.inputs import Input, input_of
from src.experiments.inputs.contract import VAL, digest_of_corpus
from src.experiments.runs.artefacts import (
    CALIBRATION,
    HYPERPARAMETERS,
    METRICS,
    PROVENANCE,
    SCORES,
    TEST_PROVENANCE,
    TEST_RESULTS,
    USUAL_SPLIT,
    VAL_SCORES,
    folder_of_tests,
    read_hyperparameters,
    read_scores,
)
from src.experiments.runs.commands import how_to_test
from src.experiments.runs.folders import find_run
from src.experiments.runs.lineage import corpus_path, is_same_corpus
from src.experiments.runs.names import RunName
from src.utils.files import file_digest, read_record, text_digest

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Part:
    """A run whose scores are fused."""

    name: RunName
    folder: Path
    inputs: Mapping[str, Any]
    eats: Input
    """Its own input."""
    provenance: Mapping[str, Any]

    @cached_property
    def trained(self) -> str:
        """A digest of hyperparameters, calibration and validation: what tells one training from another."""
        files = (HYPERPARAMETERS, CALIBRATION, METRICS)
        return text_digest("\n".join(file_digest(self.folder / name) for name in files))

    @property
    def corpus_digest(self) -> str | None:
        """The digest of the recordings that it was trained on, where it noted one."""
        corpus = self.provenance["data"].get("corpus")
        return corpus.get("digest") if isinstance(corpus, Mapping) else None

    def corpus(self, root: Path) -> Path:
        """Return the folder of the corpus that it was trained on."""
        return corpus_path(self.inputs, self.provenance, root)

    def people(self, split: str) -> list[str]:
        """Return the people whom it knows from a split of its training."""
        return list(self.provenance["data"]["people"].get(split, ()))

    def digest_of(self, dataset: Path, root: Path) -> str | None:
        """Return what its own kind of input knows a corpus by, see `digest_of_corpus`."""
        return digest_of_corpus(self.eats.open(dataset, root))

    def place(self, dataset: Path, split: str, root: Path) -> "Place":
        """Return where the scores of a split are, or would be if they were made."""
        is_own = self._is_of(dataset, None, root) or self._is_of(dataset, self.digest_of(dataset, root), root)
        if is_own and split == VAL and (self.folder / VAL_SCORES).is_file():
            return Place(self, self.folder, VAL_SCORES, split, "")
        folder = self.folder / folder_of_tests(dataset, split, None, is_own_corpus=is_own)
        return Place(self, folder, SCORES, split, "" if is_own else str(dataset))

    def _is_of(self, dataset: Path, digest: str | None, root: Path) -> bool:
        return is_same_corpus(dataset, digest, self.inputs, self.provenance, root)


@dataclass(frozen=True)
class Place:
    """Where a part's scores of a split lie."""

    part: Part
    folder: Path
    name: str
    split: str
    dataset: str
    """Empty for the part's own corpus."""

    @property
    def is_there(self) -> bool:
        """Whether the scores were made, to the end."""
        last = METRICS if self.name == VAL_SCORES else TEST_RESULTS
        return (self.folder / last).is_file() and (self.folder / self.name).is_file()

    def how_to_make(self) -> str:
        """Return the command that makes the scores."""
        return how_to_test(self.part.name, "" if self.split == USUAL_SPLIT else self.split, self.dataset)

    def read(self) -> "PartScores":
        """Read the scores; ValueError where a file is damaged."""
        table = read_scores(self.folder, self.name)
        unusable = table["file"][~np.isfinite(table["score"])]
        if len(unusable):
            raise ValueError(f"{self.folder / self.name} has no finite score of {unusable.iloc[0]}: make it again.")
        noted = read_record(self.folder / (PROVENANCE if self.name == VAL_SCORES else TEST_PROVENANCE), "data")
        origin = noted["data"].get(self.part.eats.kind, {}).get(self.split, {})
        return PartScores(self.part, table, origin, file_digest(self.folder / self.name))


@dataclass(frozen=True)
class PartScores:
    """The scores that a part gave the clips of a split, and what they were computed from."""

    part: Part
    table: "pd.DataFrame"
    origin: Mapping[str, Any]
    """What was noted of the part's own input."""
    digest: str
    """Of the file."""

    def identity(self) -> dict[str, str]:
        """Return what identifies them: the training, and the scores."""
        return {"trained": self.part.trained, "scores": self.digest}

    def require_split(self, digest: str, split: str, dataset: Path) -> None:
        """Raise ValueError when the split holds other clips now, or they were of other clips than they say."""
        noted = self.origin.get("split_digest")
        if noted not in (None, digest):
            raise ValueError(
                f"The split {split} of {dataset} was changed after {self.part.name} scored it: make the scores of "
                "all runs to be fused anew."
            )

    def in_order_of(self, other: Self) -> Self:
        """Return them in the order of another's clips; ValueError where these are not the same clips."""
        names = f"{other.part.name} and {self.part.name}"
        wanted, mine = other.table["file"].tolist(), self.table.set_index("file")
        differing = sorted(set(wanted) ^ set(mine.index))
        if differing:
            lacking = self if differing[0] not in mine.index else other
            raise ValueError(
                f"{names} scored different clips: {len(differing)} are in one of them only (first: {differing[0]}, "
                f"which {lacking.part.name} lacks)."
            )
        ordered = mine.loc[wanted].reset_index()
        unlike = ordered["file"][ordered["label"].to_numpy() != other.table["label"].to_numpy()]
        if len(unlike):
            raise ValueError(f"{names} were trained with different labels of {unlike.iloc[0]}: train them again.")
        return replace(self, table=ordered)


def read_parts(names: Sequence[str], root: Path) -> list[Part]:
    """Read the runs of a fusion.

    Parameters
    ----------
    names : sequence of str
        A study alone stands for its best trial.
    root : Path
        Holds `runs/`.

    Raises
    ------
    FileNotFoundError
        When there is no such run, or it did not finish.
    ValueError
        When one is named twice, has no calibration, or was trained on another corpus than the first.
    """
    parts = [_read_part(RunName.parse(name), root) for name in names]
    seen = [str(part.name) for part in parts]
    twice = [name for name in seen if seen.count(name) > 1]
    if twice:
        raise ValueError(f"`runs` names {twice[0]} twice.")
    first, *others = parts
    place = first.corpus(root)
    for other in others:
        if not is_same_corpus(place, first.corpus_digest, other.inputs, other.provenance, root):
            raise ValueError(
                f"{first.name} was trained on {place} and {other.name} on {other.corpus(root)}: "
                "runs that are fused must be of the same corpus."
            )
        if _are_of_other_recordings(first, other):
            raise ValueError(
                f"{first.name} and {other.name} were trained on different recordings of {place} (different "
                "corpus_digest): train them again."
            )
    return parts


def _read_part(name: RunName, root: Path) -> Part:
    folder = find_run(root, name)
    name = RunName.of(folder)
    if not (folder / CALIBRATION).is_file():
        raise ValueError(f"{name} was made before scores were calibrated, so it cannot be fused: train it again.")
    inputs = read_hyperparameters(folder)
    try:
        eats = input_of(inputs)
    except KeyError as error:
        raise ValueError(f"{folder / HYPERPARAMETERS} is damaged: it holds no {error.args[0]}.") from None
    provenance = read_record(folder / PROVENANCE, "data")
    if not provenance["data"].get("people"):
        raise ValueError(f"{folder / PROVENANCE} does not say whom {name} was trained on: train it again.")
    return Part(name, folder, inputs, eats, provenance)


def _are_of_other_recordings(first: Part, other: Part) -> bool:
    """Tell whether two digests, which are comparable within a kind of input, differ."""
    digests = (first.corpus_digest, other.corpus_digest)
    return first.eats.kind == other.eats.kind and None not in digests and digests[0] != digests[1]
