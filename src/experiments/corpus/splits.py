"""Five splits of a corpus, by person: nobody is in two of them.

    pretext_train, pretext_val            for training a backbone
    downstream_train, _val, _test         for training, selecting and testing a classifier

`dealing.py` assigns the people; this module writes and reads the splits. Augmented copies (`utils/copies.py`) go with
their person, but into training splits alone: what chooses and what judges is clips as they were recorded.
"""

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.corpora import OFFICIAL
from src.experiments.corpus.dealing import SPLITS, SplitShares, deal_people, dealt_apart
from src.experiments.corpus.held_out_splits import left_out_on_purpose, validate_on_left_out
from src.utils.classes import read_classes
from src.utils.copies import fit_for, without_copies
from src.utils.dataset import (
    FILES_TABLE,
    LABELS,
    edit_tables,
    people_of,
    person_of,
    read_file_rows,
    read_files,
    read_rejected,
    write_table,
)
from src.utils.files import read_json, write_json
from src.utils.paths import on

DOWNSTREAM = SPLITS[2:]
LEFT_OUT = "left_out"
"""In the recipe of official splits: value of the column `official` -> clips that stand in no split."""
ALL = "all"
"""In place of a split: all clips of the files table but augmented copies, whether the corpus was split or not."""


def split_dataset(dataset: Path, shares: SplitShares, *, seed: int) -> dict[str, pd.DataFrame]:
    """Split a corpus by person and write `splits/by_people` and `splits/by_file`, under the lock of its tables.

    Returns
    -------
    dict of str to pd.DataFrame
        Split -> its rows of the files table, for the splits asked for.

    Raises
    ------
    ValueError
        When there are too few people, or a split would lack one of the classes.
    """
    with edit_tables(dataset):
        files = read_files(dataset)
        by_people, by_file = _split_with_both_classes(dataset, files, shares, seed)
        write_splits(dataset, by_people, by_file, {"seed": seed, **asdict(shares)})
    return by_file


def _split_with_both_classes(
    dataset: Path, files: pd.DataFrame, shares: SplitShares, seed: int
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Return the people and the clips of every split; raise ValueError if one of them would lack a class."""
    if files["label"].nunique() < 2:
        raise ValueError(
            f"{dataset} holds only {files['label'].iloc[0]} clips; a detector needs both {' and '.join(LABELS)}."
        )
    people = people_of(files)
    apart = True if read_classes(dataset) else dealt_apart(files, people, shares)
    by_people = deal_people(people, shares, np.random.default_rng(seed), apart=apart)
    by_file = {
        split: fit_for(split, files[person_of(files).isin(person_of(rows))]) for split, rows in by_people.items()
    }
    if shares.hold_out:
        share = shares.val / (shares.train + shares.val)
        by_people, by_file = validate_on_left_out(files, by_people, shares.hold_out, share, seed)
        by_file = {split: fit_for(split, rows) for split, rows in by_file.items()}
    for split, rows in by_file.items():
        for label in sorted(set(LABELS) - set(rows["label"])):
            raise ValueError(f"{split} would hold no {label} clip: {_why_a_class_is_missing(dataset, by_people)}")
    return by_people, by_file


def split_if_missing(dataset: Path, shares: SplitShares, *, seed: int) -> dict[str, pd.DataFrame]:
    """Return the clips of the splits that a corpus has; where it has none, split it as `split_dataset` does."""
    made = [split for split in SPLITS if split_table(dataset, split).is_file()]
    return {split: read_split(dataset, split) for split in made} or split_dataset(dataset, shares, seed=seed)


def describe(split: str, clips: pd.DataFrame) -> str:
    """Describe the clips and people of a split in one line."""
    people = clips.assign(person=person_of(clips)).groupby("gender")["person"].nunique()
    genders = ", ".join(f"{count} {gender}" for gender, count in people.items())
    labels = ", ".join(f"{count} {label}" for label, count in clips["label"].value_counts().sort_index().items())
    return f"{split:17} {len(clips):6} clips ({labels}) of {people.sum()} people ({genders})"


def read_split(dataset: Path, split: str) -> pd.DataFrame:
    """Read the clips of a split, or all clips of a corpus (`ALL`) as they were recorded, without augmented copies.

    Raises
    ------
    ValueError
        When there is no split of that name.
    FileNotFoundError
        When it was not made.
    """
    if split == ALL:
        return without_copies(read_files(dataset)).reset_index(drop=True)
    if split not in SPLITS:
        raise ValueError(f"Unknown split '{split}'; allowed: {', '.join((*SPLITS, ALL))}.")
    path = split_table(dataset, split)
    if not dataset.is_dir():
        raise FileNotFoundError(f"There is no corpus folder {dataset}; name the folder where the corpus lies.")
    if not path.is_file():
        raise FileNotFoundError(
            f"The split {split} of {dataset} was not made (no {path.name}): run fab SplitDataset{on(dataset)}."
        )
    return read_file_rows(path, maker="SplitDataset")


def split_table(dataset: Path, split: str) -> Path:
    """Return the path of the table that lists the clips of a split."""
    return dataset / "splits" / "by_file" / f"files-{split}.csv"


def split_recipe(dataset: Path) -> dict[str, Any]:
    """Return how a corpus was split; empty where nothing says so."""
    recipe = dataset / "splits" / "recipe.json"
    return read_json(recipe) if recipe.is_file() else {}


def split_notes(dataset: Path) -> list[str]:
    """Report how the splits differ from the files table; no notes if they agree or if either is missing.

    Splits are not updated, so that results can be compared: clips that were added later are in no split, and systems
    that were named later are unknown in the splits. Clips that were rejected later do not count as a difference.
    """
    if not (dataset / FILES_TABLE).is_file():
        return []
    try:
        splits = _splits_made(dataset)
    except ValueError as error:
        return [str(error)]
    if splits.empty:
        return []
    files = read_files(dataset)
    unsplit = _unsplit(without_copies(_meant_for_splits(dataset, files)), splits)
    removed = sorted(set(splits["file"]) - set(files["file"]) - read_rejected(dataset).keys())
    both = files.merge(splits, on="file", suffixes=("", "_then"))
    renamed = both["file"][both["system"] != both["system_then"]].tolist()
    on_purpose = left_out_on_purpose(files, splits, split_recipe(dataset))
    unsplit = [clip for clip in unsplit if clip not in on_purpose]
    found = {
        f"{len(unsplit)} of {len(files)} clips are in no split": unsplit,
        f"{len(removed)} clips of the splits are no longer in {FILES_TABLE}": removed,
        f"The systems of {len(renamed)} clips changed since the corpus was split": renamed,
    }
    again = f"run fab SplitDataset{on(dataset)} again to split the corpus as it is now (this assigns all people again)"
    return [f"{what} (first: {clips[0]}); {again}." for what, clips in found.items() if clips]


def _splits_made(dataset: Path) -> pd.DataFrame:
    """Return the clips of all splits that were made; no row when there are none."""
    made = [read_split(dataset, split) for split in SPLITS if split_table(dataset, split).is_file()]
    return pd.concat(made) if made else pd.DataFrame(columns=["file", "system"], dtype=str)


def _meant_for_splits(dataset: Path, files: pd.DataFrame) -> pd.DataFrame:
    """Return the clips without those that an official split leaves out on purpose, which its recipe names."""
    left_out = split_recipe(dataset).get(LEFT_OUT, {})
    return files[~files[OFFICIAL].isin(left_out.keys())] if left_out and OFFICIAL in files else files


def _unsplit(files: pd.DataFrame, splits: pd.DataFrame) -> list[str]:
    return files["file"][~files["file"].isin(splits["file"])].tolist() if len(splits) else []


def _why_a_class_is_missing(dataset: Path, by_people: dict[str, pd.DataFrame]) -> str:
    """Explain why a split lacks a class and what would help: another seed does only if enough people have both."""
    people = pd.concat(by_people.values())
    n_both = int(((people["spoof_count"] > 0) & (people["bonafide_count"] > 0)).sum())
    n_needed = len(by_people) - bool((people["spoof_count"] == 0).any())
    if n_both >= n_needed:
        return "its people have none. Try another `seed` or other shares."
    who = f"{n_both} people have" if n_both > 1 else "only 1 person has" if n_both else "nobody has"
    return (
        f"{who} both bona fide and spoofed clips in {dataset}, and {n_needed} of the {len(by_people)} splits need "
        "such a person each. Spoofs belong to the person whose voice they imitate: fake_voices/Maria_F003_Fake beside "
        "real_voices/Maria_F003."
    )


def write_splits(
    dataset: Path,
    by_people: Mapping[str, pd.DataFrame],
    by_file: Mapping[str, pd.DataFrame],
    recipe: Mapping[str, Any],
) -> None:
    """Write all splits beside the old ones, then replace these; after a failure or a kill the old ones are intact."""
    fresh, place, old = (dataset / name for name in (".splits.part", "splits", ".splits.old"))
    _tidy(fresh, place, old)
    try:
        for split in by_file:
            write_table(fresh / "by_people" / f"people-{split}.csv", by_people[split])
            write_table(fresh / "by_file" / f"files-{split}.csv", by_file[split])
        write_json(fresh / "recipe.json", dict(recipe))
        if place.exists():
            place.rename(old)
        fresh.rename(place)
    finally:
        _tidy(fresh, place, old)


def _tidy(fresh: Path, place: Path, old: Path) -> None:
    """Put the old splits back if they were not replaced, and remove leftovers."""
    if old.exists() and not place.exists():
        old.rename(place)
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
