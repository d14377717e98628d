"""The storage that recordings are fetched from: any that fsspec has a driver for, such as S3 (`s3://bucket/corpus`).

Credentials, endpoints and regions come from where the storage's own programs look (`AWS_ACCESS_KEY_ID`, `AWS_PROFILE`,
`AWS_ENDPOINT_URL`, `~/.aws/`, `FSSPEC_S3_ANON=true` for public buckets); they are in no table, log or note of ours, and
a URL that holds one is refused. What fails becomes one line here, whatever library it comes from.
"""

import errno
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from src.audio.storage.cache import Cache
from src.audio.storage.links import FETCHED, SOURCE, Link, link_target

PAUSES = (1.0, 5.0)
"""Seconds before an object is asked for again."""
TAGS = ("ETag", "etag", "md5Hash", "content_md5", "LastModified", "last_modified", "updated", "mtime", "created")
"""What storages call what changes with an object, the surest first."""
DRIVERS = "a driver is missing: pip install -e '.[cloud]' installs that of S3, pip install gcsfs that of Google (gs://)"


@dataclass(frozen=True)
class Source:
    """Where the recordings of a corpus lie, and how much of them may be kept here."""

    url: str
    cache_gb: float = 100.0
    """In 10^9 bytes."""

    def __post_init__(self) -> None:
        driver, _, place = self.url.partition("://")
        if not driver or not place.strip("/"):
            raise ValueError(f"`source` must be a URL such as s3://bucket/corpus, not '{self.url}'.")
        if "@" in place.partition("/")[0] or "?" in place:
            raise ValueError(
                "`source` must not hold credentials or a query: leave them to the storage's own settings, such as "
                "AWS_ACCESS_KEY_ID or AWS_PROFILE."
            )
        if not self.cache_gb > 0:
            raise ValueError(f"`cache_gb` must be above 0 GB, not {self.cache_gb:g}.")

    def objects(self) -> dict[str, tuple[int, str]]:
        """Return the objects below the URL: path -> size in bytes and tag.

        Raises
        ------
        ValueError
            When there is no driver for the URL, or it is that of an object.
        OSError
            When the storage cannot be reached or read, or holds nothing there.
        """
        with in_one_line(self.url):
            files, folder = _connect(self.url)
            files.invalidate_cache()
            found = files.find(folder, detail=True)
            start = len(folder.rstrip("/")) + 1
            listed = {name[start:]: _size_and_tag(files, name, about) for name, about in found.items()}
        if "" in listed:
            raise ValueError(f"`source` must be a folder, and {self.url} is one object: name the folder above it.")
        if not listed:
            raise FileNotFoundError(f"{self.url} holds nothing: is the bucket or folder spelled so?")
        return listed

    def fetch(self, key: str, target: Path, listed: str) -> None:
        """Copy an object to a file; try again where the connection is lost.

        Parameters
        ----------
        key : str
            Path of the object below the URL.
        target : Path
        listed : str
            Where the link of the object as it was listed leads, which tells whether it has changed.

        Raises
        ------
        OSError
            When it cannot be reached or read, changed since it was listed, or the disk is full.
        """
        url = f"{self.url.rstrip('/')}/{key}"
        for pause in (*PAUSES, None):
            try:
                with in_one_line(url):
                    files, folder = _connect(self.url)
                    name = f"{folder.rstrip('/')}/{key}"
                    size, tag = _size_and_tag(files, name, files.info(name))
                    is_same = link_target(key, size, tag) == listed
                    if is_same:
                        files.get_file(name, str(target))
                        _require_whole(target, size)
                break
            except ConnectionError:
                if pause is None:
                    raise
                time.sleep(pause)
        if not is_same:
            raise OSError(f"{url} changed since it was listed: run GenerateDatasetCSV with `source={self.url}` again.")

    def as_json(self) -> dict[str, Any]:
        """Return what `read_source` reads."""
        return asdict(self)


def read_source(corpus: Path) -> Source:
    """Read where the recordings of a corpus come from.

    Raises
    ------
    FileNotFoundError
        When the folder has no `source.json`, though its recordings are links.
    ValueError
        When it cannot be read.
    """
    path = corpus / SOURCE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Source(values["url"], values["cache_gb"])
    except FileNotFoundError:
        raise FileNotFoundError(
            f"There is no {path}, which says where the recordings of the corpus are fetched from: make it with fab "
            "GenerateDatasetCSV and its `source`."
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # no JSON, or of another kind
        raise ValueError(f"{path} is damaged ({error}): run GenerateDatasetCSV with `source` again.") from None


def fetched(link: Link) -> Path:
    """Return the file that a link leads to, once it is there; it stays while this process uses it."""
    source, cache = _opened(link.corpus)
    return cache.get(link.name, link.size, lambda target: source.fetch(link.key, target, link.target))


@lru_cache(maxsize=8)
def _opened(corpus: Path) -> tuple[Source, Cache]:
    source = read_source(corpus)
    return source, Cache(corpus / FETCHED, int(source.cache_gb * 1e9))


def _connect(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path within it."""
    from fsspec.core import url_to_fs

    found: tuple[Any, str] = url_to_fs(url)
    return found


def _require_whole(file: Path, size: int) -> None:
    """Raise OSError where fewer bytes came than the storage has."""
    if file.stat().st_size != size:
        raise OSError(f"{file.stat().st_size} of {size} bytes came")


def _size_and_tag(files: Any, name: str, about: dict[str, Any]) -> tuple[int, str]:
    if about.get("size") is None:  # a web server's listing has names alone
        about = files.info(name)
    tag = next((about[tag] for tag in TAGS if about.get(tag)), "")
    tag = tag.timestamp() if isinstance(tag, datetime) else tag
    return int(about["size"] or 0), f"{tag:.3f}" if isinstance(tag, float) else str(tag)


@contextmanager
def in_one_line(url: str) -> Iterator[None]:
    """Turn what a driver raises into an OSError, or a ValueError for a URL that no driver reads; one line each."""
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no {url}: was it removed, or is the bucket or folder spelled so?") from None
    except ImportError as error:
        raise ValueError(f"{url} cannot be read, {DRIVERS} ({_said(error)}).") from None
    except PermissionError as error:
        raise PermissionError(f"{url} must not be read with the credentials that are set ({_said(error)}).") from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise _lost(url, error) from None
    except ValueError as error:
        raise ValueError(f"{url} cannot be read ({_said(error)}).") from None
    except Exception as error:  # botocore, aiohttp and others have errors of their own
        kind = type(error).__name__.lower()
        if any(word in kind for word in ("credential", "token", "profile")):
            raise PermissionError(f"{url} cannot be read without credentials ({_said(error)}).") from None
        if "validation" in kind:  # a bucket cannot be called so
            raise ValueError(f"{url} cannot be read ({_said(error)}).") from None
        raise _lost(url, error) from None


def _lost(url: str, error: Exception) -> ConnectionError:
    return ConnectionError(f"{url} cannot be reached ({_said(error)}): run the same command again; work done is kept.")


def _said(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
