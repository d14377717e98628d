"""What the two classes of a corpus are called, where they are not bona fide and spoofed speech.

The tables of every corpus spell `bona-fide` and `spoof`, so that all steps work on it: label 1 is the positive class,
which a high score speaks for, label 0 the other. In a corpus of keywords these are a word and noise. Its `classes.json`
says so, for whoever shows results:

    {"bona-fide": "word", "spoof": "noise"}

Where that file exists, a person need not have both classes: SplitDataset deals the people of each class by themselves.
"""

from collections.abc import Mapping
from pathlib import Path

from src.utils.files import read_record, write_json
from src.utils.labels import BONAFIDE, LABEL_NAMES, SPOOF

CLASSES = "classes.json"
WORD = "word"
"""Column of a files table with the word that is said; empty where there is none."""


def read_classes(dataset: Path) -> dict[int, str]:
    """Return label -> what the class is called; empty where it is called what it is everywhere.

    >>> import tempfile
    >>> dataset = Path(tempfile.mkdtemp())
    >>> read_classes(dataset)
    {}
    >>> write_classes(dataset, {1: "word", 0: "noise"})
    >>> read_classes(dataset)
    {1: 'word', 0: 'noise'}

    Raises
    ------
    ValueError
        When the file cannot be read.
    """
    path = dataset / CLASSES
    if not path.is_file():
        return {}
    note = read_record(path, *LABEL_NAMES.values())
    return {label: str(note[LABEL_NAMES[label]]) for label in (BONAFIDE, SPOOF)}


def classes_in_words(dataset: Path) -> str:
    """Return what the classes of a corpus stand for, in words; empty where they are what they are called.

    >>> import tempfile
    >>> dataset = Path(tempfile.mkdtemp())
    >>> write_classes(dataset, {1: "word", 0: "noise"})
    >>> classes_in_words(dataset)
    'bona fide stands for word, spoof for noise'
    """
    names = read_classes(dataset)
    return f"bona fide stands for {names[BONAFIDE]}, spoof for {names[SPOOF]}" if names else ""


def write_classes(dataset: Path, names: Mapping[int, str]) -> None:
    """Write what the classes of a corpus are called, label -> name; without names, remove what was written before."""
    if names:
        write_json(dataset / CLASSES, {LABEL_NAMES[label]: name for label, name in names.items()})
    else:
        (dataset / CLASSES).unlink(missing_ok=True)
