"""The speech of a pretraining, read and checked: what it learns from, and what tells when to stop.

`pretext_val` of every corpus is held out: other people, whom the pretraining never hears. The splits that classifiers
are trained and judged on stay out unless they are named; a note says so where the test people are among them.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.experiments.corpus.splits import split_table
from src.experiments.inputs.contract import TEST, require_same_data
from src.experiments.inputs.waveforms import OpenWaveforms, Waveforms
from src.experiments.pretraining.recipe import PRETEXT_TRAIN, PRETEXT_VAL, PretrainingRecipe
from src.experiments.runs.lineage import first_source
from src.pretraining.speech import LEAST, SPEECH_RATE, Speech
from src.utils.paths import on
from src.utils.waveform_table import WaveformTable

HELD_OUT = "held_out"


@dataclass(frozen=True)
class PretrainingData:
    """Speech, and where it comes from."""

    train: Speech
    held_out: Speech
    corpora: list[dict[str, Any]]
    """Of each corpus its path, and by split what identifies its recordings, as provenance keeps it."""

    @property
    def files(self) -> list[str]:
        """The recordings of both, which a checkpoint goes with."""
        return [*map(str, self.train.table.files), HELD_OUT, *map(str, self.held_out.table.files)]

    def described(self) -> dict[str, Any]:
        """Return what provenance says of the data."""
        parts = {"train": self.train, HELD_OUT: self.held_out}
        return {
            "corpora": self.corpora,
            "people": {name: part.table.people() for name, part in parts.items()},
            "seconds": {name: round(part.seconds, 2) for name, part in parts.items()},
        }

    def require_same(self, before: Mapping[str, Any], folder: Path) -> None:
        """Raise ValueError when a pretraining was begun with other recordings."""
        for then, now in zip(before["corpora"], self.corpora, strict=True):
            for split, origin in now["splits"].items():
                require_same_data(Waveforms(), split, then["splits"].get(split, {}), origin, folder)


def read_speech(recipe: PretrainingRecipe, root: Path) -> PretrainingData:
    """Read and check the speech of a pretraining.

    Raises
    ------
    FileNotFoundError
        When a split was not made, or recordings are missing.
    ValueError
        When there is too little of it, it is of one person only, a recording cannot be read, or the people who are held
        out are heard in training.
    """
    opened = [Waveforms().open(dataset, root) for dataset in recipe.datasets]
    for each in opened:
        each.check(*recipe.splits, PRETEXT_VAL)
    train = _joined(opened, recipe.splits)
    held_out = _joined(opened, (PRETEXT_VAL,))
    heard = _people(opened, recipe.splits)
    _check_people(recipe, heard, _people(opened, (PRETEXT_VAL,)))
    _tell_of_test_people(
        heard, _people([each for each in opened if split_table(each.dataset, TEST).is_file()], (TEST,))
    )
    crop = recipe.config.crop_seconds
    corpora = [_origin(each, recipe) for each in opened]
    data = PretrainingData(Speech.of(train, crop), Speech.of(held_out, crop), corpora)
    _check_amount(recipe, data)
    return data


def _joined(opened: list[OpenWaveforms], splits: tuple[str, ...]) -> WaveformTable:
    return WaveformTable.one_after_another([each.read(split) for each in opened for split in splits])


def _origin(opened: OpenWaveforms, recipe: PretrainingRecipe) -> dict[str, Any]:
    splits = {split: opened.origin(split) for split in (*recipe.splits, PRETEXT_VAL)}
    return {"path": opened.noted_path, "splits": splits}


def _people(opened: list[OpenWaveforms], splits: tuple[str, ...]) -> set[tuple[Path, str]]:
    """Return who speaks; a name is the same person only within a corpus, and in those that are derived from it."""
    return {
        (first_source(each.dataset).resolve(), person)
        for each in opened
        for split in splits
        for person in each.read(split).people()
    }


def _check_people(recipe: PretrainingRecipe, train: set[tuple[Path, str]], held_out: set[tuple[Path, str]]) -> None:
    if len(train) == 1:
        ((_, person),) = train
        raise ValueError(
            f"All clips to learn from are of one person ({person}): a model of speech needs several. Name more corpora "
            "in `dataset`, or more `splits`."
        )
    if both := sorted(train & held_out):
        raise ValueError(
            f"{both[0][1]} is heard in {', '.join(recipe.splits)} and held out in {PRETEXT_VAL}: the loss on held-out "
            "speech would say nothing. Choose other `splits`."
        )


def _tell_of_test_people(heard: set[tuple[Path, str]], tested: set[tuple[Path, str]]) -> None:
    """Warn where people of test splits are heard: by their name, or in a corpus that is split in another way."""
    if n_heard := len(heard & tested):
        warnings.warn(
            f"{n_heard} of the {len(tested)} people of {TEST} are heard: errors on them will look better than they are",
            stacklevel=3,
        )


def _check_amount(recipe: PretrainingRecipe, data: PretrainingData) -> None:
    least = LEAST / SPEECH_RATE
    where = recipe.datasets[0]
    for speech, name in ((data.train, " and ".join(recipe.splits)), (data.held_out, PRETEXT_VAL)):
        if not len(speech.table):
            raise ValueError(f"No clip of {name} is {least:g} s or longer, which pretraining needs.")
    if data.train.seconds < recipe.config.batch_seconds:
        raise ValueError(
            f"There are {data.train.seconds:.0f} s of speech to learn from, less than a batch "
            f"(`batch_seconds={recipe.config.batch_seconds:g}`): choose shorter batches, name more corpora in "
            f"`dataset`, or give {PRETEXT_TRAIN} a larger share, fab SplitDataset{on(where)} --pretext=0.8."
        )
