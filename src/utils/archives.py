"""Extract archives from untrusted sources: whole or not at all, and never a byte outside the folder.

The names in an archive may be hostile: `../../.bashrc`, `/etc/passwd`, a link out of the folder followed by a file
written through it, or `clip.wav` beside `CLIP.wav`, which overwrite each other on some disks. The standard library
repairs such names silently, but a corpus with a repaired name is no longer the same corpus, so here they are refused
and the error names the member. Links in tar files are kept if they stay inside the folder; zip files may not hold any.

Two more choices. A tar file with a corrupt header, or one that was truncated between two members, would read as a
shorter archive without any error; here the end marker must be present, and the file is read up to the compressor's
checksum. Members lose their dates and modes: extracted files are new files of this user.
"""

import gzip
import lzma
import os
import posixpath
import re
import shutil
import stat
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from pathlib import Path
from typing import Literal, NoReturn

from src.audio.storage.tars import StrictMember

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz")
ARCHIVE_SUFFIXES = (".zip", *TAR_SUFFIXES)

# What the decompressors raise for a corrupt archive. A full disk is an OSError and not the archive's fault.
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    UnicodeDecodeError,
)

Key = tuple[str, ...]
Kind = Literal["folder", "file", "link"]


def is_archive(path: Path) -> bool:
    """Return whether `extract_archive` can open a file, judging by its name.

    >>> is_archive(Path("Juliana_F028_Fake.TAR.GZ")), is_archive(Path("clip.wav"))
    (True, False)
    """
    return path.name.lower().endswith(ARCHIVE_SUFFIXES)


def extract_archive(archive: Path, folder: Path) -> None:
    """Extract a zip or tar file into a new folder, which appears whole or not at all.

    Parameters
    ----------
    archive : Path
        A file whose name ends in one of `ARCHIVE_SUFFIXES`.
    folder : Path
        The folder to create; the members' paths are relative to it.

    Raises
    ------
    FileNotFoundError
        When there is no such archive.
    ValueError
        When `folder` exists, the kind of archive is unknown, the archive is corrupt, or a member is unsafe: an
        absolute path, `..`, a backslash, a link that leaves the folder, a device, or the name of another member.

    Examples
    --------
    >>> import tempfile, zipfile
    >>> place = Path(tempfile.mkdtemp())
    >>> with zipfile.ZipFile(place / "a.zip", "w") as file:
    ...     file.writestr("F028/one.txt", "um")
    >>> extract_archive(place / "a.zip", place / "a")
    >>> (place / "a" / "F028" / "one.txt").read_text()
    'um'
    """
    if not archive.is_file():
        raise FileNotFoundError(f"There is no archive {archive}.")
    if not is_archive(archive):
        raise ValueError(f"{archive} is not an archive of a known kind; allowed: {', '.join(ARCHIVE_SUFFIXES)}.")
    if folder.exists() or folder.is_symlink():
        raise ValueError(f"{folder} exists already: name a new folder for the contents of {archive}.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", suffix=".part", dir=folder.parent) as temporary:
        content = Path(temporary) / "content"
        content.mkdir()
        members = _Members(archive)
        extract = _extract_tar if archive.name.lower().endswith(TAR_SUFFIXES) else _extract_zip
        try:
            extract(archive, content, members)
        except _DAMAGE as error:
            reason = " ".join(str(error).split())
            raise ValueError(
                f"{archive} is corrupt or truncated ({reason}): delete it and download it again."
            ) from error
        content.rename(folder)


class _Members:
    """The names read so far in one archive, compared as on a disk that ignores case, Unicode form and final dots."""

    def __init__(self, archive: Path) -> None:
        self.archive = archive
        self.folders: set[Key] = {()}
        self.files: set[Key] = set()
        self.links: set[Key] = set()

    def refuse(self, name: str, reason: str) -> NoReturn:
        raise ValueError(f"{self.archive}: the member {name!r} {reason}; nothing was extracted.")

    def parts(self, name: str) -> tuple[str, ...]:
        """Return the parts of a relative path that stays inside the folder, or refuse it."""
        steps = name.replace("\\", "/").split("/")
        if steps[0] == "" or re.match("[A-Za-z]:", name):
            self.refuse(name, "has an absolute path" if name else "has no name")
        if ".." in steps:
            self.refuse(name, "leaves the folder with '..'")
        if "\\" in name or "\0" in name:
            self.refuse(name, "holds a backslash or a null character")
        return tuple(step for step in steps if step not in ("", "."))

    def key(self, name: str) -> Key:
        return tuple(
            unicodedata.normalize("NFC", unicodedata.normalize("NFD", step).casefold()).rstrip(" .")
            for step in self.parts(name)
        )

    def accept(self, name: str, kind: Kind) -> str:
        """Record one member and return its normalised name, or refuse it."""
        key = self.key(name)
        above = [key[:depth] for depth in range(len(key))]
        if any(step in self.files or step in self.links for step in above):
            self.refuse(name, "lies below a member that is a file or a link")
        taken = key in self.files or key in self.links
        if taken or (kind != "folder" and key in self.folders):
            self.refuse(name, "has the name of another member (ignoring case, Unicode form and final dots)")
        self.folders.update(above)
        {"folder": self.folders, "file": self.files, "link": self.links}[kind].add(key)
        return "/".join(self.parts(name))


def _extract_tar(archive: Path, folder: Path, members: _Members) -> None:
    files: set[str] = set()
    with tarfile.open(archive, "r:*", tarinfo=StrictMember, errorlevel=2) as tar:
        for member in tar:
            kind: Kind = "folder" if member.isdir() else "link" if member.issym() else "file"
            name = members.accept(member.name, kind)
            if not name:  # "./", the folder itself
                continue
            link = member.linkname
            if member.islnk():
                link = posixpath.normpath(link)
                if link not in files:
                    members.refuse(member.name, f"is a hard link to {member.linkname!r}, which is no earlier member")
            elif not (member.isreg() or member.isdir() or member.issym()):
                members.refuse(member.name, "is a device or a pipe")
            if kind == "file":
                files.add(name)
            plain = member.replace(name=name, linkname=link, mode=None, mtime=None, deep=False)  # type: ignore[arg-type]
            try:
                tar.extract(plain, folder, filter="data")
            except tarfile.FilterError as error:
                members.refuse(member.name, f"leaves the folder ({error})")
        while tar.fileobj is not None and tar.fileobj.read(1 << 20):
            pass  # read on to the compressor's checksum, which follows the end of the tar file
    # A link may lead through links that were extracted after it, so all targets are final only now.
    inside = os.path.realpath(folder)
    for path in folder.rglob("*"):
        if path.is_symlink() and os.path.commonpath([inside, os.path.realpath(path)]) != inside:
            members.refuse(path.relative_to(folder).as_posix(), "is a link that leaves the folder")


def _extract_zip(archive: Path, folder: Path, members: _Members) -> None:
    with zipfile.ZipFile(archive) as file:
        for member in file.infolist():
            # zipfile checks neither: members swallowed by a comment of corrupt length would silently be missing.
            if member.header_offset < 0 or b"PK\1\2" in member.comment:
                raise zipfile.BadZipFile("its list of members is corrupt")
            raw_name = member.orig_filename  # `filename` is already repaired
            if member.flag_bits & 0x1:
                members.refuse(raw_name, "is encrypted")
            if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                members.refuse(raw_name, "is a link or a device, which are not allowed in zip files")
            target = folder / members.accept(raw_name, "folder" if raw_name.endswith("/") else "file")
            if raw_name.endswith("/"):
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with file.open(member) as source, target.open("xb") as copy:
                shutil.copyfileobj(source, copy)
