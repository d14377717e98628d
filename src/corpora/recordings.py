"""The recordings of a corpus that comes with a protocol: found in its folders and joined with the protocol's rows.

Names are compared without their suffix and in the composed Unicode form: `LA_T_1000137` of a protocol is
`LA_T_1000137.flac` on the disk. Rows without a recording and recordings without a row are passed over, counted and
named, as a download may be a part of the corpus. Hidden files and those that other systems leave behind are passed over
silently. Links that lead out of the corpus are listed and told, for a copy of the folder lacks what they lead to.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from src.audio.io import AUDIO_SUFFIXES
from src.corpora import Finding
from src.corpora.passed_over import SYSTEM_FOLDERS, note_on
from src.utils.dataset import FILE_COLUMNS, UNKNOWN_GENDER
from src.utils.people import composed


@dataclass(frozen=True)
class Recordings:
    """What the folders of a corpus hold."""

    files: pd.DataFrame
    """Columns file, the path within the corpus with `/`, and name, without suffix and composed; sorted by file."""
    notes: tuple[str, ...] = ()


def find_recordings(dataset: Path, folders: Sequence[str], *, deep: bool = False) -> Recordings:
    """List the recordings of some folders of a corpus.

    Parameters
    ----------
    dataset : Path
    folders : sequence of str
        Relative to the corpus; "" is the corpus folder itself. Those that do not exist are passed over.
    deep : bool
        Whether folders inside them are searched as well.

    Examples
    --------
    >>> import tempfile
    >>> dataset = Path(tempfile.mkdtemp())
    >>> (dataset / "flac").mkdir()
    >>> for name in ("LA_T_2.flac", "LA_T_1.FLAC", "._LA_T_1.flac", "Thumbs.db"):
    ...     _ = (dataset / "flac" / name).write_bytes(b"sound")
    >>> find_recordings(dataset, ["flac"]).files.to_numpy().tolist()
    [['flac/LA_T_1.FLAC', 'LA_T_1'], ['flac/LA_T_2.flac', 'LA_T_2']]
    """
    files: list[tuple[str, str]] = []
    home = os.path.realpath(dataset) + os.sep
    waiting = [folder for folder in folders if (dataset / folder).is_dir()]
    links = [f"{folder}/" for folder in waiting if not _is_within(dataset / folder, home)]
    seen: set[str] = set()
    while waiting:
        folder = waiting.pop()
        if (real := os.path.realpath(dataset / folder)) in seen:
            continue  # a link to a folder that is listed already, or that holds the link
        seen.add(real)
        for entry in _visible(dataset / folder):
            file = f"{folder}/{entry.name}" if folder else entry.name
            stem, dot, suffix = entry.name.rpartition(".")
            if deep and entry.is_dir():
                waiting.insert(0 if entry.is_symlink() else len(waiting), file)  # true folders come first
            elif (dot + suffix).lower() in AUDIO_SUFFIXES and not entry.is_dir():
                files.append((file, stem))
            else:
                continue
            if entry.is_symlink() and not _is_within(Path(entry.path), home):
                links.append(file)
    found = pd.DataFrame(sorted(files), columns=["file", "name"], dtype=str)
    if not found["name"].str.isascii().all():
        found["name"] = found["name"].map(composed)
    return Recordings(found, tuple(note_on("Links that lead out of the corpus", sorted(links))))


def join_recordings(
    rows: pd.DataFrame, recordings: Recordings, *, column: str, what: str
) -> tuple[pd.DataFrame, list[str]]:
    """Give the rows of a protocol their recordings.

    Parameters
    ----------
    rows : pd.DataFrame
        What `protocols.read_protocol` returned.
    recordings : Recordings
    column : str
        The column of `rows` that names the recording, with or without the suffix of its file.
    what : str
        The protocol's name, for the notes.

    Returns
    -------
    pd.DataFrame
        The rows that have a recording, with a column `file`.
    list of str
        Notes on rows without a recording, recordings without a row, and names that two recordings bear.
    """
    files = recordings.files.drop_duplicates("name")
    doubled = recordings.files["file"][recordings.files["name"].duplicated()].tolist()
    names = without_suffix(rows[column])
    joined = rows.assign(file=names.map(files.set_index("name")["file"]))
    is_missing = joined["file"].isna()
    extra = files["file"][~files["name"].isin(names)].tolist()
    notes = [
        *note_on(f"Rows of {what} without a recording, passed over", rows[column][is_missing].tolist()),
        *note_on(f"Recordings that {what} does not list, passed over", extra),
        *note_on("Recordings of a name that another one bears, passed over", doubled),
    ]
    return joined[~is_missing], [*map(Finding, notes)]


def without_suffix(names: pd.Series) -> pd.Series:
    """Return names of recordings without the suffix of their file, where they have one.

    >>> without_suffix(pd.Series(["T_1000001.wav", "LA_T_1", "a.b"])).tolist()
    ['T_1000001', 'LA_T_1', 'a.b']
    """
    if not names.str.contains(".", regex=False).any():
        return names
    suffixes = "|".join(suffix[1:] for suffix in AUDIO_SUFFIXES)
    return names.str.replace(rf"\.(?:{suffixes})$", "", case=False, regex=True)


def as_people(names: pd.Series, genders: pd.Series | None = None) -> pd.DataFrame:
    """Return the columns speaker, id and gender of people of whom a corpus gives a name and, perhaps, a gender.

    A person is spelled `<name>_F000`, `_M000` or, where the gender is not known, `_U000`.

    >>> as_people(pd.Series(["LA_0039"])).to_numpy().tolist()
    [['LA_0039_U000', 'U000', 'U']]
    """
    known = pd.Series(UNKNOWN_GENDER, index=names.index) if genders is None else genders
    known = known.where(known.isin(("F", "M")), UNKNOWN_GENDER)
    identities = known + "000"
    return pd.DataFrame({"speaker": names + "_" + identities, "id": identities, "gender": known})


def with_people(rows: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the columns of `as_people`, which has the same index."""
    return rows.assign(**{str(name): people[name] for name in people})


def as_files(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a files table, sorted by file: our columns first, then what else the protocol says, where it says any.

    Cells of the protocol that read `-` say nothing and become empty, but in our own columns.
    """
    files = rows.sort_values("file", kind="stable", ignore_index=True)
    others = [str(column) for column in files if column not in FILE_COLUMNS]
    files[others] = files[others].replace("-", "")
    return files[[*FILE_COLUMNS, *(column for column in others if (files[column] != "").any())]]


def _visible(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from (entry for entry in entries if not (entry.name.startswith(".") or entry.name in SYSTEM_FOLDERS))


def _is_within(path: Path, home: str) -> bool:
    return (os.path.realpath(path) + os.sep).startswith(home)
