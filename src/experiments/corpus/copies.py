"""Augmented copies of clips: what is drawn for each, and how one is made.

A copy is of its original's person, label, gender and system. What is done to it is a list of steps that can be played
again. Draws follow from the seed, the file and the number of the copy, so that they depend neither on the order of work
nor on other copies. Babble is made of bona fide clips of the same split, by other people than the clip's own where
there are others. Where clips are partly spoofed, effects that change the length are left out for all of them: they
would move the stretches that `segments` lists.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from src.audio.augment.contract import find_effect
from src.audio.augment.recipes import Recipe
from src.audio.augment.sources import Sources
from src.audio.augment.steps import Step, apply_steps
from src.audio.io import SPEECH_RATE, check_usable
from src.experiments.corpus.transforms import clip_seed
from src.utils.babble import OthersVoices
from src.utils.copies import AUGMENTATION, COPY_OF
from src.utils.dataset import person_of
from src.utils.labels import BONAFIDE, LABEL_NAMES
from src.utils.recipes import name_of, parse_recipe
from src.utils.segments import SEGMENTS

Steps = tuple[Step, ...]


@dataclass(frozen=True)
class Augmenting:
    """How clips are augmented."""

    augment: str = "field"
    """The name of a recipe, or one written out as JSON."""
    copies: int = 1
    """Of each clip."""
    noises: Path | None = None
    """Folder of recordings of noise."""
    rooms: Path | None = None
    """Folder of responses of rooms."""
    seed: int = 7

    def __post_init__(self) -> None:
        parse_recipe(self.augment)
        if self.copies < 1:
            raise ValueError(f"`copies` must be 1 or more, not {self.copies}.")
        for folder in (self.noises, self.rooms):
            if folder and not folder.is_dir():
                raise FileNotFoundError(f"There is no folder {folder}: give one that holds recordings.")

    @property
    def recipe(self) -> Recipe:
        """The recipe itself."""
        return parse_recipe(self.augment)

    @property
    def mixes_in_people(self) -> bool:
        """Whether an effect of the recipe mixes in other people's speech."""
        options = (option for entry in self.recipe.entries if entry.probability for option in entry.one_of)
        return any(find_effect(option.effect).draws == "people" for option in options)

    def sources(self, dataset: Path) -> Sources:
        """Return where recordings lie that effects mix in: a corpus, and the folders."""
        return Sources(dataset, (), self.noises, self.rooms)

    def about(self) -> dict[str, Any]:
        """Return what a note says of it: all that decides what a copy becomes."""
        folders = {"noises": self.noises, "rooms": self.rooms}
        named = {kind: str(folder) for kind, folder in folders.items() if folder}
        return {"augment": name_of(self.augment), "recipe": self.recipe.as_json(), **named, "seed": self.seed}


def draw_copies(dataset: Path, rows: pd.DataFrame, how: Augmenting, number: int) -> list[Steps]:
    """Draw what is done to each clip of a split, for the copies of one number.

    Parameters
    ----------
    dataset : Path
    rows : pd.DataFrame
        The clips, rows of the files table.
    how : Augmenting
    number : int
        From 1.

    Raises
    ------
    ValueError
        When an effect of the recipe cannot be had here.
    """
    people = person_of(rows).to_numpy(str)
    is_bonafide = (rows["label"] == LABEL_NAMES[BONAFIDE]).to_numpy()
    voices = OthersVoices(how.sources(dataset), rows["file"].to_numpy(), people, is_bonafide)
    how.recipe.check(voices.into_clips_of(""))
    partly = SEGMENTS in rows and bool((rows[SEGMENTS] != "").any())
    drawn = []
    for file, person in zip(rows["file"].tolist(), people.tolist(), strict=True):
        rng = np.random.default_rng(clip_seed(f"{number}/{file}", how.seed))
        steps = how.recipe.draw(rng, voices.into_clips_of(person))
        drawn.append(tuple(step for step in steps if not partly or find_effect(step.effect).keeps_length))
    return drawn


def rows_of_copies(rows: pd.DataFrame, drawn: Sequence[Steps], ending: str) -> pd.DataFrame:
    """Return the rows of the files table for copies: those of their originals, with another file and what was done.

    Parameters
    ----------
    rows : pd.DataFrame
        The originals.
    drawn : sequence of tuple of Step
        For each of them.
    ending : str
        What the name of a copy has after that of its original, such as "_field1".
    """
    names = [PurePosixPath(file) for file in rows["file"]]
    files = [str(name.with_name(f"{name.stem}{ending}.flac")) for name in names]
    steps = [json.dumps([step.as_json() for step in each]) for each in drawn]
    changed: dict[str, Any] = {"file": files, AUGMENTATION: steps, COPY_OF: rows["file"]}
    return rows.assign(**changed)


def augmented(waveform: np.ndarray, _seed: int, *, steps: Steps, sources: Sources) -> np.ndarray:
    """Return a copy of a waveform (n,) at 16 kHz; raise UnusableAudio where the steps leave nothing of it."""
    copy = apply_steps(steps, waveform, SPEECH_RATE, sources)
    check_usable(copy)
    return copy


def replay(dataset: Path, cell: str, waveform: np.ndarray, how: Augmenting | None = None) -> np.ndarray:
    """Play what a cell of the column `augmentation` says on the recording of the original corpus, once more.

    Parameters
    ----------
    dataset : Path
        The original corpus, whose recordings babble is made of.
    cell : str
    waveform : np.ndarray, shape (n,)
        The original at 16 kHz, as `load_waveform` reads it.
    how : Augmenting, optional
        Where folders of noise or of rooms lie now.
    """
    steps = tuple(Step.from_json(record) for record in json.loads(cell))
    return augmented(waveform, 0, steps=steps, sources=(how or Augmenting()).sources(dataset))
