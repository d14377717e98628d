"""What the encoders of fine-tuned detectors share: a pretrained model, and which parts of it are trained.

An encoder is a model's transformer with what stands below it. A family adds how windows become the model's input and
which modules are its features; `encoder.py` is for models on waveforms, `whisper_encoder.py` for Whisper.

In training, spans of frames can be masked as in pretraining (SpecAugment, Park et al. 2019). Layers are never dropped:
which ones are trained would otherwise depend on chance, and every layer has its place in a learnt mix.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.functional import max_pool1d, pad

from src.detectors.freezing import Trained, trained_parts
from src.detectors.pruning import Block, Kept

MASKED_SPAN = 10
"""Frames in a span that is masked, 0.2 s, as in the pretraining of wav2vec 2.0 and HuBERT."""

Hidden = Sequence[torch.Tensor]
"""Hidden states of all layers, each (b, t, d)."""


@dataclass(frozen=True)
class Source:
    """The model that an encoder is made of."""

    model: Any
    """transformers' own class of it, a torch.nn.Module."""
    normalise: bool
    """Whether each waveform is brought to zero mean and unit variance."""
    digest: str
    """What identifies its weights; "" where nothing does."""
    name: str = ""
    """Its hub id, or the name of its folder."""


class PretrainedEncoder(nn.Module):
    """A pretrained model on windows (b, n) at 16 kHz; its forward pass is the family's.

    Parameters
    ----------
    source : Source
    mask_frames : float
        About what share of the frames is masked in training.
    """

    min_samples: int
    frame_seconds: float
    """Time from one frame to the next, in seconds."""

    def __init__(self, source: Source, *, mask_frames: float = 0.0) -> None:
        super().__init__()
        config = source.model.config
        self.model, self.source, self.mask_frames = source.model, source, mask_frames
        self.dimension, self.n_layers = config.hidden_size, config.num_hidden_layers
        self.kept: list[Kept] = []
        """What pruning left of each layer; empty where nothing was pruned."""
        self.train_only(trained_parts("none", self.n_layers))

    def features(self) -> list[nn.Module]:
        """Return the modules below the transformer that `freeze` calls features: the convolutions."""
        raise NotImplementedError

    def layers(self) -> list[nn.Module]:
        """Return the transformer layers, the lowest first."""
        raise NotImplementedError

    def blocks(self) -> list[Block]:
        """Return what may be pruned of each layer."""
        raise NotImplementedError

    def keep_layers_for(self, hidden_state: int) -> None:
        """Drop the layers above one that is the last to be looked at: they would only cost time.

        Hidden state k is what enters layer k, so that layer stays: what leaves the last layer may be normalised.
        """
        self._set_layers(self.layers()[: hidden_state + 1])
        self.n_layers = len(self.layers())

    def _set_layers(self, layers: list[nn.Module]) -> None:
        raise NotImplementedError

    def never_trained(self) -> Iterator[nn.Parameter]:
        """Yield parameters that stay as they are whatever is trained."""
        yield from ()

    def checkpoint_activations(self) -> None:
        """Compute activations again in the backward pass, in place of keeping them."""
        enable = getattr(self.model, "activation_checkpointing_enable", None)  # transformers 5's name for it
        (enable or self.model.gradient_checkpointing_enable)({"use_reentrant": False})

    def parameters_of(self, trained: Trained) -> list[nn.Parameter]:
        """Return the parameters of the parts named."""
        features = {id(each) for module in self.features() for each in module.parameters()}
        layers = {id(each) for layer in self._top_layers(trained) for each in layer.parameters()}
        unused = set(map(id, self.never_trained()))
        chosen = []
        for each in self.model.parameters():
            part = trained.features if id(each) in features else trained.stem or id(each) in layers
            if part and id(each) not in unused:
                chosen.append(each)
        return chosen

    def train_only(self, trained: Trained) -> None:
        """Train the parts named, from now on; freeze the others and keep them in evaluation mode."""
        self._trained = trained
        self.model.requires_grad_(False)
        for parameter in self.parameters_of(trained):
            parameter.requires_grad_(True)
        self.train(self.training)

    def train(self, mode: bool = True) -> "PretrainedEncoder":
        """Set the mode of the parts that are trained; frozen ones stay in evaluation mode."""
        super().train(mode)
        if mode and not self._trained.stem:
            self.model.eval()
            for layer in self._top_layers(self._trained):
                layer.train()
        if mode and not self._trained.features:
            for module in self.features():
                module.eval()
        return self

    def forward(
        self, waveforms: torch.Tensor, lengths: torch.Tensor | None = None
    ) -> tuple[Hidden, torch.Tensor | None]:
        """Return the hidden states of all layers, and which frames are valid.

        Parameters
        ----------
        waveforms : torch.Tensor, shape (b, n)
            At 16 kHz.
        lengths : torch.Tensor, shape (b,), optional
            Valid samples of each window, zeros follow them; None when all are valid.

        Returns
        -------
        hidden : sequence of L + 1 torch.Tensor, shape (b, t, d)
            The first enters the transformer, the last leaves it.
        valid : torch.Tensor, shape (b, t), bool, or None
            None when all frames are valid.

        Raises
        ------
        ValueError
            When the window is too short for a frame, or longer than the model takes.
        """
        raise NotImplementedError

    def masked_frames(self, n_clips: int, n_frames: int, device: torch.device) -> torch.Tensor | None:
        """Draw which frames of a training batch are masked, (b, t), bool; None where none are."""
        if not (self.training and self.mask_frames and self._trained.layers):
            return None
        return draw_spans(self.mask_frames, n_clips, n_frames, device)

    def _top_layers(self, trained: Trained) -> list[nn.Module]:
        return self.layers()[self.n_layers - trained.layers :]


def first_of_rows(lengths: Sequence[int], width: int, device: torch.device) -> torch.Tensor:
    """Return which elements of rows of a width are among the first `lengths` of their row, shape (b, width), bool.

    >>> first_of_rows([1, 2], 3, torch.device("cpu")).tolist()
    [[True, False, False], [True, True, False]]
    """
    return torch.arange(width, device=device) < torch.tensor(lengths, device=device)[:, None]


def draw_spans(share: float, n_clips: int, n_frames: int, device: torch.device) -> torch.Tensor:
    """Draw spans of frames to mask, about `share` of all frames: shape (b, t), bool."""
    starts = torch.rand(n_clips, 1, n_frames, device=device) < share / MASKED_SPAN
    return max_pool1d(pad(starts.float(), (MASKED_SPAN - 1, 0)), MASKED_SPAN, stride=1)[:, 0] > 0
