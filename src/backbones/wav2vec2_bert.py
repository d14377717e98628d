"""The front end of Wav2Vec2-BERT (w2v-BERT 2.0), a conformer that takes log-mel spectrograms, not waveforms.

80 bands of 25 ms every 10 ms, as Kaldi computes them, each brought to zero mean and unit variance over the clip; two
neighbours make a frame of 160 numbers every 20 ms. An odd one at the end is left out, as the model's own mask does.
Attention is masked, and the convolutions look back only and see zeros in the padding: batches are exact.

Y.-A. Chung et al., "W2v-BERT", ASRU 2021; Seamless Communication, "Seamless: multilingual expressive and streaming
speech translation", arXiv 2312.05187.
"""

from collections.abc import Sequence

import numpy as np
import torch

from src.backbones.model_input import ModelInput, Prepared
from src.backbones.pretrained import Pretrained
from src.utils.devices import counts_on

WINDOW, HOP = 400, 160
"""Samples of the analysis window and from one to the next; the extractor has them built in."""


class Wav2Vec2BertInput(ModelInput):
    """Pairs of log-mel spectra, shape (b, t, 160), with the mask of the frames, shape (b, t)."""

    normalisation = "zero mean, unit variance of each mel band"

    def __init__(self, pretrained: Pretrained, device: torch.device, window: str = "") -> None:
        super().__init__(pretrained, device, window)
        self._stride = self.extractor.stride
        self.min_samples = WINDOW + (self._stride - 1) * HOP
        self.numbers_a_second = self.rate / HOP / self._stride * self.config.intermediate_size

    def prepare(self, waveforms: Sequence[np.ndarray]) -> Prepared:
        """Compute the spectra of each clip by itself and pad them with zeros."""
        spectra = [self._spectra(waveform) for waveform in waveforms]
        n_frames = [len(each) for each in spectra]
        inputs = torch.nn.utils.rnn.pad_sequence(spectra, batch_first=True).to(self.device)
        if len(set(n_frames)) == 1:
            return Prepared(inputs, None, n_frames)
        lengths = counts_on(self.device, n_frames)
        return Prepared(inputs, torch.arange(max(n_frames), device=self.device) < lengths[:, None], n_frames)

    def _spectra(self, waveform: np.ndarray) -> torch.Tensor:
        """Return the complete pairs of spectra of a clip, shape (t, 160)."""
        n_frames = (1 + (len(waveform) - WINDOW) // HOP) // self._stride
        computed = self.extractor(waveform, sampling_rate=self.rate, return_tensors="pt").input_features
        return computed[0, :n_frames]
