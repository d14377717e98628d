"""What the networks of all detectors share: what goes in, what comes out, and the hyperparameters of their training.

A network is a `torch.nn.Module` whose forward pass takes windows of equal length, `waveforms` (b, n) at 16 kHz, and
returns an `Output`. Clips of other lengths never reach it: in training a clip is cropped at random, in tests it is
cut into windows whose scores are averaged, and a clip shorter than a window is repeated or padded to fill it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from src.models.contract import Config, check_choice, check_range
from src.utils.recipes import parse_recipe

if TYPE_CHECKING:
    import torch

BONA_FIDE = 1
"""Which logit is that of bona fide: classes are numbered as labels are, spoof 0 and bona fide 1."""
LOSSES = ("cross-entropy", "focal", "oc-softmax", "am-softmax", "contrastive")
SCHEDULES = ("linear", "cosine", "constant")
PADDINGS = ("repeat", "zeros")
PRECISIONS = ("fp32", "bf16")
QUANTIZATIONS = ("", "int8")


class Output(NamedTuple):
    """What a network makes of windows (b, n)."""

    logits: "torch.Tensor"
    """Shape (b, 2): spoof, bona fide."""
    embedding: "torch.Tensor"
    """Shape (b, e): what the last layer decides from; losses that compare clips look at it."""
    frame_logits: "torch.Tensor | None" = None
    """Shape (b, t, 2), of a network that decides frame by frame."""


@dataclass(frozen=True)
class DetectorConfig(Config):
    """Hyperparameters of the training of a detector; a detector adds those of its network, and may change defaults."""

    trials: ClassVar[int] = 10

    seconds: float = 4.0
    """Length of a window."""
    epochs: int = 30
    """At most."""
    batch_size: int = 16
    learning_rate: float = 1e-3
    """At its peak."""
    weight_decay: float = 1e-4
    warmup: float = 0.1
    """Part of all steps in which the learning rate rises to its peak."""
    schedule: str = "cosine"
    """How the learning rate falls from its peak: linear, cosine or constant (not at all)."""
    patience: int = 10
    """Epochs after the best one at which training stops."""
    loss: str = "cross-entropy"
    balance: bool = True
    """Both classes weigh the same in the loss, however many clips each has."""
    padding: str = "repeat"
    """How a clip shorter than a window fills it: "repeat" (end to end) or "zeros" (behind it)."""
    pre_emphasis: float = 0.0
    """Share of the sample before that is taken off each sample: 0.97 flattens the spectrum of speech; 0 = as it is."""
    even_level: bool = False
    """Every window is brought to the same level before the network sees it: level alone can give the class away."""
    augment: str = ""
    """How training windows are augmented: the name of a recipe, or one written out as JSON; empty for not at all."""
    noise_folder: str = ""
    """Folder of recordings of noise, for recipes that mix in some."""
    rooms_folder: str = ""
    """Folder of responses of rooms, for recipes that use some."""
    mask_seconds: float = 0.0
    """Longest stretch of a training window that is silenced at random; 0 = none."""
    sharpness: float = 0.0
    """Radius of sharpness-aware minimisation, in units of the weights; 0 = off. It doubles the cost of a step."""
    distillation: float = 0.5
    """Weight of a teacher's scores beside the labels, where there is a teacher."""
    precision: str = "fp32"
    """Of the training: fp32, or bf16 (autocast) on hardware that has it."""
    accumulate: int = 1
    """Batches whose gradients are summed before a step."""
    checkpointing: bool = False
    """Compute activations again in the backward pass, for memory; transformers and conformers can."""
    quantize: str = ""
    """Train with dense layers rounded to "int8", and keep them so; empty for not at all."""

    def __post_init__(self) -> None:
        check_range("seconds", self.seconds, 0.05, 600)
        check_range("epochs", self.epochs, 1, 100_000)
        check_range("batch_size", self.batch_size, 1, 100_000)
        check_range("learning_rate", self.learning_rate, 1e-8, 10)
        check_range("weight_decay", self.weight_decay, 0, 10)
        check_range("warmup", self.warmup, 0, 0.9)
        check_range("patience", self.patience, 1, 100_000)
        check_range("pre_emphasis", self.pre_emphasis, 0, 1)
        check_range("mask_seconds", self.mask_seconds, 0, 60)
        check_range("sharpness", self.sharpness, 0, 10)
        check_range("distillation", self.distillation, 0, 1)
        check_range("accumulate", self.accumulate, 1, 100_000)
        if self.sharpness and self.accumulate > 1:
            raise ValueError("`sharpness` and `accumulate` cannot be combined: give one of them.")
        check_choice("schedule", self.schedule, SCHEDULES)
        check_choice("loss", self.loss, LOSSES)
        check_choice("padding", self.padding, PADDINGS)
        check_choice("precision", self.precision, PRECISIONS)
        check_choice("quantize", self.quantize, QUANTIZATIONS)
        if self.augment:
            parse_recipe(self.augment)
        elif self.noise_folder or self.rooms_folder:
            raise ValueError("`noise_folder` and `rooms_folder` go with `augment`: name a recipe that mixes them in.")
