"""The AUDIOS layout: bona fide speech and spoofs side by side, one folder per person.

    <corpus>/real_voices/<Name>_<F|M>NNN/*.wav, *.flac, ...
    <corpus>/fake_voices/<Name>_<F|M>NNN_Fake/*
    <corpus>/SOURCES.csv        optional: columns file, system: what made each spoof; segments: where (`sources.py`)

The person's gender and id are part of the folder's name. Anything else is passed over and reported
(`passed_over.py`), except hidden files and folders, which are passed over silently.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from src.audio.io import AUDIO_SUFFIXES
from src.corpora import Listing
from src.corpora.passed_over import is_hidden, is_recording, is_system_folder, notes_on_folders, notes_on_the_rest
from src.corpora.sources import read_sources
from src.utils.copies import AUGMENTATION, COPY_OF
from src.utils.dataset import FILE_COLUMNS
from src.utils.labels import BONAFIDE, LABEL_NAMES, SPOOF
from src.utils.people import composed
from src.utils.segments import SEGMENTS

REAL_FOLDER, FAKE_FOLDER = "real_voices", "fake_voices"
SIDES = {REAL_FOLDER: ("", BONAFIDE), FAKE_FOLDER: ("_Fake", SPOOF)}
"""Folder of a side -> suffix of its people's folders, and the label of its clips."""
PERSON = re.compile(r"(?P<speaker>.+)_(?P<id>(?P<gender>[FM])\d+)")


def read_layout(dataset: Path) -> Listing:
    """List the clips of a corpus in the AUDIOS layout, sorted by file, bona fide speech first.

    Raises
    ------
    FileNotFoundError
        When one of the two voice folders is missing.
    ValueError
        When a person's folder is not named as it should be, SOURCES.csv cannot be read, or there is no clip.
    """
    rows = [row for side in SIDES for row in _clips(dataset, side)]
    passed_over = [*notes_on_the_rest(dataset, tuple(SIDES)), *notes_on_folders(dataset, _person_folders(dataset))]
    if not rows:
        raise ValueError(
            f"{dataset} holds no recording ({', '.join(AUDIO_SUFFIXES)}) in a person's folder in {REAL_FOLDER}/ or "
            f"{FAKE_FOLDER}/. {' '.join(passed_over)}".strip()
        )
    files = pd.DataFrame(rows, columns=FILE_COLUMNS[:-1])
    systems, notes = read_sources(dataset, files["file"].tolist())
    is_spoof = files["label"] == LABEL_NAMES[SPOOF]
    files["system"] = [
        systems.get(file, "") if spoof else "" for file, spoof in zip(files["file"], is_spoof, strict=True)
    ]
    for column in (SEGMENTS, AUGMENTATION, COPY_OF):
        cells, more = read_sources(dataset, files["file"].tolist(), column)
        notes = [*notes, *more]
        if any(cells.values()):
            files[column] = [cells.get(file, "") for file in files["file"]]
    return Listing(files, (*passed_over, *dict.fromkeys(notes)))


def person_folders(dataset: Path, side: str, suffix: str = "") -> list[tuple[Path, re.Match[str]]]:
    """Return the folders of the people of one side, with the parts of their names in composed Unicode form.

    Raises
    ------
    FileNotFoundError
        When the side's folder is missing.
    ValueError
        When a folder is not named `<Name>_<F|M>NNN`.
    """
    folder = dataset / side
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{dataset} has no folder {side}/: a corpus holds {REAL_FOLDER}/ and {FAKE_FOLDER}/, "
            "as DatasetPreparation.md says."
        )
    found = []
    for person in sorted(path for path in folder.iterdir() if path.is_dir()):
        if is_hidden(person) or is_system_folder(person):
            continue
        name = composed(person.name)
        match = PERSON.fullmatch(name.removesuffix(suffix)) if name.endswith(suffix) else None
        if match is None:
            raise ValueError(f"{person} should be named <Name>_<F|M>NNN{suffix}, as in Maria_F003{suffix}.")
        found.append((person, match))
    return found


def recordings_in(folder: Path) -> list[Path]:
    """Return the recordings directly in a folder, sorted by name; broken links are included."""
    return sorted(path for path in folder.iterdir() if is_recording(path))


def _clips(dataset: Path, side: str) -> Iterator[tuple[str, str, str, str, str]]:
    suffix, label = SIDES[side]
    for folder, person in person_folders(dataset, side, suffix):
        for path in recordings_in(folder):
            yield f"{side}/{folder.name}/{path.name}", person[0], person["id"], person["gender"], LABEL_NAMES[label]


def _person_folders(dataset: Path) -> list[Path]:
    return [folder for side, (suffix, _) in SIDES.items() for folder, _ in person_folders(dataset, side, suffix)]
