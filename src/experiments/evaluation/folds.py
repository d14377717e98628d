"""The folds of a cross-validation: who trains, who validates, who is scored.

    person   fold j scores the people of share j, is validated by those of the next share and trained on all others
    system   the same for every system in turn, whose spoofs are left out of training and validation: systems x folds
             runs, since the people whose spoofs are scored must not be in the training with their own voices either
    corpus   each corpus in turn is scored by a run that is trained and validated on the people of the others

Nobody is in two parts of a fold. Every clip counts once in what is pooled: where systems are left out, a spoof is
scored by the runs that never heard its system, and a bona fide clip, which the runs of all systems score, counts in
those of one system only, dealt out evenly over people. The table of each system uses all bona fide clips.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from src.experiments.corpus.held_out_domains import CORPUS, SYSTEM, names_of
from src.utils.clip_table import ClipTable
from src.utils.labels import BONAFIDE, SPOOF

PERSON = "person"
KINDS = (PERSON, SYSTEM, CORPUS)
LEAST_FOLDS = 3
"""One share of the people is scored, one validates, and at least one trains."""


@dataclass(frozen=True)
class Fold:
    """The clips of a fold, as rows of the table of all clips."""

    left_out: str
    """The system or corpus that was left out; empty where people were."""
    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    """Scored by the run."""
    counted: np.ndarray
    """Those of `test` that count in the pooled scores."""


def require_scheme(by: str, n_folds: int) -> None:
    """Raise ValueError when `by` or `n_folds` is not allowed."""
    if by not in KINDS:
        raise ValueError(f"`by` must be {', '.join(KINDS[:-1])} or {KINDS[-1]}, not '{by}'.")
    if n_folds < LEAST_FOLDS:
        raise ValueError(
            f"`folds` must be {LEAST_FOLDS} or more, not {n_folds}: people who are scored, who validate, and who train."
        )


def make_folds(table: ClipTable, domains: np.ndarray | None, *, by: str, n_folds: int, seed: int) -> list[Fold]:
    """Return the folds of a cross-validation.

    Parameters
    ----------
    table : ClipTable
        All clips.
    domains : np.ndarray, shape (n,), optional
        The system or corpus of each clip, see `domains_of`; None by person.
    by : str
        person, system or corpus.
    n_folds : int
        Shares of the people.
    seed : int
        Of the random order of people.

    Raises
    ------
    ValueError
        When `by` or `n_folds` is not allowed, there are too few people, or a fold would lack a class.
    """
    require_scheme(by, n_folds)
    share = _shares_of_people(table, n_folds, seed)
    if domains is None:
        folds = list(_by_person(share, n_folds))
    elif by == SYSTEM:
        folds = list(_by_system(table, domains, share, n_folds))
    else:
        folds = list(_by_corpus(table, domains, share))
    for number, fold in enumerate(folds):
        _require_both_classes(table, number, fold)
    return folds


def _shares_of_people(table: ClipTable, n_folds: int, seed: int) -> np.ndarray:
    """Return the share, 0 to n_folds - 1, of each clip's person, shape (n,); those of one kind are spread evenly.

    People are of one kind when gender, classes and spoof systems are the same: they are shuffled, the kinds put one
    after another, and the shares dealt in turn.
    """
    people, first, person = np.unique(table.speakers, return_index=True, return_inverse=True)
    if len(people) < n_folds:
        raise ValueError(f"{len(people)} people cannot fill {n_folds} folds: use fewer `folds`.")
    pairs = {(int(who), str(system)) for who, system in zip(person, table.systems, strict=True)}
    known: list[set[str]] = [set() for _ in people]
    for who, system in pairs:
        known[who].add(system)
    has_bonafide = np.bincount(person, table.labels == BONAFIDE) > 0
    order = np.random.default_rng(seed).permutation(len(people)).tolist()
    order.sort(key=lambda who: (bool(has_bonafide[who]), str(table.genders[first[who]]), sorted(known[who])))
    share = np.empty(len(people), int)
    share[order] = np.arange(len(people)) % n_folds
    return share[person]


def _by_person(share: np.ndarray, n_folds: int) -> Iterator[Fold]:
    for number in range(n_folds):
        test, val = share == number, share == (number + 1) % n_folds
        yield Fold("", *map(np.flatnonzero, (~test & ~val, val, test, test)))


def _by_system(table: ClipTable, domains: np.ndarray, share: np.ndarray, n_folds: int) -> Iterator[Fold]:
    systems, spoof = names_of(domains), table.labels == SPOOF
    turn = _turns(table, share, len(systems))
    for place, system in enumerate(systems):
        of_system = domains == system
        for fold in _by_person(share, n_folds):
            inside = np.zeros(len(share), bool)
            inside[fold.test] = True
            test = inside & (of_system | ~spoof)
            counted = inside & (of_system | (~spoof & (turn == place)))
            train, val = (rows[~of_system[rows]] for rows in (fold.train, fold.val))
            yield Fold(system, train, val, np.flatnonzero(test), np.flatnonzero(counted))


def _turns(table: ClipTable, share: np.ndarray, n_systems: int) -> np.ndarray:
    """Return by the runs of which system each person's bona fide clips count, shape (n,): in turn within a share."""
    turn = np.zeros(len(share), int)
    for number in np.unique(share):
        inside = share == number
        _, place = np.unique(table.speakers[inside], return_inverse=True)
        turn[inside] = (place + number) % n_systems
    return turn


def _by_corpus(table: ClipTable, domains: np.ndarray, share: np.ndarray) -> Iterator[Fold]:
    pairs = set(zip(table.speakers.tolist(), domains.tolist(), strict=True))
    people = [person for person, _ in sorted(pairs)]
    for person, count in Counter(people).items():
        if count > 1:
            raise ValueError(f"{person} is in several corpora, so that leaving one out would not leave out the person.")
    for number, corpus in enumerate(names_of(domains)):
        test = domains == corpus
        val = ~test & (share == number % (share.max() + 1))
        yield Fold(corpus, *map(np.flatnonzero, (~test & ~val, val, test, test)))


def _require_both_classes(table: ClipTable, number: int, fold: Fold) -> None:
    """Raise ValueError where the training or the validation of a fold would lack a class."""
    for part, rows in (("training", fold.train), ("validation", fold.val)):
        for label, name in ((BONAFIDE, "bona fide"), (SPOOF, "spoofed")):
            if not (table.labels[rows] == label).any():
                without = f", without {fold.left_out}," if fold.left_out else ""
                raise ValueError(
                    f"The {part} of fold {number}{without} would hold no {name} clip: use fewer `folds`, or more data."
                )
