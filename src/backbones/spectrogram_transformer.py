"""The front end of the Audio Spectrogram Transformer (AST), a vision transformer on patches of a log-mel spectrogram.

128 bands every 10 ms, padded or cut to the length that the model was trained for (1024 spectra, 10.24 s); patches of
16 bands by 16 spectra, 10 apart in both directions, so 12 rows of 101 patches; two tokens in front that gather the
whole. The model attends to the padding, as it did in training, and takes no mask: any clips share a batch.

A frame over time is the mean of the 12 patches of a column, one every 100 ms. The two tokens, which are no frames, are
left out, and so are the columns that reach into the padding. Longer clips are computed in windows.

Y. Gong, Y.-A. Chung, J. Glass, "AST: Audio Spectrogram Transformer", Interspeech 2021.
"""

from collections.abc import Sequence

import numpy as np
import torch

from src.backbones.model_input import ModelInput, Prepared
from src.backbones.pretrained import Pretrained

WINDOW, HOP = 400, 160
"""Samples of the analysis window and from one to the next; the extractor has them built in."""
TOKENS = 2
"""The classification token and the distillation token."""


class AstInput(ModelInput):
    """Log-mel spectrograms, shape (b, 1024, 128)."""

    def __init__(self, pretrained: Pretrained, device: torch.device, window: str = "") -> None:
        super().__init__(pretrained, device, window)
        config = self.config
        self._patch, self._stride = config.patch_size, config.time_stride
        self._n_rows = (config.num_mel_bins - self._patch) // config.frequency_stride + 1
        self._n_columns = (config.max_length - self._patch) // self._stride + 1
        self.normalisation = "mean and deviation of the training data" if self.extractor.do_normalize else "none"
        self.min_samples = WINDOW + (self._patch - 1) * HOP
        self.longest_seconds = self.padded_seconds = config.max_length * HOP / self.rate
        n_tokens = TOKENS + self._n_rows * self._n_columns
        self.numbers_a_second = n_tokens * config.intermediate_size / self.padded_seconds

    def prepare(self, waveforms: Sequence[np.ndarray]) -> Prepared:
        """Compute the spectrogram of each clip by itself; the extractor pads it."""
        n_frames = [self.count_frames(len(waveform)) for waveform in waveforms]
        computed = [self.extractor(each, sampling_rate=self.rate, return_tensors="pt") for each in waveforms]
        inputs = torch.cat([each.input_values for each in computed])
        return Prepared(inputs.to(self.device), None, n_frames)

    def count_frames(self, n_samples: int) -> int:
        """Return how many columns of patches lie within a clip; raise ValueError when it is longer than a window."""
        if n_samples > self.longest_seconds * self.rate:
            raise ValueError(
                f"This AST takes at most {self.longest_seconds:g} s at once, not {n_samples / self.rate:g} s: "
                "`clip_statistics` cuts longer clips into windows."
            )
        n_spectra = 1 + (n_samples - WINDOW) // HOP
        return (n_spectra - self._patch) // self._stride + 1

    def frames_of(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the mean over the rows of patches: (b, 2 + rows x columns, d) -> (b, columns, d)."""
        patches = hidden[:, TOKENS:].float()
        return patches.unflatten(1, (self._n_rows, self._n_columns)).mean(dim=1)
