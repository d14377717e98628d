"""Assign people to splits at random, stratified by gender.

Every split has about the corpus's proportion of women and men: each gender is shuffled, the two sequences are merged
evenly into one, and the splits are cut from it one after another. A person's bona fide and spoofed clips stay
together. People without spoofs go to downstream_test, where they do no harm; in another split a classifier could learn
that their voices are bona fide. Where nobody knows who speaks in the spoofs, each person has one class, and the classes
are dealt by themselves; of merged corpora, those for which this holds.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from src.experiments.corpus.held_out_domains import CORPUS, KINDS
from src.utils.dataset import UNKNOWN_GENDER
from src.utils.people import person_of

SPLITS = ("pretext_train", "pretext_val", "downstream_train", "downstream_val", "downstream_test")


@dataclass(frozen=True)
class SplitShares:
    """The shares of the people with spoofs that go to each split."""

    pretext: float = 0.6
    """Share of the people for the pretext task; 0 = no pretext splits."""
    pretext_train: float = 0.8
    """Share of the pretext people for training; the rest are for validation."""
    train: float = 0.7
    """Share of the remaining people for training."""
    val: float = 0.2
    """Share of the remaining people for validation; the rest are for the test."""
    hold_out: str = ""
    """Which domains validation has to itself: system or corpus; empty = training and validation share all."""

    def __post_init__(self) -> None:
        if self.hold_out not in ("", *KINDS):
            raise ValueError(f"`hold_out` of splits must be {' or '.join(KINDS)}, not '{self.hold_out}'.")
        if not 0 <= self.pretext < 1:
            raise ValueError(
                f"`pretext` must lie in [0, 1), not {self.pretext:g}: some people must be left for the classifiers."
            )
        if not 0 < self.pretext_train <= 1:
            raise ValueError(f"`pretext_train` must lie in (0, 1], not {self.pretext_train:g}.")
        if not (self.train > 0 and self.val > 0 and self.train + self.val < 1 - 1e-9):
            raise ValueError(
                f"`train` and `val` must be above 0 and leave some for the test, not {self.train:g} and {self.val:g}."
            )

    def of_people(self) -> dict[str, float]:
        """Return split -> its share of all people with spoofs."""
        downstream = 1 - self.pretext
        shares = (
            self.pretext * self.pretext_train,
            self.pretext * (1 - self.pretext_train),
            downstream * self.train,
            downstream * self.val,
            downstream * (1 - self.train - self.val),
        )
        return dict(zip(SPLITS, shares, strict=True))


def deal_people(
    people: pd.DataFrame, shares: SplitShares, rng: np.random.Generator, *, apart: bool | pd.Series = False
) -> dict[str, pd.DataFrame]:
    """Assign the rows of a people table to the splits that `shares` asks for.

    Every such split gets at least one person; its proportion of each gender follows the corpus.

    Parameters
    ----------
    people : pd.DataFrame
    shares : SplitShares
    rng : np.random.Generator
    apart : bool or pd.Series of bool
        Whether people without spoofs are dealt by themselves, by the same shares, and not all to downstream_test: in a
        corpus of words and noise nobody has both. A series says it of each person.
    """
    has_spoofs = people["spoof_count"] > 0
    by_themselves = people[~has_spoofs & apart]
    assigned = _dealt(people[has_spoofs], shares, rng)
    if len(by_themselves):
        dealt = _dealt(by_themselves, shares, rng)
        assigned = {split: pd.concat([rows, dealt[split]]).sort_index() for split, rows in assigned.items()}
    others = people[~has_spoofs].drop(by_themselves.index)
    assigned["downstream_test"] = pd.concat([assigned["downstream_test"], others]).sort_index()
    return assigned


def dealt_apart(files: pd.DataFrame, people: pd.DataFrame, shares: SplitShares) -> bool | pd.Series:
    """Tell whether people without spoofs are dealt by themselves; of each person, where some merged corpora need it."""
    if _no_person_has_both(people):
        return True
    apart = pd.Series(False, index=people.index)
    if CORPUS not in files:
        return apart
    n_splits = sum(share > 1e-9 for share in shares.of_people().values())
    corpora = person_of(people).map(dict(zip(person_of(files), files[CORPUS], strict=True)))
    for corpus, rows in people.groupby(corpora):
        n_bonafide, n_spoofed = ((rows[f"{side}_count"] > 0).sum() for side in ("bonafide", "spoof"))
        if not (n_bonafide and n_spoofed and _no_person_has_both(rows)):
            continue
        if n_bonafide < n_splits:
            warnings.warn(
                f"{corpus} has too few people with bona fide clips for {n_splits} splits ({n_bonafide}): all of them "
                "stand in downstream_test, so that the other splits have only spoofs of it.",
                stacklevel=2,
            )
            continue
        apart[rows.index] = True
    return apart


def _no_person_has_both(people: pd.DataFrame) -> bool:
    """Tell whether each person has one class because nobody knows who speaks in the spoofs, as in many public corpora.

    Where people of known gender have spoofs alone, their bona fide speech stands under another name, by mistake.
    """
    spoofed = people["spoof_count"] > 0
    return bool(
        (people["gender"][spoofed] == UNKNOWN_GENDER).all() and not (people["bonafide_count"][spoofed] > 0).any()
    )


def _dealt(people: pd.DataFrame, shares: SplitShares, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    asked = {split: share for split, share in shares.of_people().items() if share > 1e-9}
    counts = _whole_numbers(asked, len(people))
    order = _merged_evenly(people, rng)
    assigned, start = {}, 0
    for split, count in counts.items():
        assigned[split] = people.loc[order[start : start + count]].sort_index()
        start += count
    return assigned


def _whole_numbers(shares: dict[str, float], n_people: int) -> dict[str, int]:
    """Turn shares into numbers of people that add up to `n_people`, at least one each (largest remainders)."""
    if n_people < len(shares):
        raise ValueError(
            f"{n_people} people with spoofs cannot fill the {len(shares)} splits asked for ({', '.join(shares)})"
            + ("; fab SplitDataset --pretext=0 asks for three." if "pretext_train" in shares else ".")
        )
    wanted = {split: share * n_people for split, share in shares.items()}
    counts = {split: max(1, int(share + 1e-9)) for split, share in wanted.items()}
    while (missing := n_people - sum(counts.values())) != 0:
        step = 1 if missing > 0 else -1
        movable = counts if missing > 0 else {split: count for split, count in counts.items() if count > 1}
        nearest = max(movable, key=lambda split: step * (wanted[split] - counts[split]))
        counts[nearest] += step
    return counts


def _merged_evenly(people: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Return the index of `people` in random order, with women and men spread evenly over it."""
    places = pd.Series(0.0, index=people.index)
    for _, rows in people.groupby("gender", sort=True):
        places[rng.permutation(rows.index)] = (np.arange(len(rows)) + rng.uniform()) / len(rows)
    return places.sort_values(kind="stable").index.to_numpy()
