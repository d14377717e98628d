"""SOURCES.csv, which a corpus's user writes: columns file, system; what made each spoof.

Its paths come from many tools. They find their clip in any Unicode form, with `./` before them and with backslashes
between folders; rows that find none are counted and told, because a system that is lost silently is missed only when
results are to be shown by system.
"""

from collections.abc import Iterable
from pathlib import Path

from src.utils.csv_tables import read_csv
from src.utils.people import composed

SOURCES_TABLE = "SOURCES.csv"


def read_sources(dataset: Path, files: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Return the system of every clip that SOURCES.csv names, and what a user should be told of its rows.

    Parameters
    ----------
    dataset : Path
        The corpus folder.
    files : iterable of str
        The clips that the corpus holds.

    Returns
    -------
    dict of str to str
        File -> system; empty where there is no SOURCES.csv.
    list of str
        Sentences on rows that name no clip, or a clip twice with two systems.

    Raises
    ------
    ValueError
        When the table cannot be read, or lacks a column.
    """
    path = dataset / SOURCES_TABLE
    if not path.is_file():
        return {}, []
    advice = "save it as a CSV file in UTF-8 with the columns file and system"
    table = read_csv(path, advice)
    missing = {"file", "system"} - set(table.columns)
    if missing:
        raise ValueError(f"{path} needs the columns file and system; it has {', '.join(table.columns)}.")
    clips = {_plain(file): file for file in files}
    found: dict[str, str] = {}
    strays, disputed = [], []
    for named, system in zip(table["file"], table["system"], strict=True):
        clip = clips.get(_plain(named))
        if clip is None:
            strays.append(named)
        elif found.setdefault(clip, system) != system:
            disputed.append(clip)
            found[clip] = system
    return found, _notes(path.name, strays, disputed)


def _notes(name: str, strays: list[str], disputed: list[str]) -> list[str]:
    notes = []
    if strays:
        notes.append(f"Rows of {name} that name no clip of this corpus: {len(strays)} (first: {strays[0]}).")
    if disputed:
        notes.append(
            f"Clips to which {name} gives two systems: {len(disputed)} (first: {disputed[0]}); the last one counts."
        )
    return notes


def _plain(file: str) -> str:
    """Return a path in the form in which paths are compared.

    >>> _plain(".\\\\fake_voices\\\\Ana_F001_Fake\\\\0.wav")
    'fake_voices/Ana_F001_Fake/0.wav'
    """
    parts = composed(file.strip()).replace("\\", "/").split("/")
    return "/".join(part for place, part in enumerate(parts) if part != "." and (part or not place))
