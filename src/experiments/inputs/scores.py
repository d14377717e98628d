"""The scores of other runs as the input of a model: what a fusion is fitted on, and what it fuses.

Each run gives calibrated log-likelihood ratios; those of k runs for the same n clips are a table (n, k), joined by
file. No model is run for it: the scores are read from the files that the runs left, `val_scores.csv` of their training
and `scores.csv` of their tests. A fusion can be tested wherever each of its parts was.

The scores that a run gives its own training clips are of no use: it has learnt these clips, and scores them better than
any clip to come. So a fusion is fitted on the validation clips alone, and they stand for its training as well. Its
validation EER is therefore that of the clips that it was fitted on; with one parameter for each part and one more this
flatters it little, but only a test can tell. People of training and validation of all parts count as known to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from src.experiments.corpus.splits import read_split
from src.experiments.inputs.contract import TRAIN, VAL, TrainingData, require_both_classes
from src.experiments.inputs.parts import PartScores, read_parts
from src.experiments.runs.commands import how_to_fuse
from src.experiments.runs.names import RunName
from src.utils.clip_table import ClipTable
from src.utils.embedding_store import split_digest
from src.utils.labels import parse_label
from src.utils.paths import noted_path

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class ScoreTable(ClipTable):
    """Clips with a score of each run."""

    scores: np.ndarray
    """Shape (n, k): natural log-likelihood ratios, higher = more bona fide."""

    @property
    def inputs(self) -> np.ndarray:
        """The scores."""
        return self.scores


@dataclass(frozen=True)
class Scores:
    """The scores of two runs or more."""

    kind: ClassVar[str] = "scores"
    keys: ClassVar[tuple[str, ...]] = ("runs",)
    same: ClassVar[tuple[str, ...]] = ("parts", "split_digest")

    runs: tuple[str, ...]
    """Their names; a study alone stands for its best trial, and is noted as that."""

    def __post_init__(self) -> None:
        if not isinstance(self.runs, tuple) or not all(isinstance(name, str) for name in self.runs):
            raise ValueError(f"`runs` must be names of runs, such as run0,svm_study0/run3, not {self.runs!r}.")
        if len(self.runs) < 2:
            given = f"given: {', '.join(self.runs)}" if self.runs else "none is given"
            raise ValueError(f"`runs` takes two runs or more, such as run0,svm_study0/run3; {given}.")
        for name in self.runs:
            RunName.parse(name)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read the input back from a run's hyperparameters."""
        runs = values["runs"]
        return cls(tuple(runs) if isinstance(runs, list) else runs)

    def as_json(self) -> dict[str, Any]:
        """Return its fields."""
        return {"runs": list(self.runs)}

    def completed(self, values: Mapping[str, Any], source: Path | None) -> Self:
        """Return the input as it is: it leaves nothing open."""
        there = values.get("runs", list(self.runs))
        if there != list(self.runs):
            raise ValueError(f"{source} is of the runs {there}, not of {list(self.runs)}.")
        return self

    def for_model(self, model: str) -> Self:
        """Return the input as it is: every model of its kind takes it."""
        return self

    def open(self, dataset: Path, root: Path) -> "OpenScores":
        """Open the scores that the runs in `<root>/runs` gave the clips of a corpus."""
        return OpenScores(self, dataset, root)

    def require_like(self, before: Mapping[str, Any], now: Mapping[str, Any], what: str) -> None:
        """Raise ValueError when a run was trained anew under its old name since it was fused."""
        found = now.get("parts", {})
        for name, part in before.get("parts", {}).items():
            if found.get(name, {}).get("trained") != part["trained"]:
                raise ValueError(
                    f"{what} are of different runs: {name} was trained anew since it was fused. Fuse again: "
                    f"{how_to_fuse(self.as_json())}."
                )


class OpenScores:
    """The scores of the clips of a corpus, as `Scores` asks for them."""

    def __init__(self, asked: Scores, dataset: Path, root: Path) -> None:
        self.asked, self.dataset = asked, dataset
        self.parts = read_parts(asked.runs, root)
        self._root = root
        self._found: dict[str, list[PartScores]] = {}

    @property
    def noted_path(self) -> str:
        """The folder of the corpus as provenance keeps it: relative to the project where it lies inside."""
        return noted_path(self._root, self.dataset)

    def check(self, *splits: str) -> None:
        """Read the scores anew; raise ValueError when the parts do not fit together, or a split has changed since.

        Where training and validation are named together, as for a training, the validation clips stand for both.
        """
        self._found.clear()
        for split in splits:
            if split != TRAIN or VAL not in splits:
                self._scores_of(split)

    def read(self, split: str, gender: str | None = None) -> ScoreTable:
        """Return the clips of a split with the scores of every part, or those of one gender (F or M)."""
        found = self._scores_of(split)
        clips = found[0].table
        table = ScoreTable(
            labels=np.array([parse_label(label) for label in clips["label"]]),
            genders=clips["gender"].to_numpy(str),
            speakers=clips["speaker"].to_numpy(str),
            systems=clips["system"].to_numpy(str),
            files=clips["file"].to_numpy(str),
            scores=np.column_stack([scores.table["score"].to_numpy(float) for scores in found]),
        )
        return table.only(gender)

    def origin(self, split: str) -> dict[str, Any]:
        """Return which runs gave the scores, and digests of their trainings, their scores and the data behind them."""
        found = self._scores_of(split)
        noted = {key: [scores.origin.get(key) for scores in found] for key in ("corpus_digest", "split_digest")}
        return {
            "split": split,
            "parts": {str(scores.part.name): scores.identity() for scores in found},
            **{key: next(filter(None, values), None) for key, values in noted.items()},
        }

    def identity(self, *splits: str) -> dict[str, dict[str, Any]]:
        """Return, split by split, what identifies these scores."""
        return {split: self.origin(split) for split in splits}

    def suggest(self, trial: "optuna.Trial") -> Scores:
        """Raise ValueError: which runs are fused is no part of a search."""
        raise ValueError(f"A fusion is not searched; make one with {how_to_fuse(self.asked.as_json())}.")

    def describe(self) -> dict[str, Any]:
        """Return the runs, each by its own name."""
        return {"runs": [str(part.name) for part in self.parts]}

    def training_data(self) -> TrainingData:
        """Return the validation clips, for training and validation alike, and the people of all parts."""
        table, origin = self.read(VAL), self.origin(VAL)
        require_both_classes(table, VAL)
        people = {split: {name for part in self.parts for name in part.people(split)} for split in (TRAIN, VAL)}
        origins = {TRAIN: origin | {"corpus_digest": self.parts[0].corpus_digest}, VAL: origin}
        return TrainingData(table, table, origins, self.describe(), self.noted_path, people)

    def digest_of_corpus(self) -> str | None:
        """Return the digest of the recordings of the corpus's training split, by the inputs of the parts."""
        digests = (part.digest_of(self.dataset, self._root) for part in self.parts)
        return next(filter(None, digests), None)

    def _scores_of(self, split: str) -> list[PartScores]:
        """Return the scores of every part, in the order of the first one's clips; read and checked once."""
        if split not in self._found:
            places = [part.place(self.dataset, split, self._root) for part in self.parts]
            missing = [place.how_to_make() for place in places if not place.is_there]
            if missing:
                lacking = " and ".join(str(place.part.name) for place in places if not place.is_there)
                raise FileNotFoundError(
                    f"{lacking} must first be tested on {split} of {self.dataset}: {' && '.join(missing)}."
                )
            found = [place.read() for place in places]
            now = split_digest(read_split(self.dataset, split))
            for scores in found:
                scores.require_split(now, split, self.dataset)
            self._found[split] = [scores.in_order_of(found[0]) for scores in found]
        return self._found[split]
