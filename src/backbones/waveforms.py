"""The front end of models that take waveforms: wav2vec2, HuBERT, WavLM, UniSpeech-SAT, data2vec, Wav2Vec2-Conformer.

Convolutions turn the waveform into frames, 20 ms apart for all published models. Each clip is brought to zero mean and
unit variance where the model's preprocessor says so, then zeros are appended. `padding.py` says what makes a batch
exact: attention masks, one normalisation over valid frames only, and zeros before every convolution over frames.
"""

from collections.abc import Sequence

import numpy as np
import torch

from src.backbones.long_convolution import use_long_convolutions
from src.backbones.model_input import ModelInput, Prepared
from src.backbones.padding import ValidGroupNorm, ZeroedPadding, count_frames, samples_of_one_frame
from src.backbones.pretrained import Pretrained
from src.backbones.time_major import TimeMajorConvolutions
from src.utils.devices import counts_on

NORMALISATION_EPSILON = 1e-7


class WaveformInput(ModelInput):
    """Waveforms, shape (b, n), with the mask of their samples, shape (b, n), where numbers of frames differ."""

    def __init__(self, pretrained: Pretrained, device: torch.device, window: str = "") -> None:
        super().__init__(pretrained, device, window)
        self._normalise = pretrained.normalise
        self.normalisation = "zero mean, unit variance" if pretrained.normalise else "none"
        self._kernels, self._strides = self.config.conv_kernel, self.config.conv_stride
        self.min_samples = samples_of_one_frame(self._kernels, self._strides)
        self.numbers_a_second = self.rate / self._strides[0] * self.config.conv_dim[0]
        self._norm = self._normalise_valid_frames_only()
        self._zeroed = ZeroedPadding(self.model.encoder)
        self._convolutions: TimeMajorConvolutions | None = None

    def accelerate(self) -> None:
        """Compute the convolutions of waveforms by `TimeMajorConvolutions`, the positional one by `LongConvolution`."""
        self._convolutions = self.model.feature_extractor = TimeMajorConvolutions(self.model.feature_extractor)
        for convolution in use_long_convolutions(self.model.encoder):
            self._zeroed.watch(convolution)

    def prepare(self, waveforms: Sequence[np.ndarray]) -> Prepared:
        """Pad waveforms, normalised if the model needs it, with zeros at the end."""
        samples = [len(waveform) for waveform in waveforms]
        n_frames = [count_frames(n, self._kernels, self._strides) for n in samples]
        inputs = self._pad(waveforms, samples)
        mask = _valid(samples, inputs) if len(set(n_frames)) > 1 else None
        self._zeroed.lengths = None if mask is None else counts_on(self.device, n_frames)
        if self._convolutions is not None:
            self._convolutions.samples = samples
        elif self._norm is not None:
            first = [count_frames(n, self._kernels[:1], self._strides[:1]) for n in samples]
            self._norm.lengths = first if len(set(samples)) > 1 else None
        return Prepared(inputs, mask, n_frames)

    def _pad(self, waveforms: Sequence[np.ndarray], samples: Sequence[int]) -> torch.Tensor:
        batch = torch.zeros(len(samples), max(samples), pin_memory=self.device.type == "cuda")
        for row, waveform in zip(batch, waveforms, strict=True):
            row[: len(waveform)] = torch.from_numpy(np.asarray(waveform, dtype=np.float32))
        batch = batch.to(self.device, non_blocking=True)
        if not self._normalise:
            return batch
        counts = counts_on(self.device, samples)[:, None]
        centred = batch - batch.sum(dim=1, keepdim=True) / counts
        if len(set(samples)) > 1:
            centred *= _valid(samples, batch)
        variance = centred.square().sum(dim=1, keepdim=True) / counts
        return centred / (variance + NORMALISATION_EPSILON).sqrt()

    def _normalise_valid_frames_only(self) -> ValidGroupNorm | None:
        """Replace the normalisation over time by `ValidGroupNorm`, where the model has one."""
        first = self.model.feature_extractor.conv_layers[0]
        if not isinstance(getattr(first, "layer_norm", None), torch.nn.GroupNorm):
            return None
        first.layer_norm = ValidGroupNorm(first.layer_norm)
        return first.layer_norm


def _valid(samples: Sequence[int], batch: torch.Tensor) -> torch.Tensor:
    """Return which samples of a padded batch (b, n) are valid."""
    return torch.arange(batch.shape[1], device=batch.device) < counts_on(batch.device, samples)[:, None]
