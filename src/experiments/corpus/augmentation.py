"""A corpus with augmented copies of its clips beside them (`copies.py` says what a copy is).

Only training splits get copies; what chooses and what judges stays as it was recorded. A corpus that is split passes
its splits on: the same people in each, originals and copies in training, originals alone elsewhere. One that is not
split gets copies of all clips, which SplitDataset then leaves out of all splits but those for training; but it cannot
have babble, for people of a later test would be heard in it.
"""

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from src.experiments.corpus.copies import Augmenting, augmented, draw_copies, rows_of_copies
from src.experiments.corpus.dealing import SPLITS
from src.experiments.corpus.derivation import Derivation, Derived, Job
from src.experiments.corpus.splits import read_split, split_recipe, split_table, write_splits
from src.experiments.corpus.transforms import beside, unchanged, write_derived_tables
from src.utils.copies import AUGMENTATION, COPY_OF, without_copies
from src.utils.dataset import edit_tables, people_of, read_files, read_rejected
from src.utils.paths import as_flac, on
from src.utils.recipes import name_of

FIELD = Augmenting()


def augment_dataset(dataset: Path, output: Path | None = None, how: Augmenting = FIELD) -> Derived:
    """Write a corpus of the clips of `dataset` and of augmented copies of them; default `<dataset>_augmented`.

    Raises
    ------
    ValueError
        When the recipe cannot be had here, or mixes in other people's speech and the corpus is not split.
    """
    target = output or beside(dataset, "augmented")
    files = without_copies(read_files(dataset))
    splits = _splits_of(dataset, files)
    if how.mixes_in_people and not splits:
        raise ValueError(
            f"The recipe {name_of(how.augment)} mixes in other people's speech, who must be of the clip's own split: "
            f"run fab SplitDataset{on(dataset)} first."
        )
    rows, jobs = _draw(dataset, target, files, splits, how)
    recipe = {"step": "AugmentDataset", "copies": how.copies, **how.about()}
    clean = [Job(dataset / file, target / as_flac(file), 0) for file in files["file"]]
    derivation = Derivation(dataset, target, recipe, [*clean, *jobs])
    derivation.start()
    reasons = derivation.run(clean, unchanged, "originals")
    reasons |= derivation.run(jobs, partial(augmented, sources=how.sources(dataset)), "copies")
    derivation.finish()
    originals = files.assign(**{"file": list(map(as_flac, files["file"])), AUGMENTATION: "", COPY_OF: ""})
    made = pd.concat([originals, rows], ignore_index=True)
    derived = write_derived_tables(dataset, target, made, reasons)
    if splits:
        recipe = split_recipe(dataset)
        _pass_on(target, splits, made, {**recipe, "from": dataset.name, "step": "AugmentDataset"})
    return derived


def _splits_of(dataset: Path, files: pd.DataFrame) -> dict[str, set[str]]:
    """Return the usable clips of every split that a corpus has; raise ValueError where none of them is to train on."""
    usable = set(files["file"]) - read_rejected(dataset).keys()
    made = [split for split in SPLITS if split_table(dataset, split).is_file()]
    if made and not any(split.endswith("_train") for split in made):
        raise ValueError(f"{dataset} has no split to train on, and only such get copies: it has {', '.join(made)}.")
    return {split: usable & set(read_split(dataset, split)["file"]) for split in made}


def _draw(
    dataset: Path, target: Path, files: pd.DataFrame, splits: dict[str, set[str]], how: Augmenting
) -> tuple[pd.DataFrame, list[Job]]:
    """Return the rows of all copies, and the jobs that make them."""
    groups = [clips for split, clips in splits.items() if split.endswith("_train")] if splits else [set(files["file"])]
    tables, jobs = [], []
    for clips in groups:
        rows = files[files["file"].isin(clips)]
        for number in range(1, how.copies + 1):
            drawn = draw_copies(dataset, rows, how, number)
            table = rows_of_copies(rows, drawn, f"_{name_of(how.augment)}{number}")
            tables.append(table)
            names = zip(table[COPY_OF], table["file"], drawn, strict=True)
            jobs += [Job(dataset / source, target / made, 0, steps=steps) for source, made, steps in names]
    return pd.concat(tables, ignore_index=True), jobs


def _pass_on(target: Path, splits: dict[str, set[str]], made: pd.DataFrame, recipe: dict[str, Any]) -> None:
    """Write the splits of the original corpus for the new one: copies in those for training alone."""
    by_file = {}
    for split, clips in splits.items():
        originals = made["file"].isin(set(map(as_flac, clips))) & (made[COPY_OF] == "")
        copies = made[COPY_OF].isin(clips) & split.endswith("_train")
        by_file[split] = made[originals | copies]
    by_people = {split: people_of(rows) for split, rows in by_file.items()}
    with edit_tables(target):
        write_splits(target, by_people, by_file, recipe)
