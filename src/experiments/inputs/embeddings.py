"""Embeddings as the input of a model: one layer of a backbone's store, checked against split and recordings.

What a store was computed from may have changed since: another split, other recordings under the same names, another
model. Each is an error that says what to do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from src.backbones import BACKBONES
from src.experiments.corpus.splits import read_split
from src.experiments.inputs.contract import TRAIN
from src.utils.embedding_store import changed_recordings, split_digest
from src.utils.embeddings import IDENTITY as MODEL
from src.utils.embeddings import (
    POOLINGS,
    EmbeddingTable,
    StoreMeta,
    describe_layers,
    load_embeddings,
    read_meta,
    resolve_layer,
)
from src.utils.paths import embeddings_folder, noted_path, on
from src.utils.registry import require_known

if TYPE_CHECKING:
    import optuna

IDENTITY = ("digest", "precision", "corpus_digest", "split_digest")
SEARCHED_POOLINGS = ("mean", "mean+std")


@dataclass(frozen=True)
class Embeddings:
    """One hidden layer of a backbone, pooled over time."""

    kind: ClassVar[str] = "embeddings"
    keys: ClassVar[tuple[str, ...]] = ("backbone", "model", "layer", "pooling")
    same: ClassVar[tuple[str, ...]] = (*MODEL, "corpus_digest", "split_digest")

    backbone: str
    layer: int | None = -1
    """Counted from the end where it is negative; None = a study chooses."""
    pooling: str | None = "mean"
    """Mean, std or mean+std; None = a study chooses."""

    def __post_init__(self) -> None:
        require_known(BACKBONES, self.backbone, "backbone")
        if self.pooling is not None:
            require_known(POOLINGS, self.pooling, "pooling")

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read the input back from a run's hyperparameters."""
        return cls(values["backbone"], values["layer"], values["pooling"])

    def as_json(self) -> dict[str, Any]:
        """Return its fields; None where a study chooses."""
        return {"backbone": self.backbone, "layer": self.layer, "pooling": self.pooling}

    def completed(self, values: Mapping[str, Any], source: Path | None) -> Self:
        """Fill in layer and pooling where they are left open, else with the last layer and the mean."""
        if values.get("backbone", self.backbone) != self.backbone:
            raise ValueError(f"{source} is of the backbone {values['backbone']}, not {self.backbone}.")
        layer = values.get("layer", -1)
        if type(layer) is not int:  # true is an int as well
            raise ValueError(f"Hyperparameter layer must be a whole number, not {layer!r}.")
        pooling = self.pooling or str(values.get("pooling", "mean"))
        return replace(self, layer=layer if self.layer is None else self.layer, pooling=pooling)

    def open(self, dataset: Path, root: Path) -> "OpenEmbeddings":
        """Open the store of a corpus below `<root>/embeddings`."""
        return OpenEmbeddings(self, dataset, root)

    def require_like(self, before: Mapping[str, Any], now: Mapping[str, Any], what: str) -> None:
        """Raise ValueError when two stores were computed by different models or at different precision."""
        for key in MODEL:
            if before.get(key) != now.get(key):
                raise ValueError(
                    f"{what} are of different models ({key} {before.get(key)} and {now.get(key)}): "
                    "make both with the same `model` and `precision`."
                )


class OpenEmbeddings:
    """The embeddings of a corpus, as `Embeddings` asks for them."""

    def __init__(self, asked: Embeddings, dataset: Path, root: Path) -> None:
        self.asked, self.dataset = asked, dataset
        self._root = root
        self._metas: dict[str, StoreMeta] = {}

    @property
    def noted_path(self) -> str:
        """The folder of the corpus as provenance keeps it: relative to the project where it lies inside."""
        return noted_path(self._root, self.dataset)

    def check(self, *splits: str) -> None:
        """Raise ValueError when recordings have changed since, or the splits are of different models or layers."""
        self._metas.clear()
        for split in splits:
            _require_one_store(splits[0], self.meta(splits[0]), split, self.meta(split))
            self.asked.require_like(
                self.origin(splits[0]), self.origin(split), f"The embeddings of {splits[0]} and {split}"
            )
            folder = self._folder(split)
            changed = changed_recordings(self.dataset, folder)
            if changed:
                raise ValueError(
                    f"{len(changed)} recordings of {self.dataset} are not those that {folder} was computed from "
                    f"(first: {changed[0]}): delete that folder and run "
                    f"fab GenerateEmbeddings --backbone={self.asked.backbone}{on(self.dataset)}, or rename the corpus."
                )

    def read(self, split: str, gender: str | None = None) -> EmbeddingTable:
        """Return the clips of a split with their vectors, or those of one gender (F or M)."""
        self.meta(split)
        layer = -1 if self.asked.layer is None else self.asked.layer
        return load_embeddings(self._folder(split), layer, self.asked.pooling or "mean", gender)

    def origin(self, split: str) -> dict[str, Any]:
        """Return what the store of a split says about itself, as provenance keeps it; raises as `meta` does."""
        return self.meta(split).as_json()

    def meta(self, split: str) -> StoreMeta:
        """Return what the store of a split says about itself, read and checked once.

        Raises
        ------
        ValueError
            When the split was changed after its embeddings were made.
        FileNotFoundError
            When the split or its embeddings were not made.
        """
        if split in self._metas:
            return self._metas[split]
        clips = read_split(self.dataset, split)
        meta = read_meta(self._folder(split), self.dataset)
        if meta.split_digest != split_digest(clips):
            raise ValueError(
                f"The split {split} of {self.dataset} was changed after its embeddings were made: "
                f"run fab GenerateEmbeddings --backbone={self.asked.backbone} --splits={split}"
                f"{on(self.dataset)} (finished clips are skipped)."
            )
        self._metas[split] = meta
        return meta

    def identity(self, *splits: str) -> dict[str, dict[str, Any]]:
        """Return, split by split, what identifies these embeddings: model, precision, recordings, split."""
        origins = {split: self.origin(split) for split in splits}
        return {split: {key: meta[key] for key in IDENTITY} for split, meta in origins.items()}

    def suggest(self, trial: "optuna.Trial") -> Embeddings:
        """Let a trial choose layer and pooling, where they were left open."""
        layer, pooling = self.asked.layer, self.asked.pooling
        if layer is None:
            layer = _suggest_layer(trial, self.layers)
        if pooling is None:
            pooling = str(trial.suggest_categorical("pooling", SEARCHED_POOLINGS))
        return replace(self.asked, layer=layer, pooling=pooling)

    def describe(self) -> dict[str, Any]:
        """Return backbone, model, layer (counted from the start) and pooling."""
        layer = -1 if self.asked.layer is None else self.asked.layer
        return {
            "backbone": self.asked.backbone,
            "model": self.meta(TRAIN).model,
            "layer": resolve_layer(layer, self.layers),
            "pooling": self.asked.pooling or "mean",
        }

    @property
    def layers(self) -> list[int]:
        """The hidden layers that the store of the training split holds."""
        return list(self.meta(TRAIN).layers)

    def _folder(self, split: str) -> Path:
        return embeddings_folder(self._root, self.dataset, self.asked.backbone, split)


def _require_one_store(one: str, of_one: StoreMeta, other: str, of_other: StoreMeta) -> None:
    """Raise ValueError when two splits hold different layers: "the last layer" would mean two."""
    there = [describe_layers(meta.layers) for meta in (of_one, of_other)]
    if there[0] != there[1]:
        raise ValueError(
            f"The embeddings of {one} hold the layers {there[0]}, those of {other} {there[1]}: "
            "make both with the same `layers`."
        )


def _suggest_layer(trial: "optuna.Trial", layers: Sequence[int]) -> int:
    """Draw one of the layers that the store holds."""
    if len(layers) == 1:
        return layers[0]
    if list(layers) == list(range(layers[0], layers[-1] + 1)):
        return trial.suggest_int("layer", layers[0], layers[-1])
    return int(trial.suggest_categorical("layer", list(layers)))
