"""The embeddings that trainings and tests read: made sure to be of this split, these recordings and one model.

What a store was computed from may have changed since: another split, other recordings under the same names, another
model. Each is refused in a line that says what to do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from src.backbones import BACKBONES
from src.experiments.corpus.splits import read_split
from src.utils.embedding_store import changed_recordings, split_digest
from src.utils.embeddings import EmbeddingTable, describe_layers, load_embeddings, read_meta
from src.utils.labels import LABEL_NAMES
from src.utils.paths import embeddings_folder


@dataclass(frozen=True)
class TrainingData:
    """Embeddings to learn from and to choose by, and what their stores say about themselves."""

    train: EmbeddingTable
    val: EmbeddingTable
    metas: Mapping[str, Any]
    """Split -> what its store says."""


def read_training_data(root: Path, dataset: Path, backbone: str, layer: int, pooling: str) -> TrainingData:
    """Read the embeddings of training and validation.

    Raises
    ------
    ValueError
        When one of them holds a single class, or they are of different models or layers.
    """
    splits = ("downstream_train", "downstream_val")
    tables = [read_split_embeddings(root, dataset, backbone, split, layer, pooling) for split in splits]
    for split, (table, _) in zip(splits, tables, strict=True):
        require_both_classes(table, split)
    (train, train_meta), (val, val_meta) = tables
    require_same_model(train_meta, val_meta, "The embeddings of downstream_train and downstream_val")
    there = [describe_layers(meta["layers"]) for meta in (train_meta, val_meta)]
    if there[0] != there[1]:  # the last layer of one would not be that of the other
        raise ValueError(
            f"The embeddings of downstream_train hold the layers {there[0]}, those of downstream_val {there[1]}: "
            "make both with the same --layers."
        )
    return TrainingData(train, val, dict(zip(splits, (train_meta, val_meta), strict=True)))


def identity_of(metas: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return, split by split, what tells these embeddings from any others: model, precision, recordings, split."""
    keys = ("digest", "precision", "corpus_digest", "split_digest")
    return {split: {key: meta[key] for key in keys} for split, meta in metas.items()}


def require_same_model(one: Mapping[str, Any], other: Mapping[str, Any], what: str) -> None:
    """Raise ValueError when two stores were computed by different models or at different precision."""
    for key in ("model", "digest", "precision"):
        if one.get(key) != other.get(key):
            raise ValueError(
                f"{what} are of different models ({key} {one.get(key)} and {other.get(key)}): "
                "make both with the same --model and --precision."
            )


def require_unchanged_recordings(root: Path, dataset: Path, backbone: str, *splits: str) -> None:
    """Raise ValueError when recordings are no longer those from which the embeddings of these splits were computed."""
    for split in splits:
        split_meta(root, dataset, backbone, split)
        folder = embeddings_folder(root, dataset, backbone, split)
        changed = changed_recordings(dataset, folder)
        if changed:
            raise ValueError(
                f"{len(changed)} recordings of {dataset} are not those that {folder} was computed from "
                f"(first: {changed[0]}): delete that folder and run fab GenerateEmbeddings, or rename the corpus."
            )


def read_split_embeddings(
    root: Path, dataset: Path, backbone: str, split: str, layer: int = -1, pooling: str = "mean", gender: str = ""
) -> tuple[EmbeddingTable, dict[str, Any]]:
    """Read the embeddings of a split, made sure that they are those of the split as it is now, and their meta data."""
    meta = split_meta(root, dataset, backbone, split)
    return load_embeddings(embeddings_folder(root, dataset, backbone, split), layer, pooling, gender), meta


def split_meta(root: Path, dataset: Path, backbone: str, split: str) -> dict[str, Any]:
    """Return what the store of a split says about itself.

    Raises
    ------
    ValueError
        When the backbone is unknown, or the split was changed after its embeddings were made.
    FileNotFoundError
        When the split or its embeddings were not made.
    """
    if backbone not in BACKBONES:
        given = f"Unknown backbone '{backbone}'" if backbone else "No backbone given (--backbone=)"
        raise ValueError(f"{given}; allowed: {', '.join(BACKBONES)}.")
    clips = read_split(dataset, split)
    meta = read_meta(embeddings_folder(root, dataset, backbone, split))
    if meta.get("split_digest") != split_digest(clips):
        raise ValueError(
            f"The split {split} of {dataset} was changed after its embeddings were made: "
            f"run fab GenerateEmbeddings --backbone={backbone} --splits={split} (finished clips are skipped)."
        )
    return meta


def require_both_classes(table: EmbeddingTable, name: str) -> None:
    """Raise ValueError when a table holds clips of one class only."""
    if len(np.unique(table.labels)) < 2:
        raise ValueError(f"{name} holds only {LABEL_NAMES[int(table.labels[0])]} clips; both classes are needed.")


def people_in(table: EmbeddingTable) -> list[str]:
    """Return the people of a table, sorted."""
    return sorted(set(map(str, table.speakers)))
