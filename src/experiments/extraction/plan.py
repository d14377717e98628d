"""Plan an extraction: the corpus is surveyed once, before any model is loaded, and every engine gets the plan.

The survey takes the fingerprint of each recording of the splits, in several threads, and reads the existing stores. It
reads the header of each clip that waits to be computed once, in several processes. The plan is small and can be
pickled: other processes and machines get paths, fingerprints and lengths, never sound.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from src.audio.storage.places import in_reading_order
from src.backbones import BACKBONES, identify_backbone
from src.backbones.clips import why_too_short
from src.experiments.corpus.fingerprints import take_fingerprints
from src.experiments.corpus.splits import read_split
from src.experiments.extraction.kept_lengths import lengths_of
from src.experiments.extraction.readers import Length
from src.experiments.extraction.requests import Request
from src.utils.dataset import check_dataset
from src.utils.embeddings import META, read_store_meta
from src.utils.files import read_record
from src.utils.registry import lookup
from src.utils.store_rows import read_rows, require_same_kind, waiting_clips


@dataclass(frozen=True)
class SplitPlan:
    """The work to do on one split."""

    folder: Path
    """Folder of its store."""
    split: str
    clips: pd.DataFrame
    """Its rows of the files table."""
    fingerprints: Mapping[str, str]
    """File -> fingerprint of its recording."""
    waiting: tuple[str, ...]
    """Files that have no row in the store and are not known to be unusable."""
    lengths: Mapping[str, Length] = field(default_factory=dict)
    """File -> length, of the waiting clips; if the work is shared, of all clips of a split with waiting ones."""
    damaged: tuple[int, ...] = ()
    """Rows of the store that are not what was written; all parts of the plan trust the others, so that a store is
    compared with its checksums once and not once for every part."""

    def samples(self, rate: int, min_samples: int) -> tuple[dict[str, int], dict[str, str]]:
        """Return file -> number of samples at `rate` for usable clips, and file -> reason for the others."""
        samples = {file: length.samples(rate) for file, length in self.lengths.items() if not length.reason}
        reasons = {file: length.reason for file, length in self.lengths.items() if length.reason}
        short = {file: why_too_short(count, rate, min_samples) for file, count in samples.items()}
        usable = {file: count for file, count in samples.items() if not short[file]}
        return usable, {**reasons, **{file: reason for file, reason in short.items() if reason}}


@dataclass(frozen=True)
class Plan:
    """The work to do on all splits of a request."""

    request: Request
    splits: tuple[SplitPlan, ...]
    root: Path
    """Embeddings lie in `<root>/embeddings`."""
    is_known_kind: bool
    """Whether the stores are known to be of the kind asked for, without loading the model."""

    @cached_property
    def n_waiting(self) -> int:
        """Number of clips that wait to be computed."""
        return sum(len(split.waiting) for split in self.splits)

    @property
    def needs_model(self) -> bool:
        """Whether clips are to be computed, or only the model can tell that none are."""
        return self.n_waiting > 0 or not self.is_known_kind

    def part(self, number: int, count: int, device: str) -> "Plan":
        """Return the plan of one of `count` workers that share the work, on a device."""
        return replace(self, request=replace(self.request, device=device, share=self.request.share.part(number, count)))


def make_plan(request: Request, *, root: Path) -> Plan:
    """Survey the splits of a request and their stores.

    Parameters
    ----------
    request : Request
    root : Path
        Embeddings lie in `<root>/embeddings`.

    Raises
    ------
    FileNotFoundError
        When the corpus, a split or a recording is missing.
    ValueError
        When a name is unknown, or a store holds embeddings of another kind or of other recordings.
    ChildProcessError
        When the system ends a process that reads recordings.
    """
    check_dataset(request.dataset)
    clips = {split: read_split(request.dataset, split) for split in request.splits}
    lookup(BACKBONES, request.backbone, "backbone")
    folders = {split: request.folder(root, split) for split in clips}
    known = identify_backbone(request.backbone, request.model, **request.options)
    wanted = {**(known or {}), **request.about()}
    kinds_fit = [_is_of_kind(folder, wanted) for folder in folders.values()]
    prints = take_fingerprints(request.dataset, [file for table in clips.values() for file in table["file"]])
    parts = []
    for split, table in clips.items():
        of_split = {file: prints[file] for file in table["file"]}
        waiting, damaged = _waiting(folders[split], of_split)
        parts.append(SplitPlan(folders[split], split, table, of_split, tuple(waiting), damaged=damaged))
    return Plan(request, _measured(parts, request), root, is_known_kind=known is not None and all(kinds_fit))


def _measured(parts: Sequence[SplitPlan], request: Request) -> tuple[SplitPlan, ...]:
    """Add the lengths of the clips to the split plans; every header is read once."""
    needed = [part.waiting if request.share.is_all or not part.waiting else tuple(part.fingerprints) for part in parts]
    prints = {file: taken for part in parts for file, taken in part.fingerprints.items()}
    files = in_reading_order(request.dataset, sorted({file for files in needed for file in files}))
    lengths = lengths_of(request.dataset, files, prints)
    return tuple(
        replace(part, lengths={file: lengths[file] for file in files})
        for part, files in zip(parts, needed, strict=True)
    )


def _is_of_kind(folder: Path, wanted: Mapping[str, Any]) -> bool:
    """Return whether there is a store; raise ValueError when it is of another kind than wanted."""
    if not (folder / META).is_file():
        return False
    require_same_kind(folder, read_record(folder / META), wanted)
    return True


def _waiting(folder: Path, fingerprints: Mapping[str, str]) -> tuple[list[str], tuple[int, ...]]:
    """Return the clips that a store does not have yet, and the numbers of its damaged rows."""
    if not (folder / META).is_file():
        return list(fingerprints), ()
    meta = read_store_meta(folder)
    rows = read_rows(folder, meta.layers, meta.row_bytes)
    return waiting_clips(folder, rows.fingerprints, fingerprints), rows.damaged
