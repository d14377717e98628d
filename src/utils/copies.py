"""The columns of a files table that tell augmented copies from the clips that they were made of.

`augmentation` holds what was done to a copy, as JSON (a list of steps that can be played again), and `copy_of` the file
of its original; both are empty for every other clip. A copy has the person, the label and the system of its original.
Tables without these columns hold no copies.
"""

import json
import warnings

import pandas as pd

from src.audio.augment.contract import find_effect

AUGMENTATION, COPY_OF = "augmentation", "copy_of"


def are_copies(files: pd.DataFrame) -> pd.Series:
    """Return which rows of a files table are augmented copies, shape (n,).

    >>> are_copies(pd.DataFrame({"file": ["a", "b"], "augmentation": ["", "[]"]})).tolist()
    [False, True]
    """
    if AUGMENTATION not in files:
        return pd.Series(False, index=files.index)
    return files[AUGMENTATION] != ""


def without_copies(files: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a files table that are no augmented copies.

    >>> without_copies(pd.DataFrame({"file": ["a", "b"], "augmentation": ["", "[]"]}))["file"].tolist()
    ['a']
    """
    return files[~are_copies(files)]


def fit_for(split: str, files: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a split that is dealt now: no copies where models are judged, and none with other voices.

    A copy in which other people babble may not be trained on when the corpus is dealt anew: those people may be of the
    test now. Copies that AugmentDataset makes of a corpus that was split before hear people of their own split alone.
    """
    if not split.endswith("_train"):
        return without_copies(files)
    if AUGMENTATION not in files:
        return files
    with_people = files[AUGMENTATION].map(_mixes_in_people).astype(bool)
    if with_people.any():
        warnings.warn(
            f"{split}: {int(with_people.sum())} augmented copies are left out, for people of other splits may be "
            "heard in them. Split a corpus first, then run fab AugmentDataset.",
            stacklevel=2,
        )
    return files[~with_people]


def _mixes_in_people(cell: str) -> bool:
    return bool(cell) and any(find_effect(step["effect"]).draws == "people" for step in json.loads(cell))
