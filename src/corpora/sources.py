"""Read SOURCES.csv, a table with the columns file and system in which users note what made each spoof.

A column `segments` may say which stretches of partly spoofed clips are spoofed (`utils/segments.py`), and a column
`original` which bona fide clip a spoof was copied from.
Its paths come from many tools, so they match a clip in any Unicode form, with a leading `./` and with backslashes
between folders. Rows that match no clip are counted and reported, because a system that is lost silently is noticed
only when results are shown by system.
"""

from collections.abc import Iterable
from pathlib import Path

from src.utils.csv_tables import read_csv
from src.utils.people import composed

SOURCES_TABLE = "SOURCES.csv"


def read_sources(dataset: Path, files: Iterable[str], column: str = "system") -> tuple[dict[str, str], list[str]]:
    """Return the system of every clip that SOURCES.csv names, and notes for the user.

    Parameters
    ----------
    dataset : Path
        The corpus folder.
    files : iterable of str
        The clips that the corpus holds.
    column : str
        "segments" returns that column in place of the systems.

    Returns
    -------
    dict of str to str
        File -> system; empty where there is no SOURCES.csv, or it has no segments.
    list of str
        Notes on rows that name no clip and on clips with two systems; one sentence each.

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
    if column not in table:
        return {}, []
    clips = {_plain(file): file for file in files}
    found: dict[str, str] = {}
    unmatched, conflicting = [], []
    for named, value in zip(table["file"], table[column], strict=True):
        clip = clips.get(_plain(named))
        if clip is None:
            unmatched.append(named)
        elif found.setdefault(clip, value) != value:
            conflicting.append(clip)
            found[clip] = value
    return found, _notes(path.name, unmatched, conflicting, f"{column.removesuffix('s')}s")


def read_originals(dataset: Path) -> dict[str, str]:
    """Return which bona fide clip each spoof was copied from, where the column original of SOURCES.csv says so."""
    path = dataset / SOURCES_TABLE
    if not path.is_file():
        return {}
    table = read_csv(path, "save it as a CSV file in UTF-8")
    if "file" not in table or "original" not in table:
        return {}
    return {_plain(file): _plain(original) for file, original in zip(table["file"], table["original"], strict=True)}


def _notes(name: str, unmatched: list[str], conflicting: list[str], things: str) -> list[str]:
    notes = []
    if unmatched:
        notes.append(f"Rows of {name} that name no clip of this corpus: {len(unmatched)} (first: {unmatched[0]}).")
    if conflicting:
        notes.append(
            f"Clips to which {name} gives two {things}: {len(conflicting)} "
            f"(first: {conflicting[0]}); the last one counts."
        )
    return notes


def _plain(file: str) -> str:
    """Return a path in the form used for comparison.

    >>> _plain(".\\\\fake_voices\\\\Ana_F001_Fake\\\\0.wav")
    'fake_voices/Ana_F001_Fake/0.wav'
    """
    parts = composed(file.strip()).replace("\\", "/").split("/")
    return "/".join(part for place, part in enumerate(parts) if part != "." and (part or not place))
