"""The split that the makers of a corpus published becomes ours: train, validation and test.

    train       -> downstream_train
    validation  -> downstream_val        what ASVspoof calls dev
    test        -> downstream_test       what ASVspoof calls eval

It stands in the column `official` of the files table, where the layout knows it. Results on it can be compared with
published ones; a split of our own cannot. Parts with other names, such as the progress and hidden subsets of ASVspoof
2021, are left out and never mixed with the test. A corpus may lack a part: ASVspoof 2021 is a test alone.

A person who stands in two splits is an error, since the test would not be one of unknown people; ASVspoof keeps its
speakers apart. In a corpus of words and noise, the makers put noise in no split: its recordings are dealt at random.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from src.corpora import OFFICIAL, TEST, TRAIN, VALIDATION
from src.experiments.corpus.dealing import SplitShares, deal_people
from src.experiments.corpus.splits import DOWNSTREAM, LEFT_OUT, write_splits
from src.utils.classes import read_classes
from src.utils.copies import fit_for
from src.utils.dataset import LABELS, edit_tables, people_of, person_of, read_files
from src.utils.paths import on

SPLIT_OF = dict(zip((TRAIN, VALIDATION, TEST), DOWNSTREAM, strict=True))
"""What a split is called in the column `official` -> what we call it."""
FORMER_NAMES = {"training": TRAIN, "testing": TEST}
"""What tables of Speech Commands called the splits before."""


@dataclass(frozen=True)
class OfficialSplits:
    """The splits that were made, and what a user should know of them."""

    by_file: dict[str, pd.DataFrame]
    """Split -> its rows of the files table."""
    notes: tuple[str, ...]


def split_officially(dataset: Path, shares: SplitShares, *, seed: int) -> OfficialSplits:
    """Write the official split of a corpus as its splits, under the lock of its tables.

    Parameters
    ----------
    dataset : Path
    shares : SplitShares
        For the recordings of noise of a corpus of words, which are in no official split; `pretext` does not count.
    seed : int
        For the same.

    Raises
    ------
    ValueError
        When `hold_out` is asked for as well, the corpus has no official split, a person stands in two of its parts, or
        a part lacks one of the classes.
    """
    if shares.hold_out:
        raise ValueError("The official split has its own validation: leave out `hold_out`, or `official`.")
    with edit_tables(dataset):
        files = read_files(dataset)
        official = _official(dataset, files)
        split = official.map(SPLIT_OF)
        _require_people_apart(dataset, files, official)
        if read_classes(dataset):
            split = split.where(official != "", _dealt(files[official == ""], shares, seed))
        by_file = {name: fit_for(name, files[split == name]) for name in DOWNSTREAM if (split == name).any()}
        _require_both_classes(dataset, by_file)
        by_people = {name: people_of(rows) for name, rows in by_file.items()}
        left_out = {str(name): int(count) for name, count in official[split.isna()].value_counts().sort_index().items()}
        write_splits(dataset, by_people, by_file, {"seed": seed, OFFICIAL: True, LEFT_OUT: left_out})
    return OfficialSplits(by_file, tuple(_notes(dataset, official, left_out)))


def _official(dataset: Path, files: pd.DataFrame) -> pd.Series:
    """Return the official split of every clip."""
    official = files[OFFICIAL].replace(FORMER_NAMES) if OFFICIAL in files else pd.Series(dtype=str)
    if not official.isin(SPLIT_OF.keys()).any():
        raise ValueError(
            f"{dataset} has no official split (no column {OFFICIAL} with {', '.join(SPLIT_OF)}): leave out `official`, "
            f"or list the corpus by the layout of its makers, fab GenerateDatasetCSV --layout=NAME{on(dataset)}."
        )
    return official


def _require_people_apart(dataset: Path, files: pd.DataFrame, official: pd.Series) -> None:
    known = official.isin(SPLIT_OF.keys())
    splits = official[known].groupby(person_of(files)[known]).agg(lambda names: sorted(set(names)))
    shared = splits[splits.map(len) > 1]
    if len(shared):
        who = (
            f"{shared.index[0]} stands"
            if len(shared) == 1
            else f"{len(shared)} people, such as {shared.index[0]}, stand"
        )
        raise ValueError(
            f"{who} in two official splits of {dataset} ({' and '.join(shared.iloc[0])}), so its test is not one of "
            "unknown people: leave out `official` to split by person."
        )


def _dealt(noise: pd.DataFrame, shares: SplitShares, seed: int) -> pd.Series:
    """Return the split of each clip of noise, whose recordings are dealt as people are."""
    if noise.empty:
        return pd.Series(dtype=str)
    without_pretext = SplitShares(pretext=0, train=shares.train, val=shares.val)
    dealt = deal_people(people_of(noise), without_pretext, np.random.default_rng(seed))
    split_of = {person: split for split, people in dealt.items() for person in person_of(people)}
    return person_of(noise).map(split_of)


def _require_both_classes(dataset: Path, by_file: dict[str, pd.DataFrame]) -> None:
    for split, rows in by_file.items():
        for label in sorted(set(LABELS) - set(rows["label"])):
            raise ValueError(
                f"{split} would hold no {label} clip: the official split of {dataset} has none there, or its part is "
                "not on this disk. Leave out `official` to split by person."
            )


def _notes(dataset: Path, official: pd.Series, left_out: dict[str, int]) -> list[str]:
    notes = [
        f"{count} clips {f'of the part {name}' if name else 'without an official split'} are left out: they are not "
        "mixed with the official test."
        for name, count in left_out.items()
    ]
    missing = [name for name in SPLIT_OF if not (official == name).any()]
    if missing:
        notes.append(f"The official split of {dataset} has no {' and no '.join(missing)} here.")
    return notes
