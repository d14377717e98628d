"""The encoder of a fine-tuned detector: windows in, the hidden states of all layers out, differentiable.

It is the same pretrained model as the backbone of that name, and gives the same frames; but a backbone computes
statistics for a store, without gradients, and an encoder is trained with the head on top of it. Shapes: waveforms
(b, n) -> feature encoder (b, c, t) -> projection (b, t, d) -> L transformer layers -> L + 1 hidden states (b, t, d);
wav2vec2-base: 4 s = 64,000 samples, c = 512, t = 199, d = 768, L = 12.

A frame stands for 20 ms: frame i sees the samples [320 i, 320 i + 400), so it is the decision for the stretch
[i, i + 1) x `frame_seconds`, in whose middle its field of view lies (to 2.5 ms). The last stretch of a window has no
frame of its own where the field of view would reach beyond the end: 4 s are 199 frames, not 200.

Zeros behind a clip change its frames unless the network knows them (see `src/backbones/padding.py`). With `lengths`
the level, the normalisation over time of the first convolution and attention look at the valid samples only, and each
clip gives the frames that it gives alone. Without `lengths` all samples are valid.

In training, spans of frames can be masked as in pretraining (SpecAugment, Park et al. 2019). Layers are never dropped:
which ones are trained would otherwise depend on chance, and every layer has its place in a learnt mix.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.functional import max_pool1d, pad

from src.backbones.padding import count_frames, samples_of_one_frame
from src.detectors.field_of_view import RATE, check_window
from src.detectors.freezing import Trained, trained_parts

NORMALISATION_EPSILON = 1e-7
MASKED_SPAN = 10
"""Frames in a span that is masked, 0.2 s, as in the pretraining of wav2vec 2.0 and HuBERT."""
MISMATCHED_MASKS = "Support for mismatched key_padding_mask"
"""What PyTorch warns of in WavLM's attention; of no effect."""

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


class Encoder(nn.Module):
    """A pretrained speech model on raw waveforms.

    Parameters
    ----------
    source : Source
    mask_frames : float
        About what share of the frames is masked in training.

    Raises
    ------
    ValueError
        When the model does not take waveforms.
    """

    def __init__(self, source: Source, *, mask_frames: float = 0.0) -> None:
        super().__init__()
        config = source.model.config
        if not hasattr(config, "conv_kernel") or not hasattr(source.model, "feature_extractor"):
            raise ValueError(
                f"A model of the family {config.model_type} does not take waveforms and cannot be fine-tuned here; "
                "choose another `backbone`, such as wav2vec2."
            )
        self.model, self.source, self.mask_frames = source.model, source, mask_frames
        self.dimension, self.n_layers = config.hidden_size, config.num_hidden_layers
        self._kernels, self._strides = config.conv_kernel, config.conv_stride
        self.min_samples = samples_of_one_frame(self._kernels, self._strides)
        _normalise_valid_frames_only(self.model)
        _mask_only_by_us(self.model)
        self.train_only(trained_parts("none", self.n_layers))

    @property
    def frame_seconds(self) -> float:
        """Time from one frame to the next, in seconds."""
        samples = 1
        for stride in self._strides:
            samples *= stride
        return samples / RATE

    def count_frames(self, n_samples: int) -> int:
        """Return how many frames so many samples give."""
        return count_frames(n_samples, self._kernels, self._strides)

    def checkpoint_activations(self) -> None:
        """Compute activations again in the backward pass, in place of keeping them."""
        enable = getattr(self.model, "activation_checkpointing_enable", None)  # transformers 5's name for it
        (enable or self.model.gradient_checkpointing_enable)({"use_reentrant": False})
        warnings.filterwarnings("ignore", MISMATCHED_MASKS)  # the backward pass runs outside of `forward`

    def parameters_of(self, trained: Trained) -> list[nn.Parameter]:
        """Return the parameters of the parts named."""
        features = set(map(id, self.model.feature_extractor.parameters()))
        layers = {id(each) for layer in self._top_layers(trained) for each in layer.parameters()}
        unused = set() if self.mask_frames else {id(self.model.masked_spec_embed)}
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

    def train(self, mode: bool = True) -> "Encoder":
        """Set the mode of the parts that are trained; frozen ones stay in evaluation mode."""
        super().train(mode)
        if mode and not self._trained.stem:
            self.model.eval()
            for layer in self._top_layers(self._trained):
                layer.train()
        if mode and not self._trained.features:
            self.model.feature_extractor.eval()
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
            Valid samples of each window, zeros follow them; None when all are valid. Of a clip that is shorter than
            the field of view of one frame, so many zeros count as valid that it has a frame.

        Returns
        -------
        hidden : sequence of L + 1 torch.Tensor, shape (b, t, d)
            The first enters the transformer, the last leaves it.
        valid : torch.Tensor, shape (b, t), bool, or None
            None when all frames are valid.

        Raises
        ------
        ValueError
            When the window is shorter than the field of view of one frame.
        """
        n_samples = waveforms.shape[1]
        check_window(waveforms, self.min_samples)
        samples = None if lengths is None else [max(int(n), self.min_samples) for n in lengths.tolist()]
        if samples is not None and min(samples) == n_samples:
            samples = None
        norm = _first_norm(self.model)
        if isinstance(norm, PaddedGroupNorm):
            norm.lengths = samples and [count_frames(n, self._kernels[:1], self._strides[:1]) for n in samples]
        valid_samples = None if samples is None else _first(samples, waveforms)
        inputs = _normalise(waveforms, valid_samples) if self.source.normalise else waveforms
        n_frames = self.count_frames(n_samples)
        valid = None
        if samples is not None and self.count_frames(min(samples)) < n_frames:
            valid = _first([self.count_frames(n) for n in samples], waveforms.new_empty(len(waveforms), n_frames))
        options: dict[str, Any] = {"attention_mask": None if valid is None else valid_samples}
        if self.training and self.mask_frames and self._trained.layers:
            options["mask_time_indices"] = _draw_spans(self.mask_frames, len(waveforms), n_frames, waveforms.device)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", MISMATCHED_MASKS)
            output = self.model(inputs, output_hidden_states=True, **options)
        # "layer" models end in a normalisation after their last layer
        return [*output.hidden_states[:-1], output.last_hidden_state], valid

    def _top_layers(self, trained: Trained) -> list[nn.Module]:
        return list(self.model.encoder.layers)[self.n_layers - trained.layers :]


class PaddedGroupNorm(nn.GroupNorm):
    """A group normalisation over time that leaves padded frames out, differentiable; its weights keep their names."""

    lengths: Sequence[int] | None = None
    """Valid frames of each clip, set before each call; None where nothing is padded."""

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Normalise frames of shape (b, channels, t); those beyond a clip's length come back as they are."""
        if self.lengths is None:
            return super().forward(frames)
        normalised = [
            torch.cat([super(PaddedGroupNorm, self).forward(clip[:, :, :length]), clip[:, :, length:]], dim=2)
            for clip, length in zip(frames.split(1), self.lengths, strict=True)
        ]
        return torch.cat(normalised)


def _first_norm(model: Any) -> nn.Module | None:
    """Return what normalises the output of the first convolution, where the model has that."""
    return getattr(model.feature_extractor.conv_layers[0], "layer_norm", None)


def _normalise_valid_frames_only(model: Any) -> None:
    """Put a `PaddedGroupNorm` in the place of the normalisation over time, where the model has one."""
    norm = _first_norm(model)
    if isinstance(norm, nn.GroupNorm):
        padded = PaddedGroupNorm(norm.num_groups, norm.num_channels, norm.eps)
        padded.weight, padded.bias = norm.weight, norm.bias
        model.feature_extractor.conv_layers[0].layer_norm = padded


def _mask_only_by_us(model: Any) -> None:
    """Turn off what transformers draws in training: dropped layers, and masks that NumPy's global state decides."""
    model.config.layerdrop = model.config.mask_time_prob = model.config.mask_feature_prob = 0.0
    model.config.apply_spec_augment = True  # else the masks that we draw would be ignored
    if not hasattr(model, "masked_spec_embed"):
        model.masked_spec_embed = nn.Parameter(torch.zeros(model.config.hidden_size))


def _first(lengths: Sequence[int], rows: torch.Tensor) -> torch.Tensor:
    """Return which elements of rows (b, n) are among the first `lengths` of their row, shape (b, n), bool."""
    return torch.arange(rows.shape[1], device=rows.device) < torch.tensor(lengths, device=rows.device)[:, None]


def _normalise(waveforms: torch.Tensor, valid: torch.Tensor | None) -> torch.Tensor:
    """Bring the valid samples of each window to zero mean and unit variance; the others become zero."""
    if valid is None:
        valid = torch.ones_like(waveforms, dtype=torch.bool)
    counts = valid.sum(dim=1, keepdim=True)
    centred = (waveforms - (waveforms * valid).sum(dim=1, keepdim=True) / counts) * valid
    variance = centred.square().sum(dim=1, keepdim=True) / counts
    return centred / (variance + NORMALISATION_EPSILON).sqrt()


def _draw_spans(share: float, n_clips: int, n_frames: int, device: torch.device) -> torch.Tensor:
    """Draw spans of frames to mask, about `share` of all frames: shape (b, t), bool."""
    starts = torch.rand(n_clips, 1, n_frames, device=device) < share / MASKED_SPAN
    return max_pool1d(pad(starts.float(), (MASKED_SPAN - 1, 0)), MASKED_SPAN, stride=1)[:, 0] > 0
