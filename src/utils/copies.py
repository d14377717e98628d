"""The columns of a files table that tell augmented copies from the clips that they were made of.

`augmentation` holds what was done to a copy, as JSON (a list of steps that can be played again), and `copy_of` the file
of its original; both are empty for every other clip. A copy has the person, the label and the system of its original.
Tables without these columns hold no copies.
"""

import pandas as pd

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
