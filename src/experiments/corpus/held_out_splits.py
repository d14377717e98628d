"""Splits whose validation holds what training does not: other spoof systems, or other corpora.

Whatever is chosen on such a validation split (epoch, layer, hyperparameters, threshold) is chosen for what was not
heard. The domains are dealt at random by the shares of training and validation people. Spoofs of validation's systems
are taken from training, and those of training's systems from validation; a voice that speaks for systems of one side
only goes to that side, and so do all people of a corpus. The test keeps the clips of its people, of all domains.

It costs training its validation's systems. Where there are few of them, leave them out in turn instead: the tuner and
CompareLayers do that on usual splits (`hold_out`), and CrossValidate for a verdict.
"""

import warnings

import numpy as np
import pandas as pd

from src.experiments.corpus.held_out_domains import (
    CORPUS,
    LEAST_CLIPS,
    PLURALS,
    SYSTEM,
    names_of,
    require_corpora,
    require_systems,
    too_few_to_choose_by,
)
from src.utils.labels import LABEL_NAMES, SPOOF
from src.utils.people import people_of, person_of

TRAIN, VAL = "downstream_train", "downstream_val"
Tables = dict[str, pd.DataFrame]


def validate_on_left_out(
    files: pd.DataFrame, by_people: Tables, by: str, share: float, seed: int
) -> tuple[Tables, Tables]:
    """Return the people and the clips of every split, with no domain in both training and validation.

    Parameters
    ----------
    files : pd.DataFrame
        All clips.
    by_people : dict of str to pd.DataFrame
        Split -> its people, as they were dealt.
    by : str
        system or corpus.
    share : float
        Of the domains, for validation; at least one domain, and not all.
    seed : int
        Which of them.

    Raises
    ------
    ValueError
        When there are fewer than two domains, or the table does not name them all.
    """
    person = person_of(files)
    side_of = {name: split for split, rows in by_people.items() for name in person_of(rows)}
    side = person.map(side_of)
    chosen_from = side.isin([TRAIN, VAL])
    domain = _domains(files[chosen_from], by).reindex(files.index).fillna("")
    held_out = _choose(names_of(domain.to_numpy(str)), by, share, seed)
    is_held_out = domain.isin(held_out)
    whole = {name: set(domains) for name, domains in domain[chosen_from].groupby(person[chosen_from])}
    for name, domains in whole.items():
        if domains <= set(held_out):
            side_of[name] = VAL
        elif not domains & {*held_out, ""}:
            side_of[name] = TRAIN
    side = person.map(side_of)
    fits = (side == VAL) & (is_held_out | (domain == "")) | (side == TRAIN) & ~is_held_out | ~side.isin([TRAIN, VAL])
    by_file = {split: files[fits & (side == split)] for split in by_people}
    _tell(by_file[VAL], domain, held_out, by)
    return {split: people_of(rows) for split, rows in by_file.items()}, by_file


def left_out_on_purpose(files: pd.DataFrame, splits: pd.DataFrame, recipe: dict[str, object]) -> set[str]:
    """Return the clips that are in no split because they are of the other side's systems: by people of the splits."""
    if not recipe.get("hold_out"):
        return set()
    return set(files["file"][person_of(files).isin(person_of(splits))]) - set(splits["file"])


def _domains(files: pd.DataFrame, by: str) -> pd.Series:
    """Return the domain of each clip of training and validation; "" for bona fide clips where systems are domains."""
    is_spoof = files["label"] == LABEL_NAMES[SPOOF]
    if by == SYSTEM:
        require_systems(files["file"][is_spoof & (files["system"] == "")].tolist())
        return files["system"].where(is_spoof, "")
    require_corpora(files)
    return files[CORPUS]


def _choose(names: list[str], by: str, share: float, seed: int) -> list[str]:
    if len(names) < 2:
        raise ValueError(
            f"Training and validation hold {len(names)} {by if len(names) == 1 else PLURALS[by]}: to hold one out "
            "(`hold_out`), at least two are needed."
        )
    n_chosen = min(max(1, round(share * len(names))), len(names) - 1)
    return sorted(np.random.default_rng(seed).permutation(names)[:n_chosen].tolist())


def _tell(validation: pd.DataFrame, domain: pd.Series, held_out: list[str], by: str) -> None:
    """Warn of what must be known of the choice that this validation makes."""
    counts = {name: int((domain[validation.index] == name).sum()) for name in held_out}
    shown = ", ".join(f"{name} ({count} clips)" for name, count in counts.items())
    warnings.warn(f"Validation holds {PLURALS[by]} that training does not: {shown}.", stacklevel=2)
    for name, count in counts.items():
        if count < LEAST_CLIPS:
            warnings.warn(f"Validation has {count} clips only of the {by} {name}: too few to judge by.", stacklevel=2)
    if few := too_few_to_choose_by(len(held_out), by):
        warnings.warn(few, stacklevel=2)
