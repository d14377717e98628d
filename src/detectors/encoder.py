"""The encoder of a fine-tuned detector on waveforms: the hidden states of all layers come out, differentiable.

It is the same pretrained model as the backbone of that name, and gives the same frames; but a backbone computes
statistics for a store, without gradients, and an encoder is trained with the head on top of it. Shapes: waveforms
(b, n) -> feature encoder (b, c, t) -> projection (b, t, d) -> L transformer layers -> L + 1 hidden states (b, t, d);
wav2vec2-base: 4 s = 64,000 samples, c = 512, t = 199, d = 768, L = 12.

A frame stands for 20 ms: frame i sees the samples [320 i, 320 i + 400), so it is the decision for the stretch
[i, i + 1) x `frame_seconds`, in whose middle its field of view lies (to 2.5 ms). The last stretch of a window has no
frame of its own where the field of view would reach beyond the end: 4 s are 199 frames, not 200.

Zeros behind a clip change its frames unless the network knows them (see `src/backbones/padding.py`). With `lengths`
the level, the normalisation over time of the first convolution, attention and convolutions over frames look at what is
valid only, and each clip gives the frames that it gives alone (in training, the batch normalisation of the conformer
sees the zeros). Without `lengths` all samples are valid.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from src.backbones.padding import ZeroedPadding, count_frames, samples_of_one_frame
from src.detectors.field_of_view import RATE, check_window
from src.detectors.pretrained_encoder import Hidden, PretrainedEncoder, Source, first_of_rows
from src.detectors.pruning import Block

NORMALISATION_EPSILON = 1e-7
MISMATCHED_MASKS = "Support for mismatched key_padding_mask"
"""What PyTorch warns of in WavLM's attention; of no effect."""


class Encoder(PretrainedEncoder):
    """A pretrained speech model on raw waveforms."""

    def __init__(self, source: Source, *, mask_frames: float = 0.0) -> None:
        _normalise_valid_frames_only(source.model)
        _mask_only_by_us(source.model)
        super().__init__(source, mask_frames=mask_frames)
        config = source.model.config
        self._kernels, self._strides = config.conv_kernel, config.conv_stride
        self.min_samples = samples_of_one_frame(self._kernels, self._strides)
        self.frame_seconds = math.prod(self._strides) / RATE
        self._zeroed = ZeroedPadding(self.model.encoder)

    def features(self) -> list[nn.Module]:
        """Return the feature encoder."""
        return [self.model.feature_extractor]

    def layers(self) -> list[nn.Module]:
        """Return the transformer layers."""
        return list(self.model.encoder.layers)

    def blocks(self) -> list[Block]:
        """Return the attention and the feed-forward matrices of each layer, of a backbone that is `PRUNABLE`."""
        layers: list[Any] = self.layers()
        return [
            Block(each.attention, each.feed_forward.intermediate_dense, each.feed_forward.output_dense)
            for each in layers
        ]

    def _set_layers(self, layers: list[nn.Module]) -> None:
        self.model.encoder.layers = nn.ModuleList(layers)

    def never_trained(self) -> Iterator[nn.Parameter]:
        """Yield what stands in the place of masked frames where none are masked."""
        if not self.mask_frames:
            yield self.model.masked_spec_embed

    def count_frames(self, n_samples: int) -> int:
        """Return how many frames so many samples give."""
        return count_frames(n_samples, self._kernels, self._strides)

    def checkpoint_activations(self) -> None:
        """Compute activations again in the backward pass, in place of keeping them."""
        super().checkpoint_activations()
        warnings.filterwarnings("ignore", MISMATCHED_MASKS)  # the backward pass runs outside of `forward`

    def forward(
        self, waveforms: torch.Tensor, lengths: torch.Tensor | None = None
    ) -> tuple[Hidden, torch.Tensor | None]:
        """Return the hidden states of all layers, and which frames are valid; the base class tells their shapes.

        Of a clip that is shorter than the field of view of one frame, so many zeros count as valid that it has a frame.
        """
        n_samples = waveforms.shape[1]
        check_window(waveforms, self.min_samples)
        samples = None if lengths is None else [max(int(n), self.min_samples) for n in lengths.tolist()]
        if samples is not None and min(samples) == n_samples:
            samples = None
        norm = _first_norm(self.model)
        if isinstance(norm, PaddedGroupNorm):
            norm.lengths = samples and [count_frames(n, self._kernels[:1], self._strides[:1]) for n in samples]
        valid_samples = None if samples is None else first_of_rows(samples, n_samples, waveforms.device)
        inputs = _normalise(waveforms, valid_samples) if self.source.normalise else waveforms
        n_frames = self.count_frames(n_samples)
        valid = None
        if samples is not None and self.count_frames(min(samples)) < n_frames:
            valid = first_of_rows([self.count_frames(n) for n in samples], n_frames, waveforms.device)
        self._zeroed.lengths = None if valid is None else valid.sum(dim=1)
        options: dict[str, Any] = {"attention_mask": None if valid is None else valid_samples}
        masked = self.masked_frames(waveforms.shape[0], n_frames, waveforms.device)
        if masked is not None:
            options["mask_time_indices"] = masked
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", MISMATCHED_MASKS)
            output = self.model(inputs, output_hidden_states=True, **options)
        # "layer" models end in a normalisation after their last layer
        return [*output.hidden_states[:-1], output.last_hidden_state], valid


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


def _normalise(waveforms: torch.Tensor, valid: torch.Tensor | None) -> torch.Tensor:
    """Bring the valid samples of each window to zero mean and unit variance; the others become zero."""
    if valid is None:
        valid = torch.ones_like(waveforms, dtype=torch.bool)
    counts = valid.sum(dim=1, keepdim=True)
    centred = (waveforms - (waveforms * valid).sum(dim=1, keepdim=True) / counts) * valid
    variance = centred.square().sum(dim=1, keepdim=True) / counts
    return centred / (variance + NORMALISATION_EPSILON).sqrt()
