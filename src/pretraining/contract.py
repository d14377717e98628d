"""What every objective of pretraining offers, and the settings of a pretraining.

A step sees crops of recordings, all equally long, twice: `clean`, as recorded, and `heard`, which may be augmented (the
same as `clean` where it is not). The encoder hears, with some frames masked; what it is to find out about these follows
from `clean`. Everything random about a step, its masks and whatever an objective `draw`s, comes from seed and step by
NumPy, so that a pretraining that was interrupted sees what it would have seen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import nn

from src.models.contract import Config, check_choice, check_range
from src.pretraining import OBJECTIVES
from src.utils.recipes import parse_recipe

if TYPE_CHECKING:
    from src.pretraining.encoders import PretrainingEncoder

FRONT_ENDS = ("", "conv", "mel")
SIZES = ("", "tiny", "small", "base")
SCHEDULES = ("linear", "cosine", "constant")
PRECISIONS = ("fp32", "bf16")
LEAST_UNITS, MOST_UNITS = 4, 100_000
"""Of fewer units a perplexity of 2.5, below which a pretraining has collapsed, could hardly be reached."""
LOOK_FOR_SILENCE = "Look for silence in the recordings (fab DatasetInfo); if there is none"


@dataclass(frozen=True)
class PretrainingConfig(Config):
    """Settings of a pretraining; where 0 or "" is the default, the value is chosen when it begins (`completed`)."""

    objective: str = "wav2vec2"
    front_end: str = ""
    """What makes frames: "conv" (convolutions on the waveform) or "mel" (log-mel); default mel, or the model's."""
    size: str = ""
    """Of a new encoder: "tiny" (4 layers of 216), "small" (4 layers of 256; default) or "base" (as published)."""
    model: str = ""
    """Hub id or folder of the model that is carried on; empty to begin with random weights."""
    teacher: str = ""
    """Folder of the model whose layers give the units of hubert, or that distill follows."""
    teacher_layer: int = -1
    """Which hidden layer of the teacher; -1 is its last, and for distill three: a third, two thirds and all the way."""
    steps: int = 0
    """How often weights change; 0 = as many as `hours_seen` asks for."""
    hours_seen: float = 1.0
    """Hours of speech, each crop counted every time it is seen."""
    batch_seconds: float = 16.0
    """Seconds of audio in a batch, on each device: small, as a budget of a few hours is few steps of large ones."""
    crop_seconds: float = 4.0
    """Longest stretch of a recording that is seen at once."""
    learning_rate: float = 0.0
    """At its peak; 0 = 0.0005, or 0.00005 for a model that is carried on."""
    layer_decay: float = 0.0
    """Factor on the learning rate from each layer to the one below it; 0 = 1, or 0.9 for a model carried on."""
    warmup: float = 0.08
    """Part of all steps in which the learning rate rises to its peak."""
    schedule: str = "linear"
    """How the learning rate falls from its peak: linear, cosine or constant (not at all)."""
    weight_decay: float = 0.01
    patience: int = 5
    """Validations after the best one, by the loss on held-out speech, at which the training stops."""
    validations: int = 20
    """How often the loss on held-out speech is measured."""
    precision: str = "fp32"
    """Of the training: fp32, or bf16 (autocast) on hardware that has it."""
    accumulate: int = 1
    """Batches whose gradients are summed before a step."""
    augment: str = ""
    """Recipe by which what is heard is augmented, by name or as JSON; empty for not at all."""
    noise_folder: str = ""
    rooms_folder: str = ""
    mask_share: float = 0.0
    """Share of frames that are masked, about; 0 = the objective's."""
    mask_span: int = 0
    """Frames in a masked span; 0 = the objective's."""
    units: int = 0
    """How many units an objective tells apart (wav2vec2: in each of its groups); 0 = the objective's."""
    mel_weight: float = 0.0
    """Weight of the reconstruction of log-mel spectra beside the objective; 0 = none."""

    def __post_init__(self) -> None:
        check_choice("objective", self.objective, tuple(OBJECTIVES))
        check_choice("front_end", self.front_end, FRONT_ENDS)
        check_choice("size", self.size, SIZES)
        check_choice("schedule", self.schedule, SCHEDULES)
        check_choice("precision", self.precision, PRECISIONS)
        check_range("steps", self.steps, 0, 100_000_000)
        check_range("hours_seen", self.hours_seen, 1e-4, 1e7)
        check_range("crop_seconds", self.crop_seconds, 1, 30)
        check_range("batch_seconds", self.batch_seconds, self.crop_seconds, 100_000)
        check_range("learning_rate", self.learning_rate, 0, 10)
        check_range("layer_decay", self.layer_decay, 0, 1)
        check_range("warmup", self.warmup, 0, 0.9)
        check_range("weight_decay", self.weight_decay, 0, 10)
        check_range("patience", self.patience, 1, 100_000)
        check_range("validations", self.validations, 1, 100_000)
        check_range("accumulate", self.accumulate, 1, 100_000)
        check_range("mask_share", self.mask_share, 0, 0.9)
        check_range("mask_span", self.mask_span, 0, 100)
        check_range("mel_weight", self.mel_weight, 0, 1000)
        if self.units and not LEAST_UNITS <= self.units <= MOST_UNITS:
            raise ValueError(
                f"`units` must be 0 (as many as suit the objective) or {LEAST_UNITS} to {MOST_UNITS}, not {self.units}."
            )
        if self.mel_weight and self.objective == "mel":
            raise ValueError("`mel_weight` goes with other objectives: mel is that reconstruction itself.")
        if self.augment:
            parse_recipe(self.augment)
        elif self.noise_folder or self.rooms_folder:
            raise ValueError("`noise_folder` and `rooms_folder` go with `augment`: name a recipe that mixes them in.")


class Objective(nn.Module):
    """What a pretraining minimises; it holds the encoder, and whatever else learns beside it."""

    mask_share: ClassVar[float] = 0.5
    """Share of frames that are masked, about, where the config leaves it open."""
    mask_span: ClassVar[int] = 10
    """Frames in a masked span; one stands for 20 ms."""

    def __init__(self, encoder: "PretrainingEncoder", config: PretrainingConfig) -> None:
        super().__init__()
        self.encoder, self.config = encoder, config

    def draw(self, rng: np.random.Generator, masks: np.ndarray) -> dict[str, np.ndarray]:
        """Return what else is drawn for a batch with these masks (b, t), such as negatives; by default nothing."""
        return {}

    def start(self, clips: Iterable[np.ndarray]) -> None:
        """Learn from some clips, each (n,) at 16 kHz, before the first step of a new pretraining; default: nothing."""

    def describe(self) -> dict[str, Any]:
        """Return what must be known of the model beside its settings, for its `pretraining.json`; default: nothing."""
        return {}

    def carry_on(self, name: str) -> None:
        """Take over what a public checkpoint holds beside the model itself; by default nothing is needed.

        Raises
        ------
        ValueError
            When it lacks what the objective cannot do without.
        """

    def start_step(self, step: int, n_steps: int) -> None:
        """Set what changes with the steps, such as a temperature; by default nothing does."""

    @property
    def remedy(self) -> str:
        """Return what to do where it has collapsed, in a sentence; by default what it is asked by is fixed."""
        return (
            "What it is asked by does not depend on what it learns: look for silence, or for a few recordings that are "
            "all alike (fab DatasetInfo)."
        )

    def worst_loss(self, start: float) -> float:
        """Return the loss on held-out speech from which weights are no gain on those of the start, whose loss is given.

        By default that of the start itself: its targets are the same throughout.
        """
        return start

    def forward(
        self, heard: torch.Tensor, clean: torch.Tensor, masks: torch.Tensor, **drawn: torch.Tensor
    ) -> dict[str, Any]:
        """Return the loss of a batch, and signs of health.

        Parameters
        ----------
        heard, clean : torch.Tensor, shape (b, n)
            Crops as the encoder hears them, and as they were recorded.
        masks : torch.Tensor of bool, shape (b, t)
            Frames that the encoder is not shown.
        **drawn : torch.Tensor
            What `draw` returned.

        Returns
        -------
        dict
            `loss`, a scalar; `signs`, name -> scalar: those of "loss_bits", "accuracy" (on masked frames), "chance"
            (accuracy by chance), "perplexity", "group_perplexity", "codes_used" (share) and "temperature" that the
            objective has; and `hidden`, the last hidden states (b, t, d), for what may stand beside it
            (`beside_mel.py`).
        """
        raise NotImplementedError


def own_weights(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return those weights of an objective that are not the model's: what `objective.safetensors` holds."""
    return {name: tensor for name, tensor in state.items() if not name.startswith(ENCODER_WEIGHTS)}


ENCODER_WEIGHTS = "encoder.model."
"""How the names of the model's weights begin in an objective; `save_pretrained` writes them."""
