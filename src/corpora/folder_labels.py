"""Labels from the names of folders: `train/fake_voices/a/1.wav` is a spoof, whatever else the folders are called.

A name is taken apart into words, `FakeVoices` and `fake-voices` alike; a name with words of both classes, as in
`fake_or_real`, or with a negation, as in `not_real`, says nothing. Folders that contradict each other are an error,
because a wrong guess spoils labels silently. A recording's own name decides only where none of its folders does.
"""

import re
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import pandas as pd

from src.corpora import Finding
from src.corpora.passed_over import note_on
from src.utils.csv_tables import printable
from src.utils.labels import ALIASES, LABEL_NAMES

WORDS = {"".join(word.split("-")).replace(" ", "").replace("_", ""): label for word, label in ALIASES.items()}
"""The words for labels in one piece: bonafide, genuine, ..."""
NEGATIONS = {"no", "non", "not", "un"}


def label_by_folders(dataset: Path, files: pd.Series) -> tuple[pd.Series, list[str]]:
    """Return the labels of the recordings that names tell, by file, and notes on the others.

    Parameters
    ----------
    dataset : Path
    files : pd.Series of str
        Paths within the corpus.

    Raises
    ------
    ValueError
        When the folders of a recording contradict each other, or no name tells a label.

    >>> label_by_folders(Path("x"), pd.Series(["train/RealVoices/1.wav", "spoofed/2.wav", "fake_3.wav"]))[0].tolist()
    ['bona-fide', 'spoof', 'spoof']
    """
    told = {file: label for file in files if (label := _label_of(dataset, file)) is not None}
    if not told:
        raise ValueError(
            f"No folder or recording in {dataset} has a word such as real or fake in its name: rename the folders, or "
            f"say what is what in a table, `table=...` ({len(files)} recordings found)."
        )
    untold = [file for file in files if file not in told]
    note = note_on("Recordings passed over, in no folder whose name has a word such as real or fake", untold)
    return pd.Series({file: LABEL_NAMES[label] for file, label in told.items()}), [*map(Finding, note)]


def _label_of(dataset: Path, file: str) -> int | None:
    folder, _, name = file.rpartition("/")
    labels = _labels_in(folder)
    if len(labels) > 1:
        raise ValueError(
            f"{dataset / printable(folder)} has words of both classes in the names of its folders: rename one, or say "
            "what is what in a table, `table=...`."
        )
    labels = labels or _labels_in(name.rpartition(".")[0])
    return next(iter(labels)) if len(labels) == 1 else None


@lru_cache(maxsize=4096)
def _labels_in(path: str) -> frozenset[int]:
    """Return the labels that the parts of a path name; a part that names both, or negates, counts for nothing."""
    found: set[int] = set()
    for part in path.split("/"):
        words = [word.lower() for word in re.findall("[A-Z]?[a-z]+|[A-Z]+", part)]
        pairs = ["".join(pair) for pair in pairwise(words)]
        labels = {WORDS[word] for word in (*words, *pairs) if word in WORDS}
        if len(labels) == 1 and NEGATIONS.isdisjoint(words):
            found |= labels
    return frozenset(found)
