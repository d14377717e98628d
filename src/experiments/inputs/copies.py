"""The embeddings of augmented copies of a training split, which `fab GenerateEmbeddings --augment=...` makes.

They lie in stores of their own beside that of the split, one for each number of copy, and their recordings in
`embeddings/<corpus>/copies/`. A training reads them in addition to the clips of its split; validation and tests never
do. Copies of other recordings, or of another split, than the split holds now are refused.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from src.audio.augment.built_in import RECIPES
from src.experiments.inputs.contract import TRAIN
from src.experiments.inputs.embeddings import CLIPS, Embeddings
from src.experiments.inputs.open_embeddings import OpenEmbeddings
from src.experiments.inputs.stores import BackboneStores
from src.utils.embeddings import INDEX, StoreMeta
from src.utils.files import read_record
from src.utils.paths import COPIES, copies_folder, corpus_folder, embeddings_folder, on, split_of_copies
from src.utils.recipes import name_of

NOTE = "recipe.json"
"""In the folder of the recordings: of which originals they are copies."""


class CopyStores(BackboneStores):
    """The embeddings of the copies of one number of the training clips, by one backbone."""

    def __init__(self, owner: Path, root: Path, backbone: str, augment: str, number: int) -> None:
        super().__init__(copies_folder(root, owner, TRAIN, augment, number), root, backbone)
        self.owner, self.augment, self.number_of_copy = owner, augment, number

    def folder(self, split: str) -> Path:
        """Return the folder of the store of the copies of a split."""
        name = split_of_copies(split, self.augment, self.number_of_copy)
        return embeddings_folder(self._root, self.owner, self.backbone, name)

    def meta(self, split: str) -> StoreMeta:
        """Return what the store of the copies says about itself; raises as `BackboneStores.meta` does."""
        if not (self.dataset / NOTE).is_file() or not (self.folder(split) / INDEX).is_file():
            raise FileNotFoundError(
                f"There are no finished embeddings {self.folder(split)}: make them with {self._how(split)}."
            )
        return super().meta(split)

    def require_copies_of(self, split: str, originals: Mapping[str, Any]) -> None:
        """Raise ValueError when they are not copies of the recordings and rows that a split holds now."""
        note = read_record(self.dataset / NOTE, *CLIPS)
        if any(note[key] != originals.get(key) for key in CLIPS):
            raise ValueError(
                f"The augmented copies {self.dataset} are not of the recordings that {split} of {self.owner} holds "
                f"now: delete that folder and {self.folder(split)}, and run {self._how(split)}."
            )

    def _how(self, split: str) -> str:
        recipe = "RECIPE.json" if self.augment not in RECIPES else self.augment
        return (
            f"fab GenerateEmbeddings --backbone={self.backbone} --splits={split} --augment={recipe} "
            f"--copies={self.number_of_copy}{on(self.owner)}"
        )


class OpenCopies(OpenEmbeddings):
    """The embeddings of the copies of one number, as an input asks for those of their originals."""

    def __init__(self, asked: Embeddings, dataset: Path, root: Path, number: int) -> None:
        super().__init__(replace(asked, augment="", copies=0), dataset, root)
        self._copies = [
            CopyStores(dataset, root, backbone, name_of(asked.augment), number) for backbone in asked.backbones
        ]
        self._stores = list[BackboneStores](self._copies)

    def require_copies_of(self, originals: OpenEmbeddings) -> None:
        """Raise ValueError when they are of another model than their originals' embeddings, or of other recordings."""
        what = f"The embeddings of {TRAIN} and those of its augmented copies"
        self.asked.require_like(originals.origin(TRAIN), self.origin(TRAIN), what)
        for store in self._copies:
            store.require_copies_of(TRAIN, originals.origin(TRAIN))

    def identity(self, *splits: str) -> dict[str, dict[str, Any]]:
        """Return what identifies these embeddings: recipe, number and seed beside what `OpenEmbeddings` says."""
        found = super().identity(*splits)
        for split, about in found.items():
            record = self._copies[0].meta(split).record
            about.update({key: record.get(key) for key in ("augment", "copy", "seed")})
        return found


def open_copies(asked: Embeddings, dataset: Path, root: Path) -> list[OpenCopies]:
    """Open the augmented copies that an input asks for: as many as it says, or all there are.

    Raises
    ------
    FileNotFoundError
        When there are none.
    """
    folder, count = corpus_folder(root, dataset) / COPIES, asked.copies
    while not asked.copies and (folder / split_of_copies(TRAIN, name_of(asked.augment), count + 1)).is_dir():
        count += 1
    return [OpenCopies(asked, dataset, root, number) for number in range(1, max(count, 1) + 1)]
