"""The request and the result of an extraction: records that can be sent to other processes and machines."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from src.backbones.clips import WINDOW_SECONDS
from src.utils.dataset import REJECTED_TABLE
from src.utils.paths import embeddings_folder, split_of_copies

T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """How much sound the model processes at once."""

    batch_seconds: float | None = None
    """Seconds of sound of a batch, padding included; None = the backbone's default."""
    window_seconds: float = WINDOW_SECONDS
    """Clips of more seconds are computed in windows of at most this length."""

    def __post_init__(self) -> None:
        if self.batch_seconds is not None and not 0 < self.batch_seconds < np.inf:
            raise ValueError(f"`batch_seconds` must be above 0 (left out: automatic), not {self.batch_seconds:g}.")
        if not 1 <= self.window_seconds < np.inf:
            raise ValueError(f"`max_seconds` must be 1 or more, not {self.window_seconds:g}.")


@dataclass(frozen=True)
class Share:
    """A part of the work, such as the second of three; or a part of a part, for the GPUs of one of three machines."""

    parts: tuple[tuple[int, int], ...] = ()
    """Number (from 0) and count, from the coarsest to the finest; empty for all of the work."""

    def __post_init__(self) -> None:
        for number, count in self.parts:
            if count < 1:
                raise ValueError(f"`num_shards` must be 1 or more, not {count}.")
            if not 0 <= number < count:
                raise ValueError(f"`shard` must lie in 0 to {count - 1} for `num_shards={count}`, not {number}.")

    @property
    def name(self) -> str:
        """The share's name, fit to be part of a file's name."""
        return "-".join(f"{number}-of-{count}" for number, count in self.parts if count > 1) or "all"

    @property
    def is_all(self) -> bool:
        """Whether this share is all of the work."""
        return self.name == "all"

    @property
    def is_first(self) -> bool:
        """Whether this share is the one that speaks for all of them."""
        return all(number == 0 for number, _ in self.parts)

    def part(self, number: int, count: int) -> "Share":
        """Return one of `count` equal parts of this share."""
        return Share((*self.parts, (number, count)))

    def of(self, items: Sequence[T]) -> list[T]:
        """Return the items that belong to this share."""
        items = list(items)
        for number, count in self.parts:
            items = items[number::count]
        return items


@dataclass(frozen=True)
class CopiesOf:
    """Of which corpus, and how, the clips of a request are augmented copies."""

    dataset: Path
    """The corpus of the originals, beside whose stores those of the copies lie."""
    augment: str
    """The recipe, as stores are named after it."""
    number: int
    """From 1; every clip has one copy of each number."""
    seed: int

    def about(self) -> dict[str, Any]:
        """Return what a store of copies says of itself beside its model."""
        return {"augment": self.augment, "copy": self.number, "seed": self.seed}


@dataclass(frozen=True)
class Request:
    """Which splits of a corpus to extract, and with what."""

    dataset: Path
    splits: Sequence[str]
    backbone: str
    model: str | None = None
    """Hub id, local folder or random:base; None = the backbone's default."""
    device: str = "auto"
    precision: str = "auto"
    layers: str | None = None
    """Such as "0-6" or "0,3,6"; None = all."""
    limits: Limits = Limits()
    share: Share = Share()
    window: str | None = None
    """`own` = each clip in a window of its own length, where the backbone has a choice; None = its default."""
    patience: float = 0.0
    """Seconds to wait for another process that writes the same share; it may be on a machine that was lost."""
    copies: CopiesOf | None = None
    """Where `dataset` holds augmented copies of another corpus."""

    @property
    def owner(self) -> Path:
        """The corpus in whose folder of embeddings the stores lie."""
        return self.copies.dataset if self.copies else self.dataset

    def folder(self, root: Path, split: str) -> Path:
        """Return the folder of the store of a split, below `<root>/embeddings`."""
        name = split_of_copies(split, self.copies.augment, self.copies.number) if self.copies else split
        return embeddings_folder(root, self.owner, self.backbone, name)

    def about(self) -> dict[str, Any]:
        """Return what a store says of itself beside what the backbone says."""
        return {"max_seconds": self.limits.window_seconds, **(self.copies.about() if self.copies else {})}

    @property
    def options(self) -> dict[str, Any]:
        """What `load_backbone` and `identify_backbone` take beside backbone and model."""
        return {"device": self.device, "precision": self.precision, "layers": self.layers, "window": self.window}


@dataclass(frozen=True)
class Extraction:
    """The result of an extraction of one split."""

    folder: Path
    n_clips: int | None
    """Clips in the finished store; None while other shares are missing."""
    n_computed: int
    """Clips computed by this call; the store had the others."""
    n_rejected: int
    seconds: float = 0.0
    """Wall-clock seconds that it took."""
    waited: float = 0.0
    """Seconds of these in which the model waited for recordings."""

    def __str__(self) -> str:
        left_out = f"; {self.n_rejected} clips left out, see {REJECTED_TABLE}" if self.n_rejected else ""
        if self.n_clips is None:
            return (
                f"{self.n_computed} clips computed into {self.folder}; it is complete once every other shard is "
                "written (and this one again, if clips were added meanwhile)"
            )
        return f"{self.n_clips} clips in {self.folder}, {self.n_computed} of them computed now{left_out}"
