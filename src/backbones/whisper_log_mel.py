"""The log-mel spectrogram of Whisper, differentiable and on any device, as its extractor computes it."""

import torch
from torch import nn

FFT, HOP = 400, 160
"""Samples of the analysis window and from one to the next; all published models have these."""
FLOOR, RANGE = 1e-10, 8.0
"""The least energy, and how many powers of ten below the loudest point of a window count as silence."""


class WhisperLogMel(nn.Module):
    """Waveforms (b, n), n a multiple of 160 -> log-mel spectrograms (b, bands, n / 160), as Whisper's extractor does.

    The middle of each frame is a multiple of 160 samples; half a frame is mirrored at both ends. Power spectrum of a
    Hann window, triangular filters on the mel scale, log10, cut 8 below the loudest point of the window,
    (x + 4) / 4. In mixed precision it still computes in float32: bfloat16 has two digits.
    """

    filters: torch.Tensor
    window: torch.Tensor

    def __init__(self, n_bands: int) -> None:
        super().__init__()
        from transformers import WhisperFeatureExtractor

        filters = torch.from_numpy(WhisperFeatureExtractor(n_bands).mel_filters)
        self.register_buffer("filters", filters.float(), persistent=False)
        self.register_buffer("window", torch.hann_window(FFT), persistent=False)

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Return the spectrograms, float32."""
        with torch.autocast(waveforms.device.type, enabled=False):
            spectrum = torch.stft(waveforms.float(), FFT, HOP, window=self.window, return_complex=True)[..., :-1]
            energies = self.filters.T @ (spectrum.real.square() + spectrum.imag.square())
            log_mel = energies.clamp(min=FLOOR).log10()
            return (torch.maximum(log_mel, log_mel.amax(dim=(1, 2), keepdim=True) - RANGE) + 4) / 4
