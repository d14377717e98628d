"""The AUDIOS layout: genuine speech and spoofs side by side, one folder a person.

    <corpus>/real_voices/<Name>_<F|M>NNN/*.{wav,flac,mp3,ogg}
    <corpus>/fake_voices/<Name>_<F|M>NNN_Fake/*
    <corpus>/SOURCES.csv        optional: columns file, system: what made each spoof

The person's gender and id are part of the folder's name. Hidden files and files of other kinds are passed over.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from src.audio.io import AUDIO_SUFFIXES
from src.utils.dataset import FILE_COLUMNS
from src.utils.labels import BONAFIDE, LABEL_NAMES, SPOOF

REAL_FOLDER, FAKE_FOLDER = "real_voices", "fake_voices"
SOURCES_TABLE = "SOURCES.csv"
PERSON = re.compile(r"(?P<speaker>.+)_(?P<id>(?P<gender>[FM])\d+)")


def read_layout(dataset: Path) -> pd.DataFrame:
    """List the clips of a corpus laid out the AUDIOS way.

    Returns
    -------
    pd.DataFrame
        Columns file, speaker, id, gender, label, system; sorted by file, genuine speech first.

    Raises
    ------
    FileNotFoundError
        When one of the two voice folders is missing.
    ValueError
        When a person's folder is not named as it should be, or there is no clip.
    """
    rows = [*_clips(dataset, REAL_FOLDER, "", BONAFIDE), *_clips(dataset, FAKE_FOLDER, "_Fake", SPOOF)]
    if not rows:
        raise ValueError(
            f"{dataset} holds no recording ({', '.join(AUDIO_SUFFIXES)}) in {REAL_FOLDER}/ or {FAKE_FOLDER}/."
        )
    table = pd.DataFrame(rows, columns=FILE_COLUMNS[:-1])
    systems = _systems(dataset)
    is_spoof = table["label"] == LABEL_NAMES[SPOOF]
    table["system"] = [
        systems.get(file, "") if spoof else "" for file, spoof in zip(table["file"], is_spoof, strict=True)
    ]
    return table


def person_folders(dataset: Path, side: str, suffix: str = "") -> list[tuple[Path, re.Match[str]]]:
    """Return the folders of the people of one side, with the parts of their names.

    Raises
    ------
    FileNotFoundError
        When the side's folder is missing.
    ValueError
        When a folder's name does not say who it is.
    """
    folder = dataset / side
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{dataset} has no folder {side}/: a corpus holds {REAL_FOLDER}/ and {FAKE_FOLDER}/, "
            "as DatasetPreparation.md says."
        )
    found = []
    for person in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        match = PERSON.fullmatch(person.name.removesuffix(suffix)) if person.name.endswith(suffix) else None
        if match is None:
            raise ValueError(f"{person} should be named <Name>_<F|M>NNN{suffix}, as in Maria_F003{suffix}.")
        found.append((person, match))
    return found


def recordings_in(folder: Path) -> list[Path]:
    """Return the recordings that lie in a folder, sorted by name."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".") and not path.is_dir()
    )


def _clips(dataset: Path, side: str, suffix: str, label: int) -> Iterator[tuple[str, str, str, str, str]]:
    for folder, person in person_folders(dataset, side, suffix):
        for path in recordings_in(folder):
            yield (
                f"{side}/{folder.name}/{path.name}",
                person["speaker"],
                person["id"],
                person["gender"],
                LABEL_NAMES[label],
            )


def _systems(dataset: Path) -> dict[str, str]:
    path = dataset / SOURCES_TABLE
    if not path.is_file():
        return {}
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    missing = {"file", "system"} - set(table.columns)
    if missing:
        raise ValueError(f"{path} needs the columns file and system; it has {', '.join(table.columns)}.")
    return dict(zip(table["file"], table["system"], strict=True))
