"""The log-mel spectrogram of the Audio Spectrogram Transformer, in PyTorch: any batch, any device, with gradients.

As Kaldi computes it: frames of 25 ms every 10 ms, none beyond the ends; each loses its mean, is pre-emphasised by 0.97
within itself and weighted by a symmetric Hann window; power spectrum of 512 points; 128 triangular filters that are
evenly spaced on the mel scale, and straight on it, from 20 Hz to 8 kHz; natural logarithm, never below that of 2^-23.
Then (x - mean) / (2 std) with the mean and deviation of the training corpus, so that features have a deviation of 0.5.

Y. Gong et al., "AST: Audio Spectrogram Transformer", Interspeech 2021. transformers' ASTFeatureExtractor gives the same
numbers, a clip at a time in NumPy. As it does, this module computes in float64: the mean that a frame loses and the
quiet bands beside loud ones would cost float32 half of its digits.
"""

import numpy as np
import torch
from torch import nn

RATE = 16_000
FRAME, HOP, FFT = 400, 160, 512
N_MELS = 128
LOWEST = 20.0
PRE_EMPHASIS = 0.97
FLOOR = 2.0**-23
AUDIOSET_MEAN, AUDIOSET_STD = -4.2677393, 4.5689974


class AstFrontEnd(nn.Module):
    """Waveforms (b, n) at 16 kHz -> normalised log-mel spectrograms (b, t, 128), t = 1 + (n - 400) // 160.

    Models that want a fixed number of frames are padded by the logarithm 0, which normalisation brings to `padding`.
    """

    n_features = N_MELS
    min_samples = FRAME
    window: torch.Tensor
    filters: torch.Tensor
    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, mean: float = AUDIOSET_MEAN, std: float = AUDIOSET_STD) -> None:
        super().__init__()
        self.padding = -mean / (2 * std)
        # saved with the weights of a network that it is part of, which are of no use with another normalisation
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float64))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float64))
        self.register_buffer("window", torch.from_numpy(np.hanning(FRAME)), persistent=False)
        self.register_buffer("filters", torch.from_numpy(mel_filters()), persistent=False)

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Return the features, float32.

        Raises
        ------
        ValueError
            When the waveforms are shorter than a frame.
        """
        if waveforms.shape[-1] < FRAME:
            raise ValueError(f"A log-mel frame of AST takes at least {FRAME} samples, not {waveforms.shape[-1]}.")
        frames = waveforms.double().unfold(-1, FRAME, HOP)
        frames = frames - frames.mean(dim=-1, keepdim=True)
        before = torch.cat([frames[..., :1], frames[..., :-1]], dim=-1)  # the first sample is its own predecessor
        spectrum = torch.fft.rfft((frames - PRE_EMPHASIS * before) * self.window.double(), FFT)
        power = spectrum.real.square() + spectrum.imag.square()
        log_mel = (power @ self.filters.double()).clamp(min=FLOOR).log()
        return ((log_mel - self.mean) / (2 * self.std)).float()


def count_frames(n_samples: int) -> int:
    """Return how many frames a waveform gives.

    >>> count_frames(64_000)
    398
    """
    return max(0, 1 + (n_samples - FRAME) // HOP)


def mel_filters() -> np.ndarray:
    """Return the triangular filters, shape (257, 128), straight on the mel scale; the bin of 8 kHz is in none.

    >>> filters = mel_filters()
    >>> int((filters.max(axis=0) == 0).sum())  # at the low end a filter is narrower than a bin: one catches none
    1
    """
    edges = np.linspace(to_mel(LOWEST), to_mel(RATE / 2), N_MELS + 2)
    bins = to_mel(np.arange(FFT // 2 + 1) * RATE / FFT)[:, None]
    rising = (bins - edges[:-2]) / np.diff(edges)[0]
    falling = (edges[2:] - bins) / np.diff(edges)[0]
    return np.clip(np.minimum(rising, falling), 0, None)


def to_mel(frequency: np.ndarray | float) -> np.ndarray:
    """Return a frequency in Hz on Kaldi's mel scale.

    >>> float(to_mel(1000.0).round(1))
    1000.0
    """
    return np.asarray(1127.0 * np.log1p(np.asarray(frequency) / 700.0))
