"""A kind of input made up for tests, and a classifier that takes it: it reads the tables of a corpus, nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar
from zlib import crc32

import numpy as np

from src.experiments.corpus.splits import read_split
from src.metrics.eer import eer_of
from src.models.arrays import WEIGHTS, load_arrays, save_arrays
from src.models.contract import Config, History, keep_going
from src.utils.clip_table import ClipTable
from src.utils.dataset import person_of
from src.utils.embedding_store import split_digest
from src.utils.labels import parse_label


@dataclass(frozen=True)
class NumberTable(ClipTable):
    """Clips with a number each."""

    numbers: np.ndarray

    @property
    def inputs(self) -> np.ndarray:
        return self.numbers


@dataclass(frozen=True)
class Numbers:
    """A number for each clip, drawn by its name."""

    kind: ClassVar[str] = "numbers"
    keys: ClassVar[tuple[str, ...]] = ("scale",)
    same: ClassVar[tuple[str, ...]] = ("split_digest", "drawn_by")

    scale: float | None = None

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Numbers":
        return cls(values["scale"])

    def as_json(self) -> dict[str, Any]:
        return {"scale": self.scale}

    def completed(self, values: Mapping[str, Any], source: Path | None) -> "Numbers":
        return self if self.scale is not None else Numbers(values.get("scale", 1.0))

    def for_model(self, model: str) -> "Numbers":
        return self

    def open(self, dataset: Path, root: Path) -> "OpenNumbers":
        return OpenNumbers(self, dataset)

    def require_like(self, before: Mapping[str, Any], now: Mapping[str, Any], what: str) -> None:
        if before["drawn_by"] != now["drawn_by"]:
            raise ValueError(f"{what} are drawn otherwise.")


class OpenNumbers:
    """The numbers of a corpus."""

    drawn_by = "name"

    def __init__(self, asked: Numbers, dataset: Path) -> None:
        self.asked, self.dataset = asked, dataset

    @property
    def noted_path(self) -> str:
        return str(self.dataset)

    def check(self, *splits: str) -> None:
        for split in splits:
            self.origin(split)

    def read(self, split: str, gender: str | None = None) -> NumberTable:
        clips = read_split(self.dataset, split)
        drawn = [np.random.default_rng(crc32(file.encode())).standard_normal() for file in clips["file"]]
        labels = np.array([parse_label(label) for label in clips["label"]])
        table = NumberTable(
            labels=labels,
            genders=clips["gender"].to_numpy(str),
            speakers=person_of(clips).to_numpy(str),
            systems=clips["system"].to_numpy(str),
            files=clips["file"].to_numpy(str),
            numbers=(self.asked.scale or 1.0) * (np.array(drawn) + 1.5 * labels),
        )
        return table.only(gender)

    def origin(self, split: str) -> dict[str, Any]:
        return {"split_digest": split_digest(read_split(self.dataset, split)), "drawn_by": self.drawn_by}

    def identity(self, *splits: str) -> dict[str, dict[str, Any]]:
        return {split: self.origin(split) for split in splits}

    def suggest(self, trial: Any) -> Numbers:
        scale = self.asked.scale
        return replace(self.asked, scale=trial.suggest_float("scale", 0.5, 2.0) if scale is None else scale)

    def describe(self) -> dict[str, Any]:
        return {"scale": self.asked.scale or 1.0}


@dataclass(frozen=True)
class ShiftConfig(Config):
    """Hyperparameters of the shift."""

    slope: float = 1.0

    @classmethod
    def search_space(cls, trial: Any, n_clips: int = 0) -> "ShiftConfig":
        return cls(trial.suggest_float("slope", 0.1, 10.0))


class Shift:
    """The score is the number less the mean of the training's."""

    Config = ShiftConfig
    takes = "numbers"
    files = (WEIGHTS,)

    def __init__(self, config: ShiftConfig, *, seed: int = 7) -> None:
        self.config, self.mean = config, np.zeros(1)

    def fit(self, train: NumberTable, val: NumberTable, watch: Any = keep_going) -> History:
        self.mean = np.array([train.numbers.mean()])
        return History.of_one(0.0, 0.0, eer_of(val.labels, self.scores(val.inputs)))

    def scores(self, numbers: np.ndarray) -> np.ndarray:
        return self.config.slope * (numbers - self.mean)

    def save(self, folder: Path) -> None:
        save_arrays(folder, {"mean": self.mean})

    @classmethod
    def load(cls, folder: Path, config: ShiftConfig) -> "Shift":
        model = cls(config)
        model.mean = load_arrays(folder, ("mean",))["mean"]
        return model
