"""Make the folder of a corpus whose recordings lie in storage over a network: links in their place, small files copied.

    fab GenerateDatasetCSV --source=s3://bucket/corpus --dataset=datasets/corpus --layout=asvspoof2019

The storage is listed once. Recordings and tars become links, which are fetched when they are first read (`links.py` in
`src/audio/storage/`); protocols, tables and what else lies beside them are copied now. So every layout reads the folder
as if the corpus lay in it. Run again, links follow what changed in the storage, and a file that is there is kept.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from src.audio.io import AUDIO_SUFFIXES
from src.audio.storage.links import FETCHED, SOURCE, link_target, read_link
from src.audio.storage.places import TAR
from src.audio.storage.source import Source, read_source
from src.corpora.passed_over import SYSTEM_FOLDERS, note_on
from src.utils.files import atomic_path, write_json

LARGEST = 2**26
"""Bytes of a file, 64 MiB, that is copied though it is neither a recording nor a tar."""


@dataclass(frozen=True)
class Linked:
    """The result of `link_corpus`."""

    source: Source
    n_recordings: int
    """Recordings and tars."""
    n_bytes: int
    """Of those."""
    notes: tuple[str, ...]
    """What was passed over, one sentence each."""

    def __str__(self) -> str:
        return (
            f"{self.n_recordings} recordings or tars ({self.n_bytes / 1e9:.3g} GB) of {self.source.url} are fetched "
            f"when they are first read; up to {self.source.cache_gb:g} GB of them are kept in {FETCHED}"
        )


def link_corpus(dataset: Path, source: Source) -> Linked:
    """Link the recordings of a source into a corpus folder, and copy what lies beside them.

    Raises
    ------
    ValueError
        When the folder holds recordings of another source, or there is no driver for this one.
    OSError
        When the storage cannot be reached or read, or the folder cannot be written.
    """
    if (dataset / SOURCE).is_file() and (before := read_source(dataset)).url != source.url:
        raise ValueError(f"{dataset} holds the recordings of {before.url}: choose another `dataset` for {source.url}.")
    listed = {key: about for key, about in source.objects().items() if about[0] or not key.endswith("/")}  # no folders
    fit = {key: about for key, about in listed.items() if _fits(key)}
    linked = {key: link_target(key, *about) for key, about in fit.items() if _is_linked(key)}
    others = {key: size for key, (size, _) in fit.items() if key not in linked}
    dataset.mkdir(parents=True, exist_ok=True)
    write_json(dataset / SOURCE, source.as_json())
    for folder in {key.rpartition("/")[0] for key in fit}:
        (dataset / folder).mkdir(parents=True, exist_ok=True)
    for key, target in linked.items():
        _link(dataset / key, target)
    _remove_links_but(dataset, linked)
    for key, size in others.items():
        if size <= LARGEST and not (dataset / key).exists():
            with atomic_path(dataset / key) as temporary:
                source.fetch(key, temporary, link_target(key, *listed[key]))
    large = [key for key, size in others.items() if size > LARGEST]
    unfit = [key for key in listed if key not in fit and key != SOURCE and not _is_hidden(key)]
    notes = [
        *note_on("Files of other kinds that are larger than 64 MiB, passed over", large),
        *note_on("Objects whose names cannot be those of files, passed over", unfit),
    ]
    return Linked(source, len(linked), sum(fit[key][0] for key in linked), tuple(notes))


def _is_hidden(key: str) -> bool:
    return any(step.startswith(".") or step in SYSTEM_FOLDERS for step in key.split("/"))


def _fits(key: str) -> bool:
    """Return whether an object can be a file of the corpus; what is hidden and our own note are not."""
    steps = key.split("/")
    return all(steps) and key != SOURCE and not _is_hidden(key) and "\\" not in key and "\0" not in key


def _is_linked(key: str) -> bool:
    return key.lower().endswith((*AUDIO_SUFFIXES, TAR))


def _link(place: Path, target: str) -> None:
    """Make a link; a file that is no link is the user's own and stays."""
    try:
        place.symlink_to(target)
    except FileExistsError:
        if not place.is_symlink() or str(place.readlink()) == target:
            return
        fresh = place.with_name(f".{place.name[:40]}.part")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(target)
        fresh.replace(place)


def _remove_links_but(dataset: Path, linked: Iterable[str]) -> None:
    """Remove our links to objects that are no longer listed."""
    kept = {os.path.join(dataset, key) for key in linked}  # noqa: PTH118 (there may be a million)
    for folder, folders, names in os.walk(dataset):
        folders[:] = [name for name in folders if name != FETCHED]
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118
            if path not in kept and os.path.islink(path) and read_link(Path(path)):  # noqa: PTH114
                Path(path).unlink()
