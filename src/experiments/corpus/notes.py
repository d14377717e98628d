"""Report what looks like a mistake in a corpus: people who may be one person, clips that are listed twice.

These are notes and not errors, because such a corpus can be used. But its results may be worthless, for instance when
one person is in the training and in the test split under two names. Each note is a sentence that names the first case.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path

import pandas as pd

from src.audio.slices import opened
from src.audio.storage.places import find
from src.corpora.sources import SOURCES_TABLE, read_sources
from src.utils.dataset import FILES_TABLE, UNKNOWN_GENDER
from src.utils.files import fingerprint
from src.utils.labels import BONAFIDE, LABEL_NAMES, SPOOF
from src.utils.paths import on
from src.utils.people import person_of

N_SHOWN = 5
N_READERS = 16
"""Threads that read recordings; a disk serves several reads at once."""
BATCH = 64
"""Recordings that a thread is given at a time."""


def people_notes(files: pd.DataFrame) -> list[str]:
    """Report who may be one person under several spellings, and who has spoofs but no bona fide clip.

    Parameters
    ----------
    files : pd.DataFrame
        A files table.

    >>> rows = {"speaker": ["Ana_F002", "Ana_F02"], "id": ["F002", "F02"], "label": ["bona-fide", "spoof"]}
    >>> for note in people_notes(pd.DataFrame(rows)):
    ...     print(note)
    1 group of people may be one person each, spelled in several ways (Ana_F002 = Ana_F02): rename their folders if so.
    1 person has spoofs and no bona fide clip (Ana_F02): is the bona fide speech listed under another name?
    """
    people = person_of(files)
    alike = defaultdict(set)
    for person, identity in set(zip(people.tolist(), files["id"].tolist(), strict=True)):
        alike[_loose_spelling(person, identity)].add(person)
    groups = sorted(" = ".join(sorted(names)) for names in alike.values() if len(names) > 1)
    # People of unknown gender are not those of our own folders: words and noise, or recordings of which nobody says
    # who speaks, have one class each.
    named = people[~files["id"].str.startswith(UNKNOWN_GENDER)]
    only_spoofs = sorted(set(named.unique()) - set(people[files["label"] == LABEL_NAMES[BONAFIDE]].unique()))
    notes = []
    if groups:
        notes.append(
            f"{_counted(groups, 'group of people', 'groups of people')} may be one person each, spelled in several "
            f"ways ({_shown(groups)}): rename their folders if so."
        )
    if only_spoofs:
        notes.append(
            f"{_counted(only_spoofs, 'person has', 'people have')} spoofs and no bona fide clip "
            f"({_shown(only_spoofs)}): is the bona fide speech listed under another name?"
        )
    return notes


def duplicate_notes(dataset: Path, files: pd.DataFrame) -> list[str]:
    """Report which recordings are listed more than once, under several people or in both classes.

    Parameters
    ----------
    dataset : Path
    files : pd.DataFrame
        Its files table. Recordings that cannot be read are ignored here; the steps that decode them report them.
    """
    whose = zip(person_of(files).tolist(), files["label"].tolist(), strict=True)
    owners = dict(zip(files["file"].tolist(), whose, strict=True))
    groups = equal_recordings(dataset, owners)
    if not groups:
        return []
    count = _counted(groups, "recording is", "recordings are")
    first = " and ".join(groups[0][:2])
    return [f"{count} listed more than once, under several people or in both classes (first: {first})."]


def equal_recordings(dataset: Path, owners: Mapping[str, object]) -> list[list[str]]:
    """Return the groups of recordings that hold the same bytes and have different owners.

    Only recordings of equal size are read: first their beginning and end, then, if these agree, the whole file.

    Parameters
    ----------
    dataset : Path
    owners : mapping of str to object
        Recording -> to whom it belongs.
    """
    groups = [list(owners)]
    with ThreadPoolExecutor(N_READERS) as readers:
        for key in (_size, fingerprint, _digest):
            listed = [file for group in groups for file in group]
            batches = [listed[start : start + BATCH] for start in range(0, len(listed), BATCH)]
            found = readers.map(partial(_keys_or_paths, key, dataset), batches)
            keys = dict(zip(listed, chain.from_iterable(found), strict=True))
            parts = [part for group in groups for part in _grouped(group, keys)]
            groups = [part for part in parts if len({owners[file] for file in part}) > 1]
    return groups


def source_notes(dataset: Path, files: pd.DataFrame) -> list[str]:
    """Report which systems differ between SOURCES.csv and the files table, as when SOURCES.csv was changed later."""
    try:
        systems, notes = read_sources(dataset, files["file"])
    except ValueError as error:
        return [str(error)]
    held = dict(zip(files["file"], files["system"], strict=True))
    spoofs = set(files["file"][files["label"] == LABEL_NAMES[SPOOF]])
    outdated = [file for file, system in systems.items() if file in spoofs and held[file] != system]
    if outdated:
        notes.append(
            f"{SOURCES_TABLE} gives {_counted(outdated, 'spoof', 'spoofs')} a system other than that in {FILES_TABLE} "
            f"(first: {outdated[0]}): run fab GenerateDatasetCSV{on(dataset)} again."
        )
    return notes


def _loose_spelling(person: str, identity: str) -> tuple[str, str]:
    """Return what two spellings of one person have in common: case and leading zeros of the id are ignored."""
    return person.removesuffix(identity).casefold(), re.sub(r"^(\D*)0+(?=\d)", r"\1", identity.casefold())


def _grouped(files: Iterable[str], keys: Mapping[str, int | str]) -> list[list[str]]:
    """Group files by equal keys."""
    groups: dict[int | str, list[str]] = defaultdict(list)
    for file in files:
        groups[keys[file]].append(file)
    return list(groups.values())


def _keys_or_paths(key: Callable[[Path], int | str], dataset: Path, files: Sequence[str]) -> list[int | str]:
    """Return the key of every recording, or its path, which no other has, when it cannot be read."""
    found: list[int | str] = []
    for file in files:
        try:
            found.append(key(dataset / file))
        except OSError:
            found.append(file)
    return found


def _size(path: Path) -> int:
    return find(path).size


def _digest(path: Path) -> str:
    with opened(path) as recording:
        return hashlib.file_digest(recording, "sha256").hexdigest()


def _counted(things: Sequence[object], one: str, many: str) -> str:
    return f"{len(things)} {one if len(things) == 1 else many}"


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:N_SHOWN]) + (", ..." if len(names) > N_SHOWN else "")
