"""Arrange CETUC and Fake Voices, as published, in the AUDIOS layout: whose clip is it, and where does it go?

People are identified by their id, F or M and three digits, which both sides have somewhere in a folder's name:
`Juliana_F028_Fake`, `Juliana_F028`, `F028`, `cetuc-F028-wav`. The deepest folder that has one decides. The person's
name is taken from the spoofs, else from the bona fide side, else it is `Speaker`.

Clips are hard links to the downloads where the disk allows it, copies elsewhere. Nothing is ever overwritten, so a
step can be run again at any time. What is left out is returned as remarks, one line each; nothing is dropped
silently.
"""

import filecmp
import logging
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from src.audio.io import AUDIO_SUFFIXES
from src.corpora.audios import FAKE_FOLDER, REAL_FOLDER
from src.utils.archives import ARCHIVE_SUFFIXES, extract_archive, is_archive
from src.utils.files import read_json, write_json
from src.utils.people import composed

logger = logging.getLogger(__name__)

MUTE_CLIPS = ("F028-0914.wav", "F009-0150.wav")
UNNAMED = "Speaker"
STATE = ".preparation"

_ID = re.compile(r"(?:(?<![A-Za-z0-9])[FMfm]|(?<=[a-z])[FM])\d{3}(?!\d)")
_PERSON = re.compile(r"(?P<name>[^\W\d_]+(?:[-_ ][^\W\d_]+)*)_(?P<id>[FMfm]\d{3})(?:_Fake)?")
_UNOPENED = (".7z", ".rar", ".bz2", ".zst", ".gz", ".xz", ".parquet")
_LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class Voice:
    """The clips of one folder and the person who speaks in them."""

    shown: str
    """The folder's name in remarks."""
    id: str
    name: str
    """Empty when the folder's name has only the id."""
    clips: tuple[Path, ...]


def speaker_id(text: str) -> str:
    """Return the one id that a folder's name holds; empty when it holds none, or two.

    >>> [speaker_id(text) for text in ("Juliana_F028_Fake", "m007", "alcaim16k-DVD1de4", "F001_F002")]
    ['F028', 'M007', '', '']
    """
    ids = {found.upper() for found in _ID.findall(text)}
    return ids.pop() if len(ids) == 1 else ""


def find_voices(root: Path, shown: str) -> tuple[list[Voice], list[str]]:
    """List the clips below a folder by person, in a fixed order, with a remark on whatever cannot be used.

    Hidden files and folders are passed over. `shown` stands for the root in remarks, and its last part counts as the
    outermost folder's name: an archive may hold only the clips and name the person in its own name.
    """
    voices: list[Voice] = []
    remarks: list[str] = []
    for folder, subfolders, _ in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        below = Path(folder).relative_to(root)
        label = "/".join([shown, *below.parts])
        clips, problems = _clips_in(Path(folder), label)
        remarks += problems
        person, name = _person([*reversed(below.parts), Path(shown).name])
        if person and clips:
            voices.append(Voice(label, person, name, tuple(clips)))
        elif clips:
            remarks.append(f"{label}: {len(clips)} clips left out, no speaker id such as F028 in the folder's name")
    return voices, remarks


def find_archives(root: Path) -> list[Path]:
    """List the archives below a folder, which may be missing, in a fixed order; hidden ones are ignored."""
    return sorted(
        path
        for path in root.rglob("*")
        if is_archive(path)
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
    )


def archive_is_done(corpus: Path, archive: Path) -> bool:
    """Return whether this archive, of this size, was extracted and its people's folders are still in the corpus."""
    record = _record(corpus, archive)
    if not record.is_file():
        return False
    done = read_json(record)
    return done["bytes"] == archive.stat().st_size and all((corpus / folder).is_dir() for folder in done["folders"])


def lay_out(corpus: Path, spoofs: Path, genuine: Sequence[Path]) -> list[str]:
    """Link or copy downloaded clips to `real_voices/` and `fake_voices/` of a corpus; return the remarks.

    Parameters
    ----------
    corpus : Path
        The corpus folder; the downloads lie below it.
    spoofs, genuine : Path, sequence of Path
        The downloaded folders, which are only read.
    """
    work = corpus / STATE / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    voices: list[Voice] = []
    remarks: list[str] = []
    for folder in genuine:
        found, problems = find_voices(folder, folder.relative_to(corpus).as_posix())
        voices += found
        remarks += problems
    layout = _Layout(corpus, {voice.id: voice.name for voice in reversed(voices) if voice.name})
    for archive in find_archives(spoofs):
        if not archive_is_done(corpus, archive):
            _lay_out_archive(layout, archive)
            logger.info("%s is extracted.", archive.name)
        remarks += read_json(_record(corpus, archive))["remarks"]
    found, problems = find_voices(spoofs, spoofs.relative_to(corpus).as_posix())
    remarks += problems
    for voice in found:
        remarks += layout.place(voice, FAKE_FOLDER)[1]
    for voice in voices:
        remarks += layout.place(voice, REAL_FOLDER)[1]
    shutil.rmtree(work)
    return remarks


class _Layout:
    """Where the clips of each person belong in one corpus."""

    def __init__(self, corpus: Path, genuine_names: dict[str, str]) -> None:
        self.corpus = corpus
        self.genuine_names = genuine_names
        earlier = map(_PERSON.fullmatch, sorted(path.name for path in (corpus / FAKE_FOLDER).glob("*_Fake")))
        self.spoof_names = {match["id"]: match["name"] for match in earlier if match}

    def place(self, voice: Voice, side: str) -> tuple[str, list[str]]:
        """Link or copy a person's clips into place; return the folder, relative to the corpus, and remarks."""
        fallback = self.genuine_names.get(voice.id, UNNAMED)
        if side == FAKE_FOLDER:
            name = known = self.spoof_names.setdefault(voice.id, voice.name or fallback)
            folder = f"{side}/{name}_{voice.id}_Fake"
        else:
            name, known = self.spoof_names.get(voice.id, fallback), fallback
            folder = f"{side}/{name}_{voice.id}"
        # Within a side, one id with two names means two people, one with a wrong id: they must not be mixed.
        if voice.name and composed(known) not in (composed(voice.name), UNNAMED):
            return folder, [f"{voice.shown}: left out, {voice.id} already belongs to {known}"]
        remarks = []
        (self.corpus / folder).mkdir(parents=True, exist_ok=True)
        for clip in voice.clips:
            target = self.corpus / folder / (clip.stem + clip.suffix.lower())
            if side == REAL_FOLDER and target.name.capitalize() in MUTE_CLIPS:
                continue
            if not target.exists():
                _put(clip, target, self.corpus / STATE / "work" / "clip.part")
            elif not (target.samefile(clip) or filecmp.cmp(clip, target, shallow=False)):
                remarks.append(f"{voice.shown}/{clip.name}: left out, {folder} has another clip of that name")
        return folder, remarks


def _lay_out_archive(layout: _Layout, archive: Path) -> None:
    content = layout.corpus / STATE / "work" / "archive"
    extract_archive(archive, content)
    shown = archive.relative_to(layout.corpus).as_posix()
    voices, remarks = find_voices(content, shown)
    remarks += [f"{shown}: {inner.name} left out, an archive in an archive" for inner in find_archives(content)]
    if not voices and not remarks:
        remarks.append(f"{shown}: holds no clip")
    folders = set()
    for voice in voices:
        folder, problems = layout.place(voice, FAKE_FOLDER)
        folders.add(folder)
        remarks += problems
    done = {"bytes": archive.stat().st_size, "folders": sorted(folders), "remarks": remarks}
    write_json(_record(layout.corpus, archive), done)
    shutil.rmtree(content)


def _record(corpus: Path, archive: Path) -> Path:
    """Return the path of the record that an archive was extracted."""
    relative = archive.relative_to(corpus)
    return corpus / STATE / relative.with_name(f"{relative.name}.json")


def _put(clip: Path, target: Path, part: Path) -> None:
    """Link or copy a clip to its target, whole or not at all."""
    try:
        os.link(clip, target)
    except OSError:  # another disk, or one without hard links
        shutil.copy2(clip, part)
        part.replace(target)


def _clips_in(folder: Path, label: str) -> tuple[list[Path], list[str]]:
    """List the clips of one folder, and a remark on everything that looks like a clip and cannot be used."""
    clips, pointers, remarks = [], 0, []
    for path in sorted(path for path in folder.iterdir() if not path.name.startswith(".")):
        is_clip = path.suffix.lower() in AUDIO_SUFFIXES
        if path.is_symlink() and (is_clip or path.is_dir()):
            remarks.append(f"{label}/{path.name}: left out, a link")
        elif is_clip and _is_pointer(path):
            pointers += 1
        elif is_clip:
            clips.append(path)
        elif path.suffix.lower() in _UNOPENED and not is_archive(path):
            remarks.append(f"{label}/{path.name}: unpack it yourself; this step opens {', '.join(ARCHIVE_SUFFIXES)}")
    if pointers:
        remarks.append(f"{label}: {pointers} clips left out, Git LFS pointers without sound: install git-lfs")
    return clips, remarks


def _person(steps: Sequence[str]) -> tuple[str, str]:
    """Return the id in the first folder name that has one, and the name beside it; empty where there is none."""
    person = next((found for found in map(speaker_id, steps) if found), "")
    matches = [match for match in map(_PERSON.match, steps) if match and match["id"].upper() == person]
    return person, matches[0]["name"] if matches else ""


def _is_pointer(clip: Path) -> bool:
    if clip.stat().st_size >= 1024:
        return False
    with clip.open("rb") as file:
        return file.read(len(_LFS_POINTER)) == _LFS_POINTER
