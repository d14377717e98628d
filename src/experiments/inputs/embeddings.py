"""Embeddings as the input of a model: one layer of a backbone's store, all of them, or one of each of several.

Several backbones (`lfcc+hubert`) give one table: the vectors of a clip stand side by side, clips are joined by file,
and both stores must hold the same clips. Their numbers may differ in size by orders of magnitude, so classifiers
standardise each feature of such a table by the training clips, whatever their scaling says (`src/models/scaling.py`).
Mean and deviation are saved with the classifier, so that clips of another corpus are scaled as those it was trained on.

All layers (`layer` "mix") give vectors (n, layers, d) to a classifier that learns how much each layer counts. They take
layers times the memory of one: 4 bytes x clips x layers x d.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from src.experiments.inputs.choices import (
    MIX,
    Layer,
    backbones_in,
    check_pooling,
    layers_in,
    parse_layer,
    poolings_in,
    suggest_layer,
    suggest_mix,
    suggest_pooling,
)
from src.experiments.inputs.contract import TRAIN
from src.experiments.inputs.stores import BackboneStores
from src.models import mixes_layers, mixing_classifiers
from src.utils.embeddings import IDENTITY as MODEL
from src.utils.embeddings import EmbeddingTable, StoreMeta
from src.utils.paths import noted_path
from src.utils.wide_tables import join_tables

if TYPE_CHECKING:
    import optuna

IDENTITY = ("digest", "precision", "corpus_digest", "split_digest")
WINDOW = "window"
"""What the store of a backbone with several windows says beside that: whisper's numbers are others in each."""
CLIPS = ("corpus_digest", "split_digest")
"""What the stores of several backbones must agree on."""
MOST_MIXED = 2_000_000_000
"""Bytes of all layers, both statistics, of the training clips up to which a study tries the mix of layers by itself."""


@dataclass(frozen=True)
class Embeddings:
    """One hidden layer of a backbone, pooled over time; or of each of several; or all layers of one."""

    kind: ClassVar[str] = "embeddings"
    keys: ClassVar[tuple[str, ...]] = ("backbone", "model", "layer", "pooling")
    same: ClassVar[tuple[str, ...]] = (*MODEL, WINDOW, "corpus_digest", "split_digest")

    backbone: str
    """One, or several joined by +."""
    layer: Layer | None = -1
    """Counted from the end where it is negative; "mix" = all; "0+4" = one for each backbone; None = a study chooses."""
    pooling: str | None = "mean"
    """Mean, std or mean+std, one for all backbones or one for each, separated by commas; None = a study chooses."""
    may_mix: bool = field(default=False, compare=False, repr=False)
    """Whether a study that chooses the layer may choose the mix of all, as its classifier can learn one."""

    def __post_init__(self) -> None:
        n_backbones = len(backbones_in(self.backbone))
        if self.layer is not None:
            object.__setattr__(self, "layer", parse_layer(self.layer, n_backbones))
        if self.pooling is not None:
            check_pooling(self.pooling, n_backbones)

    @property
    def backbones(self) -> list[str]:
        """The backbones, in the order of their vectors."""
        return self.backbone.split("+")

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read the input back from a run's hyperparameters."""
        return cls(values["backbone"], values["layer"], values["pooling"])

    def as_json(self) -> dict[str, Any]:
        """Return its fields; None where a study chooses."""
        return {"backbone": self.backbone, "layer": self.layer, "pooling": self.pooling}

    def for_model(self, model: str) -> Self:
        """Return the input for a model of this name, with what a study may choose for it.

        Raises
        ------
        ValueError
            When it is a mix of layers and the model cannot learn one.
        """
        can_mix = mixes_layers(model)
        if self.layer == MIX and not can_mix:
            raise ValueError(
                f"{model} cannot learn a mix of layers (`layer=mix`): name one layer, or train "
                f"{' or '.join(mixing_classifiers())}."
            )
        return replace(self, may_mix=can_mix and len(self.backbones) == 1)

    def completed(self, values: Mapping[str, Any], source: Path | None) -> Self:
        """Fill in layer and pooling where they are left open, else with the last layer and the mean."""
        if values.get("backbone", self.backbone) != self.backbone:
            raise ValueError(f"{source} is of the backbone {values['backbone']}, not {self.backbone}.")
        layer = parse_layer(values.get("layer", -1), len(self.backbones), "Hyperparameter layer")
        pooling = self.pooling or str(values.get("pooling", "mean"))
        return replace(self, layer=layer if self.layer is None else self.layer, pooling=pooling)

    def open(self, dataset: Path, root: Path) -> "OpenEmbeddings":
        """Open the stores of a corpus below `<root>/embeddings`."""
        return OpenEmbeddings(self, dataset, root)

    def require_like(self, before: Mapping[str, Any], now: Mapping[str, Any], what: str) -> None:
        """Raise ValueError when two stores are of different models or precision, or a mix is of other layers."""
        for key in (*MODEL, WINDOW):
            if before.get(key) != now.get(key):
                wanted = f"`{WINDOW}`" if key == WINDOW else "`model` and `precision`"
                raise ValueError(
                    f"{what} are of different models ({key} {before.get(key)} and {now.get(key)}): "
                    f"make both with the same {wanted}."
                )
        if self.layer == MIX and before.get("layers") != now.get("layers"):
            raise ValueError(f"{what} hold different layers, which a mix needs: make both with the same `layers`.")


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
        return {split: {key: meta[key] for key in keys if key in meta} for split, meta in origins.items()}

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
        }

    def _may_mix(self) -> bool:
        """Tell whether a study may choose the mix: the classifier learns one, of layers that fit into memory."""
        if not self.asked.may_mix:
            return False
        meta = self.meta(TRAIN)
        return len(meta.layers) > 1 and len(meta.layers) * meta.row_bytes * (meta.clips or 0) <= MOST_MIXED
