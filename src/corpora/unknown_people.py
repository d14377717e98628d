"""Recordings of which nobody says who speaks: each counts as a person of its own.

Splits by person then keep nobody apart, and intervals that resample people are those of resampled clips: too narrow.
That is said aloud (`NOTE`), since results of such a corpus look better than they are.
"""

import pandas as pd

from src.corpora.recordings import as_people, without_suffix

NOTE = (
    "Nobody says who speaks in {n} of {of} recordings, so each of them counts as a person of its own: one voice may "
    "stand in several splits, and intervals over people are too narrow."
)


def own_people(files: pd.Series) -> pd.DataFrame:
    """Return the columns speaker, id and gender of recordings whose people are not known.

    A person is called what the file is, with its folders, so that equal names in two folders are two people.

    >>> own_people(pd.Series(["train/real/1.wav", "train/fake/1.wav"]))["speaker"].tolist()
    ['train-real-1_U000', 'train-fake-1_U000']
    """
    return as_people(without_suffix(files).str.replace("/", "-", regex=False))


def note_on_people(n_unknown: int, n_files: int) -> list[str]:
    """Return the note on recordings of unknown people; none where all are known."""
    return [NOTE.format(n=f"{n_unknown:,}", of=f"{n_files:,}")] if n_unknown else []
