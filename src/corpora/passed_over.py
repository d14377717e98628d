"""What a corpus folder holds besides the clips that are listed: counted, so that nothing is lost silently.

The AUDIOS layout is strict: clips lie directly in their person's folder. Recordings that lie elsewhere, files of other
kinds and people without a clip are counted and reported. Folders that unzip programs, file servers and file systems
create are passed over by name; they are never people.
"""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from src.audio.io import AUDIO_SUFFIXES
from src.corpora import Finding
from src.utils.csv_tables import printable

SYSTEM_FOLDERS = ("__MACOSX", "@eaDir", "#recycle", "lost+found", "$RECYCLE.BIN", "System Volume Information")
"""What unzip programs, file servers and file systems leave behind; anything hidden is passed over as well."""
OWN_FOLDERS = ("splits", "downloads")
"""Folders that this project itself keeps in a corpus folder."""
N_KINDS_SHOWN = 5


def is_hidden(path: Path) -> bool:
    """Return whether the name of a file or folder makes it hidden."""
    return path.name.startswith(".")


def is_recording(path: Path) -> bool:
    """Return whether a path counts as a recording, judging by its suffix; broken links count too."""
    return path.suffix.lower() in AUDIO_SUFFIXES and not is_hidden(path) and not path.is_dir()


def is_system_folder(path: Path) -> bool:
    """Return whether a folder was created by a system program and never holds a person's clips."""
    return path.name in SYSTEM_FOLDERS


def notes_on_the_rest(dataset: Path, sides: Sequence[str]) -> list[str]:
    """Report what a corpus folder holds besides its people's folders.

    Parameters
    ----------
    dataset : Path
    sides : sequence of str
        The folders that hold the people's folders.
    """
    beside = [
        f"{path.name}/"
        for path in sorted(dataset.iterdir())
        if path.is_dir() and not is_hidden(path) and path.name not in (*sides, *OWN_FOLDERS)
    ]
    inside = [f"{side}/{name}/" for side in sides for name in SYSTEM_FOLDERS if (dataset / side / name).is_dir()]
    loose = [
        path
        for folder in (dataset, *(dataset / side for side in sides))
        for path in sorted(folder.iterdir())
        if is_recording(path)
    ]
    return [
        *note_on("Folders passed over", beside + inside, shown=N_KINDS_SHOWN),
        *map(Finding, note_on("Recordings passed over, outside any person's folder", _relative(loose, dataset))),
    ]


def notes_on_folders(dataset: Path, folders: Iterable[Path]) -> list[str]:
    """Report what the people's folders hold besides clips, and which of them hold no clip."""
    deep: list[Path] = []
    empty: list[Path] = []
    kinds: Counter[str] = Counter()
    for folder in folders:
        n_clips = 0
        for path in _files_below(folder):
            if path.suffix.lower() not in AUDIO_SUFFIXES:
                kinds[printable(path.suffix.lower()) or "no suffix"] += 1
            elif path.parent == folder:
                n_clips += 1
            else:
                deep.append(path)
        if not n_clips:
            empty.append(folder)
    shown = ", ".join(f"{kind} x {count}" for kind, count in kinds.most_common(N_KINDS_SHOWN))
    more = ", ..." if len(kinds) > N_KINDS_SHOWN else ""
    return [
        *map(Finding, note_on("Recordings passed over, in subfolders of a person's folder", _relative(deep, dataset))),
        *([f"Files of other kinds passed over: {kinds.total()} ({shown}{more})."] if kinds else []),
        *note_on("People's folders without a clip", _relative(empty, dataset), shown=N_KINDS_SHOWN),
    ]


def _files_below(folder: Path) -> Iterable[Path]:
    for place, subfolders, names in os.walk(folder):
        subfolders[:] = sorted(name for name in subfolders if not is_hidden(Path(name)) and name not in SYSTEM_FOLDERS)
        yield from (Path(place) / name for name in sorted(names) if not is_hidden(Path(name)))


def _relative(paths: Iterable[Path], dataset: Path) -> list[str]:
    return [path.relative_to(dataset).as_posix() for path in paths]


def note_on(what: str, names: Sequence[str], *, shown: int = 1) -> list[str]:
    """Return one sentence that counts names and shows the first of them; no sentence if there are none."""
    if not names:
        return []
    first = ", ".join(map(printable, names[:shown]))
    listed = first if len(names) <= shown else f"{first}, ..."
    return [f"{what}: {len(names)} ({listed})."]
