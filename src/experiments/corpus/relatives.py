"""Corpora that were made from one another, or from the same one: the same people speak in them."""

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import pandas as pd

from src.experiments.corpus.derivation import RECIPE
from src.experiments.corpus.held_out_domains import CORPUS
from src.utils.files import read_json


def refuse_relatives(tables: Mapping[Path, pd.DataFrame]) -> None:
    """Raise ValueError if two corpora that are to be merged hold the same people, because of how they were made.

    Parameters
    ----------
    tables : mapping of Path to pd.DataFrame
        Corpus -> its rows as they would stand in the merged one, people under their new names.
    """
    for one, other in combinations(tables, 2):
        first, second = _ancestors(one), _ancestors(other)
        common = sorted(first & second)
        both = sorted(_earlier_names(tables[one]) & _earlier_names(tables[other]))
        if common and both:
            how = (
                f"{other.name} was made from {one.name}"
                if one.name in second
                else f"{one.name} was made from {other.name}"
                if other.name in first
                else f"{one.name} and {other.name} were both made from {common[0]}"
            )
            raise ValueError(
                f"{how}, so the same people would stand in both under two names (first: {both[0]}), and SplitDataset "
                "could put them into training and test: merge only one of them."
            )


def _ancestors(dataset: Path) -> set[str]:
    """Return the names of a corpus and of all that it was made from, as far as recipes beside it tell."""
    found: set[str] = set()
    waiting = [dataset.name]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        path = dataset.with_name(name) / RECIPE
        recipe = read_json(path) if path.is_file() else {}
        waiting += [source for source in (recipe.get("source"), *recipe.get("sources", ())) if source]
    return found


def name_before_merging(person: str, part: str) -> str:
    """Return what somebody was called in the part of a merged corpus that he is from; empty where it cannot be told.

    >>> name_before_merging("mini-Ana_F003", "mini"), name_before_merging("both-mini-Ana_F003", "mini")
    ('Ana_F003', 'Ana_F003')
    """
    return f"-{person}".partition(f"-{part}-")[2]


def _earlier_names(table: pd.DataFrame) -> set[str]:
    pairs = set(zip(table["speaker"].tolist(), table[CORPUS].tolist(), strict=True))
    return {name_before_merging(person, part) or person for person, part in pairs}
