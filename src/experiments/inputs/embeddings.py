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
    parse_layer,
)
from src.models import mixes_layers, mixing_classifiers
from src.utils.embeddings import IDENTITY as MODEL
from src.utils.recipes import parse_recipe

if TYPE_CHECKING:
    from src.experiments.inputs.open_embeddings import OpenEmbeddings

WINDOW = "window"
"""What the store of a backbone with several windows says beside that: whisper's numbers are others in each."""
CLIPS = ("corpus_digest", "split_digest")
"""What the stores of several backbones must agree on."""
COPIES = "copies"
"""What the origin of a training split says of the augmented copies that are read with it."""


@dataclass(frozen=True)
class Embeddings:
    """One hidden layer of a backbone, pooled over time; or of each of several; or all layers of one."""

    kind: ClassVar[str] = "embeddings"
    keys: ClassVar[tuple[str, ...]] = ("backbone", "model", "layer", "pooling")
    optional_keys: ClassVar[tuple[str, ...]] = ("augment", "copies")
    """What it writes beside these where augmented copies are asked for."""
    same: ClassVar[tuple[str, ...]] = (*MODEL, WINDOW, "corpus_digest", "split_digest", COPIES)

    backbone: str
    """One, or several joined by +."""
    layer: Layer | None = -1
    """Counted from the end where it is negative; "mix" = all; "0+4" = one for each backbone; None = a study chooses."""
    pooling: str | None = "mean"
    """Mean, std or mean+std, one for all backbones or one for each, separated by commas; None = a study chooses."""
    augment: str = ""
    """The recipe of the augmented copies that training reads in addition; empty for none."""
    copies: int = 0
    """How many copies of each clip; 0 = all there are."""
    may_mix: bool = field(default=False, compare=False, repr=False)
    """Whether a study that chooses the layer may choose the mix of all, as its classifier can learn one."""

    def __post_init__(self) -> None:
        n_backbones = len(backbones_in(self.backbone))
        if self.layer is not None:
            object.__setattr__(self, "layer", parse_layer(self.layer, n_backbones))
        if self.pooling is not None:
            check_pooling(self.pooling, n_backbones)
        if self.augment:
            parse_recipe(self.augment)
        if self.copies < 0 or (self.copies and not self.augment):
            raise ValueError("`copies` goes with `augment`: how many augmented copies of each clip, 0 = all there are.")

    @property
    def backbones(self) -> list[str]:
        """The backbones, in the order of their vectors."""
        return self.backbone.split("+")

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read the input back from a run's hyperparameters."""
        copies = values.get("augment", ""), values.get("copies", 0)
        return cls(values["backbone"], values["layer"], values["pooling"], *copies)

    def as_json(self) -> dict[str, Any]:
        """Return its fields; None where a study chooses."""
        return {"backbone": self.backbone, "layer": self.layer, "pooling": self.pooling, **self.augmented(self.copies)}

    def augmented(self, copies: int) -> dict[str, Any]:
        """Return what its JSON says of augmented copies; that of an input without any says nothing."""
        return {"augment": self.augment, "copies": copies} if self.augment else {}

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
        augment, copies = self.augment, self.copies
        if not augment:
            augment, copies = str(values.get("augment", "")), copies or int(values.get("copies", 0))
        layer = layer if self.layer is None else self.layer
        return replace(self, layer=layer, pooling=pooling, augment=augment, copies=copies)

    def open(self, dataset: Path, root: Path) -> "OpenEmbeddings":
        """Open the stores of a corpus below `<root>/embeddings`."""
        from src.experiments.inputs.open_embeddings import OpenEmbeddings

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
