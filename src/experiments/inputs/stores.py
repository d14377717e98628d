"""The stores of one backbone for the splits of a corpus, checked against split and recordings.

What a store was computed from may have changed since: another split, other recordings under the same names, another
model. Each is an error that says what to do.
"""

from pathlib import Path

from src.experiments.corpus.splits import read_split
from src.utils.embedding_store import changed_recordings, split_digest
from src.utils.embeddings import (
    EmbeddingTable,
    StoreMeta,
    describe_layers,
    load_embeddings,
    read_meta,
    resolve_layer,
)
from src.utils.paths import embeddings_folder, on
from src.utils.wide_tables import load_all_layers


class BackboneStores:
    """The embeddings of a corpus by one backbone."""

    def __init__(self, dataset: Path, root: Path, backbone: str) -> None:
        self.dataset, self.backbone = dataset, backbone
        self._root = root
        self._metas: dict[str, StoreMeta] = {}

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
        meta = read_meta(self.folder(split), self.dataset)
        if meta.split_digest != split_digest(clips):
            raise ValueError(
                f"The split {split} of {self.dataset} was changed after its embeddings were made: "
                f"run fab GenerateEmbeddings --backbone={self.backbone} --splits={split}"
                f"{on(self.dataset)} (finished clips are skipped)."
            )
        self._metas[split] = meta
        return meta

    def forget(self) -> None:
        """Read what the stores say again when it is asked for."""
        self._metas.clear()

    def require_unchanged(self, split: str) -> None:
        """Raise ValueError when recordings are not those that the store of a split was computed from."""
        folder = self.folder(split)
        changed = changed_recordings(self.dataset, folder)
        if changed:
            raise ValueError(
                f"{len(changed)} recordings of {self.dataset} are not those that {folder} was computed from "
                f"(first: {changed[0]}): delete that folder and run "
                f"fab GenerateEmbeddings --backbone={self.backbone}{on(self.dataset)}, or rename the corpus."
            )

    def require_same_layers(self, one: str, other: str) -> None:
        """Raise ValueError when two splits hold different layers: "the last layer" would mean two."""
        there = [describe_layers(self.meta(split).layers) for split in (one, other)]
        if there[0] != there[1]:
            raise ValueError(
                f"The embeddings of {one} hold the layers {there[0]}, those of {other} {there[1]}: "
                "make both with the same `layers`."
            )

    def read(self, split: str, layer: int | None, pooling: str) -> EmbeddingTable:
        """Return the clips of a split with one layer (None = all of them)."""
        self.meta(split)
        if layer is None:
            return load_all_layers(self.folder(split), pooling)
        return load_embeddings(self.folder(split), layer, pooling)

    def number(self, split: str, layer: int) -> int:
        """Return the number of a layer that may be counted from the end."""
        return resolve_layer(layer, self.meta(split).layers)

    def folder(self, split: str) -> Path:
        """Return the folder of the store of a split."""
        return embeddings_folder(self._root, self.dataset, self.backbone, split)
