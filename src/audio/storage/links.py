"""Recordings that lie in storage over a network: a link in the corpus folder stands for each of them.

    <corpus>/source.json                        where they come from, and how much may be kept here
    <corpus>/real_voices/Ana_F001/1.flac    ->  ../../.fetched/3f/3f0c...e1-81920.flac
    <corpus>/.fetched/                          what was fetched so far; may be a link to a faster disk

A link leads to where its recording is put when it is first read; until then it leads nowhere. Its name holds a digest
of what the storage's listing says (path, size and etag) and the size, so that a plan needs no network, and an object
that changed since it was listed is another link. git-annex keeps large files in this manner.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

FETCHED, SOURCE = ".fetched", "source.json"
_TARGET = re.compile(rf"(?P<up>(\.\./)*){re.escape(FETCHED)}/(?P<name>\w\w/(?P<digest>\w{{16}})-(?P<size>\d+)[^/]*)")


@dataclass(frozen=True)
class Link:
    """A recording that is fetched when it is first read."""

    path: Path
    """Of the link."""
    corpus: Path
    """Folder of the corpus, which holds `source.json`."""
    name: str
    """Of the file in the cache."""
    digest: str
    """Of what the listing of the storage says of the object."""
    size: int
    """Of the object, in bytes."""
    member: str = ""
    """Where the object is a tar: the member that is meant."""

    @property
    def key(self) -> str:
        """Path of the object below the source's URL."""
        return self.path.relative_to(self.corpus).as_posix()

    @property
    def target(self) -> str:
        """Where the link leads."""
        return f"{'../' * self.key.count('/')}{FETCHED}/{self.name}"

    @property
    def fingerprint(self) -> str:
        """What changes when the object changes, known without reading it."""
        if not self.member:
            return self.digest
        return hashlib.blake2b(f"{self.digest} {self.member}".encode(), digest_size=8).hexdigest()


def read_link(path: Path) -> Link | None:
    """Return what a symbolic link stands for; None where it is a link of another kind.

    >>> import tempfile
    >>> corpus = Path(tempfile.mkdtemp())
    >>> (corpus / "a").mkdir()
    >>> (corpus / "a" / "1.flac").symlink_to(link_target("a/1.flac", 9, "etag"))
    >>> link = read_link(corpus / "a" / "1.flac")
    >>> link.key, link.size, link.corpus == corpus
    ('a/1.flac', 9, True)
    """
    found = _TARGET.fullmatch(str(path.readlink()))
    if found is None:
        return None
    steps = found["up"].count("/")
    path = path if steps < len(path.parents) else path.absolute()  # named from within the corpus
    corpus = path.parents[steps]
    return Link(path, corpus, found["name"], found["digest"], int(found["size"]))


def link_target(key: str, size: int, tag: str) -> str:
    """Return where the link of an object leads.

    Parameters
    ----------
    key : str
        Path of the object below the source's URL.
    size : int
        In bytes.
    tag : str
        Its etag, or the time of its last change.
    """
    digest = hashlib.blake2b(f"{key}\n{size}\n{tag}".encode(), digest_size=8).hexdigest()
    suffix = Path(key).suffix
    return f"{'../' * key.count('/')}{FETCHED}/{digest[:2]}/{digest}-{size}{suffix}"
