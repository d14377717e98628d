"""The table of clips that models and tests use: one row per clip, in read-only arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import pandas as pd

from src.utils.dataset import GENDERS
from src.utils.labels import parse_label
from src.utils.people import person_of


def clip_columns(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the fields that every table of clips has, out of the rows of a files table."""
    return {
        "labels": np.array([parse_label(label) for label in rows["label"]]),
        "genders": rows["gender"].to_numpy(str),
        "speakers": person_of(rows).to_numpy(str),
        "systems": rows["system"].to_numpy(str),
        "files": rows["file"].to_numpy(str),
    }


@dataclass(frozen=True)
class ClipTable:
    """Labels, people and systems of clips; every array has one row per clip and is read-only."""

    labels: np.ndarray
    """Shape (n,): 1 = bona fide, 0 = spoof."""
    genders: np.ndarray
    """Shape (n,): F or M."""
    speakers: np.ndarray
    """Shape (n,): the person, such as `Maria_F003`."""
    systems: np.ndarray
    """Shape (n,): the system that made the spoof; empty where it is unknown or the clip is bona fide."""
    files: np.ndarray
    """Shape (n,): path of the recording within the corpus."""

    def __post_init__(self) -> None:
        for field in fields(self):
            array = getattr(self, field.name).view()
            array.setflags(write=False)
            object.__setattr__(self, field.name, array)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def inputs(self) -> Any:
        """What a model takes as input for these clips."""
        raise NotImplementedError

    def only(self, gender: str | None = None) -> Self:
        """Return the rows of one gender, F or M; all rows if no gender is given.

        Raises
        ------
        ValueError
            When the gender is unknown or no clip has it.
        """
        if not gender:
            return self
        if gender not in GENDERS:
            raise ValueError(f"Unknown `gender` '{gender}'; allowed: {', '.join(GENDERS)}.")
        wanted = self.genders == gender
        if not wanted.any():
            raise ValueError(f"None of the {len(self)} clips is by a person of gender {gender}.")
        return self.take(wanted)

    def take(self, rows: np.ndarray) -> Self:
        """Return some rows, by their numbers or by a mask of shape (n,)."""
        return type(self)(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @classmethod
    def one_after_another(cls, tables: Sequence[Self]) -> Self:
        """Return the rows of several tables of one kind, table by table."""
        first = type(tables[0])
        columns = {field.name: [getattr(table, field.name) for table in tables] for field in fields(first)}
        return first(**{name: np.concatenate(arrays) for name, arrays in columns.items()})

    def people(self) -> list[str]:
        """Return the people of the table, sorted."""
        return sorted(set(map(str, self.speakers)))
