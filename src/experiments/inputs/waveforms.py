"""Waveforms as the input of a model: the recordings of a split themselves, read while a detector trains.

Nothing is computed beforehand, so there is no store that could be out of date; but recordings can change between a
training and its test or its repetition. What identifies them is therefore noted: a digest of every recording of the
split, and one of the split's rows. The digests are those that an embedding store has, so that runs on waveforms and
runs on embeddings know when they were trained on the same corpus.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd

from src.corpora.sources import read_originals
from src.experiments.corpus.fingerprints import take_fingerprints
from src.experiments.corpus.splits import read_split
from src.experiments.inputs.contract import TRAIN, VAL
from src.experiments.inputs.parts import Part, Place, read_parts
from src.utils.clip_table import clip_columns
from src.utils.dataset import check_dataset, person_of, read_rejected, without
from src.utils.embedding_store import recordings_digest, split_digest
from src.utils.files import text_digest
from src.utils.paths import noted_path
from src.utils.segments import SEGMENTS
from src.utils.waveform_table import WaveformTable

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class Waveforms:
    """The recordings of a corpus."""

    kind: ClassVar[str] = "waveforms"
    keys: ClassVar[tuple[str, ...]] = ("teacher",)
    same: ClassVar[tuple[str, ...]] = ("corpus_digest", "split_digest", "segments_digest", "teacher")

    teacher: str = ""
    """A run from whose scores of the training clips a detector learns beside their labels; empty for none."""

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read the input back from a run's hyperparameters."""
        return cls(values["teacher"])

    def as_json(self) -> dict[str, Any]:
        """Return its fields."""
        return {"teacher": self.teacher}

    def completed(self, values: Mapping[str, Any], source: Path | None) -> Self:
        """Take the teacher from hyperparameters where none is named; refuse those of another kind of input."""
        kind = values.get("input", self.kind)
        if kind != self.kind:
            raise ValueError(f"{source} is of a model that is trained on {kind}, not on {self.kind}.")
        return self if self.teacher else type(self)(str(values.get("teacher", "")))

    def for_model(self, model: str) -> Self:
        """Return the input as it is: every model of its kind takes it."""
        return self

    def open(self, dataset: Path, root: Path) -> "OpenWaveforms":
        """Open the recordings of a corpus."""
        return OpenWaveforms(self, dataset, root)

    def require_like(self, before: Mapping[str, Any], now: Mapping[str, Any], what: str) -> None:
        """Accept any two origins: a detector can be given any recordings."""


class OpenWaveforms:
    """The recordings of a corpus, ready to be read."""

    def __init__(self, asked: Waveforms, dataset: Path, root: Path) -> None:
        self.asked, self.dataset = asked, dataset
        self._root = root
        self._fingerprints: dict[str, dict[str, str]] = {}

    @property
    def noted_path(self) -> str:
        """The folder of the corpus as provenance keeps it: relative to the project where it lies inside."""
        return noted_path(self._root, self.dataset)

    def check(self, *splits: str) -> None:
        """Raise FileNotFoundError when a split was not made, or recordings of it are missing."""
        check_dataset(self.dataset)
        self._fingerprints.clear()
        for split in splits:
            self.origin(split)

    def read(self, split: str, gender: str | None = None) -> WaveformTable:
        """Return the clips of a split with the paths of their recordings, or those of one gender (F or M)."""
        clips = self._clips(split)
        originals = read_originals(self.dataset)
        table = WaveformTable(
            **clip_columns(clips),
            paths=np.array([str(self.dataset / file) for file in clips["file"]]),
            segments=clips[SEGMENTS].to_numpy(str) if SEGMENTS in clips else np.full(len(clips), ""),
            originals=np.array([originals.get(file, "") for file in clips["file"]]),
            teacher_scores=self._teacher_scores(split, clips),
        )
        return table.only(gender)

    def origin(self, split: str) -> dict[str, Any]:
        """Return the number of clips of a split, and digests of their recordings and of their rows."""
        rows = read_split(self.dataset, split)
        if split not in self._fingerprints:
            self._fingerprints[split] = take_fingerprints(self.dataset, rows["file"].tolist())
        origin = {
            "clips": len(self._clips(split)),
            "corpus_digest": recordings_digest(self._fingerprints[split]),
            "split_digest": split_digest(rows),
        }
        if SEGMENTS in rows:
            origin["segments_digest"] = text_digest("\n".join(rows[SEGMENTS]))
        taught = self.asked.teacher and split == TRAIN
        return origin | ({"teacher": self._teacher().read().identity()} if taught else {})

    def identity(self, *splits: str) -> dict[str, dict[str, Any]]:
        """Return, split by split, what identifies these recordings."""
        return {
            split: {key: value for key, value in self.origin(split).items() if key in self.asked.same}
            for split in splits
        }

    def suggest(self, trial: "optuna.Trial") -> Waveforms:
        """Return the input: it leaves nothing open."""
        return self.asked

    def describe(self) -> dict[str, Any]:
        """Return the input as `hyperparameters.json` holds it."""
        return {"teacher": str(self._teacher().part.name) if self.asked.teacher else ""}

    def _teacher(self) -> Place:
        """Return where the teacher's scores of the training clips lie.

        Raises
        ------
        FileNotFoundError
            When there is no such run, or it has not scored these clips.
        ValueError
            When it is of another corpus, or knows people whom the student must not know.
        """
        part = read_parts([self.asked.teacher], self._root)[0]
        place = part.place(self.dataset, TRAIN, self._root)
        if not place.is_there:
            raise FileNotFoundError(
                f"{part.name}, which is to teach, has no scores of these clips: make them with {place.how_to_make()}."
            )
        self._require_own_people(part)
        return place

    def _require_own_people(self, teacher: Part) -> None:
        """Raise ValueError when a teacher was trained on people whom its student is judged by: it would tell them.

        They are all who are neither in training nor in validation, and those of validation, which chooses the epoch and
        gives the threshold. A teacher's own validation chose no more than its epoch, so these people may be in both.
        """
        people = {split: set(person_of(read_split(self.dataset, split))) for split in (TRAIN, VAL)}
        strangers = sorted({*teacher.people(TRAIN), *teacher.people(VAL)} - people[TRAIN] - people[VAL])
        if strangers:
            raise ValueError(
                f"{teacher.name} was trained with people who are neither in training nor in validation of "
                f"{self.dataset} (first: {strangers[0]}): it cannot teach here."
            )
        judges = sorted(people[VAL] & set(teacher.people(TRAIN)))
        if judges:
            raise ValueError(
                f"{teacher.name} was trained on people who are in validation of {self.dataset} now (first: "
                f"{judges[0]}): it cannot teach here; train it again."
            )

    def _teacher_scores(self, split: str, clips: pd.DataFrame) -> np.ndarray:
        """Return the teacher's scores of training clips, shape (n,); NaN without a teacher, and in other splits."""
        if not self.asked.teacher or split != TRAIN:
            return np.full(len(clips), np.nan)
        place = self._teacher()
        scores = place.read().table.set_index("file")["score"]
        missing = sorted(set(clips["file"]) - set(scores.index))
        if missing:
            raise ValueError(
                f"{place.part.name}, which is to teach, has no scores of {len(missing)} of these clips (first: "
                f"{missing[0]}): make them with {place.how_to_make()}."
            )
        return scores.loc[clips["file"]].to_numpy(float)

    def _clips(self, split: str) -> pd.DataFrame:
        """Return the rows of a split that can be used."""
        return without(read_split(self.dataset, split), read_rejected(self.dataset), self.dataset)
