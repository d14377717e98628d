"""A table of clips as models and tests see it: one row for each clip, in arrays that cannot be changed."""

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from src.utils.dataset import GENDERS


@dataclass(frozen=True)
class ClipTable:
    """What is known of clips; every array has one row for each clip and is not writable."""

    labels: np.ndarray
    """Shape (n,): 1 = bona fide, 0 = spoof."""
    genders: np.ndarray
    """Shape (n,): F or M."""
    speakers: np.ndarray
    """Shape (n,): the person, such as `Maria_F003`."""
    systems: np.ndarray
    """Shape (n,): what made the spoof; empty where it is unknown or the clip is bona fide."""
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
        """What a model is given of the clips."""
        raise NotImplementedError

    def only(self, gender: str | None = None) -> Self:
        """Return the rows of one gender, F or M; all rows when none is given.

        Raises
        ------
        ValueError
            When the gender is unknown or nobody has it.
        """
        if not gender:
            return self
        if gender not in GENDERS:
            raise ValueError(f"Unknown `gender` '{gender}'; allowed: {', '.join(GENDERS)}.")
        wanted = self.genders == gender
        if not wanted.any():
            raise ValueError(f"None of the {len(self)} clips is by a person of gender {gender}.")
        return type(self)(**{field.name: getattr(self, field.name)[wanted] for field in fields(self)})

    def people(self) -> list[str]:
        """Return the people of the table, sorted."""
        return sorted(set(map(str, self.speakers)))
