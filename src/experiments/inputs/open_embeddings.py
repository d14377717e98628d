"""The embeddings of a corpus, as `Embeddings` asks for them: read out of stores and checked against each other."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.experiments.inputs.choices import MIX, layers_in, poolings_in, suggest_layer, suggest_mix, suggest_pooling
from src.experiments.inputs.contract import TRAIN
from src.experiments.inputs.embeddings import CLIPS, COPIES, WINDOW, Embeddings
from src.experiments.inputs.stores import BackboneStores
from src.utils.embeddings import IDENTITY as MODEL
from src.utils.embeddings import EmbeddingTable, StoreMeta
from src.utils.paths import noted_path
from src.utils.wide_tables import join_tables

if TYPE_CHECKING:
    import optuna

    from src.experiments.inputs.copies import OpenCopies

IDENTITY = ("digest", "precision", "corpus_digest", "split_digest")
MOST_MIXED = 2_000_000_000
"""Bytes of all layers, both statistics, of the training clips up to which a study tries the mix of layers by itself."""


class OpenEmbeddings:
    """The embeddings of a corpus, as `Embeddings` asks for them."""

    def __init__(self, asked: Embeddings, dataset: Path, root: Path) -> None:
        self.asked, self.dataset = asked, dataset
        self._root = root
        self._stores = [BackboneStores(dataset, root, backbone) for backbone in asked.backbones]

    @property
    def noted_path(self) -> str:
        """The folder of the corpus as provenance keeps it: relative to the project where it lies inside."""
        return noted_path(self._root, self.dataset)

    def check(self, *splits: str) -> None:
        """Raise ValueError when recordings have changed since, or the splits are of different models or layers."""
        for store in self._stores:
            store.forget()
        for split in splits:
            for store in self._stores:
                store.require_same_layers(splits[0], split)
            self.asked.require_like(
                self.origin(splits[0]), self.origin(split), f"The embeddings of {splits[0]} and {split}"
            )
            for store in self._stores:
                store.require_unchanged(split)
        for copies in self.copies() if TRAIN in splits else ():
            copies.check(TRAIN)
            copies.require_copies_of(self)

    def copies(self) -> "list[OpenCopies]":
        """Return the augmented copies of the training clips, opened, one for each number; none where none are asked."""
        from src.experiments.inputs.copies import open_copies

        return open_copies(self.asked, self.dataset, self._root) if self.asked.augment else []

    def read(self, split: str, gender: str | None = None) -> EmbeddingTable:
        """Return the clips of a split with their vectors, or those of one gender (F or M)."""
        n_stores, layer = len(self._stores), -1 if self.asked.layer is None else self.asked.layer
        layers: list[int | None] = [None] if layer == MIX else list(layers_in(layer, n_stores))
        poolings = poolings_in(self.asked.pooling or "mean", n_stores)
        tables = {
            store.backbone: store.read(split, number, pooling)
            for store, number, pooling in zip(self._stores, layers, poolings, strict=True)
        }
        return join_tables(tables, split).only(gender)

    def origin(self, split: str) -> dict[str, Any]:
        """Return what the stores of a split say about themselves, as provenance keeps it; raises as `meta` does.

        Of several backbones: model, digest and precision of each, joined by +, and below `stores` all that each says.
        """
        found = {store.backbone: store.meta(split).as_json() for store in self._stores}
        if len(found) == 1:
            return found[self.asked.backbone]
        first = found[self.asked.backbones[0]]
        for backbone, meta in found.items():
            if any(meta.get(key) != first.get(key) for key in CLIPS):
                raise ValueError(
                    f"The embeddings of {split} by {self.asked.backbones[0]} and {backbone} are of different "
                    "recordings: delete the older ones and run fab GenerateEmbeddings again."
                )
        keys = [*MODEL, *[WINDOW for meta in found.values() if WINDOW in meta][:1]]
        joined = {key: "+".join(str(meta.get(key, "")) for meta in found.values()) for key in keys}
        return {**joined, **{key: first.get(key) for key in CLIPS}, "stores": found}

    def meta(self, split: str) -> StoreMeta:
        """Return what the store of a split by the only backbone says about itself; raises as `BackboneStores.meta`."""
        if len(self._stores) > 1:
            raise ValueError(f"Name one `backbone`, not {len(self._stores)} ({self.asked.backbone}).")
        return self._stores[0].meta(split)

    def identity(self, *splits: str) -> dict[str, dict[str, Any]]:
        """Return, split by split, what identifies these embeddings: model, precision, window, recordings, split."""
        origins = {split: self.origin(split) for split in splits}
        keys = (*IDENTITY, WINDOW)
        found = {split: {key: meta[key] for key in keys if key in meta} for split, meta in origins.items()}
        if self.asked.augment and TRAIN in found:
            found[TRAIN][COPIES] = [copies.identity(TRAIN)[TRAIN] for copies in self.copies()]
        return found

    def suggest(self, trial: "optuna.Trial") -> Embeddings:
        """Let a trial choose layer and pooling, of each backbone, where they were left open."""
        layer, pooling = self.asked.layer, self.asked.pooling
        several = len(self._stores) > 1
        endings = [f"_{store.backbone}" if several else "" for store in self._stores]
        if layer is None and self._may_mix() and suggest_mix(trial):
            layer = MIX
        if layer is None:
            held = [store.meta(TRAIN).layers for store in self._stores]
            chosen = [
                suggest_layer(trial, *each) for each in zip(held, [f"layer{end}" for end in endings], strict=True)
            ]
            layer = "+".join(map(str, chosen)) if several else chosen[0]
        if pooling is None:
            pooling = ",".join(suggest_pooling(trial, f"pooling{end}") for end in endings)
        return replace(self.asked, layer=layer, pooling=pooling)

    def describe(self) -> dict[str, Any]:
        """Return backbone, model, layer (counted from the start) and pooling."""
        layer, n_stores = -1 if self.asked.layer is None else self.asked.layer, len(self._stores)
        if layer != MIX:
            asked = zip(self._stores, layers_in(layer, n_stores), strict=True)
            numbers = [store.number(TRAIN, number) for store, number in asked]
            layer = numbers[0] if n_stores == 1 else "+".join(map(str, numbers))
        return {
            "backbone": self.asked.backbone,
            "model": self.origin(TRAIN)["model"],
            "layer": layer,
            "pooling": self.asked.pooling or "mean",
            **self.asked.augmented(len(self.copies())),
        }

    def _may_mix(self) -> bool:
        """Tell whether a study may choose the mix: the classifier learns one, of layers that fit into memory."""
        if not self.asked.may_mix:
            return False
        meta = self.meta(TRAIN)
        n_rows = (meta.clips or 0) * (1 + len(self.copies()))
        return len(meta.layers) > 1 and len(meta.layers) * meta.row_bytes * n_rows <= MOST_MIXED
