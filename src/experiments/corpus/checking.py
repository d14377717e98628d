"""Check a corpus and change nothing: what is missing, doubled, unlabelled, unreadable, or not as it was published.

A corpus is read in its layout; without one, its tables are compared with the folder. Findings are what a user should
put right or know before any work; notes only inform. What is checked:

missing       recordings that a protocol or table lists and the folder lacks
unlabelled    recordings that the folder holds and no protocol or table lists
doubled       by name: paths that differ in suffix, in upper and lower case or in Unicode form alone; derived corpora
              and other disks give them one name. By content: recordings of the same bytes.
unreadable    recordings that cannot be decoded, or hold silence, NaN or nothing
counts        clips of each official split beside those that the makers published
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from src.audio.io import load_waveform
from src.audio.storage.places import TAR, exists, locate, tar_of
from src.audio.storage.tars import read_index
from src.corpora import OFFICIAL, Finding, Listing
from src.corpora.passed_over import OWN_FOLDERS, SYSTEM_FOLDERS, is_recording, note_on
from src.corpora.reading import read_corpus
from src.experiments.corpus.catalogue import usable_or_reason
from src.experiments.corpus.notes import equal_recordings, people_notes
from src.utils.csv_tables import printable
from src.utils.dataset import FILES_TABLE, check_dataset, read_files, read_rejected
from src.utils.labels import BONAFIDE, LABEL_NAMES, SPOOF
from src.utils.parallel import map_clips
from src.utils.paths import on
from src.utils.people import composed

N_SHOWN = 3


@dataclass(frozen=True)
class CorpusCheck:
    """The result of `check_corpus`; `str()` gives the report."""

    dataset: Path
    n_clips: int
    findings: tuple[str, ...]
    """What is wrong, one sentence each."""
    notes: tuple[str, ...]
    """What else a user should know, one sentence each."""
    counts: pd.DataFrame
    """Columns split, published and found; no row where nothing was published."""
    heard: bool
    """Whether the recordings were decoded."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def __str__(self) -> str:
        checked = "" if self.heard else " (names and counts alone: no recording was read)"
        n_found = len(self.findings)
        verdict = "nothing is wrong" if self.is_clean else f"{n_found} {'finding' if n_found == 1 else 'findings'}"
        return "\n".join(
            [
                *([self.counts.to_string(index=False)] if len(self.counts) else []),
                *(f"Note: {note}" for note in self.notes),
                *(f"Finding: {finding}" for finding in self.findings),
                f"{self.n_clips} clips in {self.dataset}: {verdict}{checked}.",
            ]
        )


def check_corpus(
    dataset: Path,
    layout: str = "",
    options: Mapping[str, str] | None = None,
    *,
    jobs: int = 0,
    listen: bool = True,
) -> CorpusCheck:
    """Check a corpus, which is only read.

    Parameters
    ----------
    dataset : Path
    layout : str
        A name of `corpora.LAYOUTS`; "" = check the tables that were made.
    options : mapping of str to str
        Options of the layout.
    jobs : int
        Processes that decode recordings; 0 = all cores.
    listen : bool
        Whether recordings are read: decoded, and compared by content.

    Raises
    ------
    FileNotFoundError, ValueError
        When the corpus cannot be read in its layout, or has no tables.
    """
    listing = read_corpus(dataset, layout, options) if layout else _tables(dataset)
    files = listing.files
    named = files["file"].tolist()
    there = [file for file in named if exists(dataset / file)]
    findings: list[str] = [note for note in listing.notes if isinstance(note, Finding)]
    findings += _listed("are listed and missing", set(named) - set(there))
    findings += _doubled_names(named)
    if listen:
        findings += _doubled_contents(dataset, there)
        findings += _unreadable(dataset, there, jobs)
    counts = _counts(listing)
    for split, published, found in counts.itertuples(index=False):
        if published != found:
            findings.append(f"{split}: {found} clips (bona fide + spoof), where {published} were published.")
    notes = [note for note in listing.notes if not isinstance(note, Finding)] + people_notes(files)
    return CorpusCheck(dataset, len(files), tuple(findings), tuple(notes), counts, listen)


def _tables(dataset: Path) -> Listing:
    """Return what the tables of a corpus list, and what its folder holds besides."""
    check_dataset(dataset)
    if not (dataset / FILES_TABLE).is_file():
        raise FileNotFoundError(
            f"{dataset} has no {FILES_TABLE}: name its `layout`, or make its tables with fab GenerateDatasetCSV"
            f"{on(dataset)}."
        )
    files, rejected = read_files(dataset), read_rejected(dataset)
    listed = files["file"].tolist()
    unlisted = {*_recordings_below(dataset), *_recordings_beside(dataset, listed)} - set(listed) - rejected.keys()
    reasons = [f"{file}: {reason}" for file, reason in rejected.items()]
    notes = [
        *note_on("Recordings that no table lists, and which so have no label", sorted(unlisted), shown=N_SHOWN),
        *note_on("Recordings that an earlier step found unusable", reasons, shown=N_SHOWN),
    ]
    return Listing(files, tuple(map(Finding, notes)))


def _recordings_below(dataset: Path) -> Iterable[str]:
    for place, folders, names in os.walk(dataset):
        folder = Path(place)
        own = OWN_FOLDERS if folder == dataset else ()
        folders[:] = [name for name in folders if not name.startswith(".") and name not in (*SYSTEM_FOLDERS, *own)]
        yield from ((folder / name).relative_to(dataset).as_posix() for name in names if is_recording(folder / name))


def _recordings_beside(dataset: Path, files: Iterable[str]) -> Iterable[str]:
    """Yield all recordings of the tars in which some files lie."""
    for tar in dict.fromkeys(tar_of(dataset / file) for file in files if TAR in file):
        if tar is not None:
            paths = (tar / name for name, *_ in read_index(locate(tar).file).in_order())
            yield from (path.relative_to(dataset).as_posix() for path in paths if is_recording(path))


def _listed(what: str, files: Iterable[str]) -> list[str]:
    return note_on(f"Recordings that {what}", sorted(files), shown=N_SHOWN)


def _doubled_names(files: Sequence[str]) -> list[str]:
    """Find paths that become one where suffix, case or Unicode form do not count."""
    alike = defaultdict(list)
    for file in files:
        folder, slash, name = file.rpartition("/")
        stem = name.rpartition(".")[0] or name
        alike[composed(folder + slash + stem).casefold()].append(file)
    groups = [" = ".join(map(printable, group)) for group in alike.values() if len(group) > 1]
    return note_on("Recordings whose names differ in suffix, case or Unicode form alone", groups, shown=N_SHOWN)


def _doubled_contents(dataset: Path, files: Sequence[str]) -> list[str]:
    groups = equal_recordings(dataset, {file: file for file in files})
    return note_on("Recordings with the same content", [" = ".join(group) for group in groups], shown=N_SHOWN)


def _unreadable(dataset: Path, files: Sequence[str], jobs: int) -> list[str]:
    reasons = map_clips(_why_unusable, [dataset / file for file in files], jobs=jobs, description="recordings")
    found = [f"{printable(file)}: {reason}" for file, reason in zip(files, reasons, strict=True) if reason]
    return note_on("Recordings that cannot be used", found, shown=N_SHOWN)


def _why_unusable(path: Path) -> str:
    _, reason = usable_or_reason(load_waveform, path)
    return reason


def _counts(listing: Listing) -> pd.DataFrame:
    """Return the clips of each official split, as bona fide + spoof, beside the published ones."""
    files, rows = listing.files, []
    for split, published in listing.published.items():
        clips = files[files[OFFICIAL] == split] if split else files
        found = [int((clips["label"] == LABEL_NAMES[label]).sum()) for label in (BONAFIDE, SPOOF)]
        rows.append((split or "all", "{} + {}".format(*published), "{} + {}".format(*found)))
    return pd.DataFrame(rows, columns=["split", "published", "found"])
