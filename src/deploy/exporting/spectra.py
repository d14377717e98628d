"""Spectral front ends as convolutions: exact, and known to every runtime.

Runtimes differ in how well they know a Fourier transform, and few know complex numbers. A frame of k samples has few
enough of them to multiply: real and imaginary part of bin f are sums of w_j x_j cos(2 pi f j / N) and of
-w_j x_j sin(2 pi f j / N) over its samples j, so a convolution with stride `hop` whose kernels are windowed cosines and
sines cuts frames, weighs them and transforms them in one step. The tables are computed in float64. The triangular
filters and the cosine transform are convolutions over one frame, too: what rounds weights to eight bits looks at
matrix products alone and leaves front ends as they are. Their logarithms span many powers of ten, which eight bits
cannot tell apart.

The floor below a logarithm, log(p + floor), is written log(p / floor + 1) + log(floor): onnxscript takes a constant
smaller than 1e-8 for zero and leaves the addition out, and silence would become minus infinity.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d

from src.backbones.constant_q import POWER_FLOOR, ConstantQ
from src.backbones.front_ends import Cepstra, FilterBank, FrontEnd, delta
from src.backbones.log_energies import FFT, HOP
from src.backbones.whisper_log_mel import FFT as WHISPER_FRAME
from src.backbones.whisper_log_mel import FLOOR, RANGE, WhisperLogMel


class Fourier(nn.Module):
    """Frames of waveforms (b, n), windowed and transformed: powers (b, bins, t), t = 1 + (n - k) // hop.

    Parameters
    ----------
    window : np.ndarray, shape (k,)
    n_points : int
        Of the transform; frames are filled up with zeros.
    hop : int
    """

    kernels: Tensor

    def __init__(self, window: np.ndarray, n_points: int, hop: int = HOP) -> None:
        super().__init__()
        self.hop = hop
        angles = 2 * np.pi / n_points * np.outer(np.arange(n_points // 2 + 1), np.arange(len(window)))
        kernels = np.concatenate([np.cos(angles), -np.sin(angles)]) * window
        self.register_buffer("kernels", torch.from_numpy(kernels).float()[:, None])

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the powers."""
        parts = conv1d(waveforms[:, None], self.kernels, stride=self.hop)
        real, imaginary = parts.chunk(2, dim=1)
        return real.square() + imaginary.square()


class Mixing(nn.Module):
    """Sums over the bands of a frame: (b, d, t) -> (b, c, t), by a matrix (c, d)."""

    weights: Tensor

    def __init__(self, matrix: np.ndarray | Tensor) -> None:
        super().__init__()
        self.register_buffer("weights", torch.as_tensor(matrix).detach().float()[..., None])

    def forward(self, bands: Tensor) -> Tensor:
        """Return the sums."""
        return conv1d(bands, self.weights)


class Bank(nn.Module):
    """A `FilterBank`: waveforms (b, n) -> logarithms of the energies in its filters (b, bands, t)."""

    def __init__(self, bank: FilterBank) -> None:
        super().__init__()
        self.pre_emphasis, self.exponent, self.floor = bank.pre_emphasis, bank.exponent, bank.floor
        self.spectrum = Fourier(bank.window.double().numpy(), FFT)
        self.filters = Mixing(bank.filters)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the logarithms."""
        if self.pre_emphasis:
            emphasised = waveforms[:, 1:] - self.pre_emphasis * waveforms[:, :-1]
            waveforms = torch.cat([waveforms[:, :1], emphasised], dim=1)
        powers = self.spectrum(waveforms)
        return floored_log(self.filters(powers if self.exponent == 2 else powers.sqrt()), self.floor)


class Octaves(nn.Module):
    """A `ConstantQ`: waveforms (b, n) -> logarithms of the powers of its bins (b, bands, t)."""

    def __init__(self, transform: ConstantQ) -> None:
        super().__init__()
        self.transform = transform.float()

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the logarithms."""
        return floored_log(self.transform.powers(waveforms), POWER_FLOOR)


class Features(nn.Module):
    """A `FrontEnd`: waveforms (b, n) -> features (b, n_features, t)."""

    def __init__(self, front_end: FrontEnd) -> None:
        super().__init__()
        spectrum = front_end.spectrum
        self.spectrum = Bank(spectrum) if isinstance(spectrum, FilterBank) else Octaves(spectrum)
        self.cosines = Mixing(front_end.cepstra.cosines) if isinstance(front_end.cepstra, Cepstra) else None
        self.n_features, self.min_samples = front_end.n_features, front_end.min_samples

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the features."""
        energies: Tensor = self.spectrum(waveforms)
        if self.cosines is None:
            return energies
        cepstra = self.cosines(energies)
        deltas = delta(cepstra)
        return torch.cat([cepstra, deltas, delta(deltas)], dim=1)


def floored_log(powers: Tensor, floor: float) -> Tensor:
    """Return log(powers + floor).

    >>> round(float(floored_log(torch.zeros(1), 1e-10)), 3)
    -23.026
    """
    return torch.log(powers / floor + 1) + math.log(floor)


class LogMel(nn.Module):
    """Whisper's log-mel: waveforms (b, n), n a multiple of 160 -> (b, bands, n / 160).

    Half a frame is mirrored at both ends, as `torch.stft` does.

    Parameters
    ----------
    filters : Tensor, shape (201, bands)
    """

    def __init__(self, filters: Tensor) -> None:
        super().__init__()
        window = torch.hann_window(WHISPER_FRAME, dtype=torch.float64).numpy()
        self.spectrum = Fourier(window, WHISPER_FRAME)
        self.filters = Mixing(filters.T)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the spectrograms, cut RANGE powers of ten below the loudest point of each clip."""
        half = WHISPER_FRAME // 2
        front, behind = waveforms[:, 1 : half + 1].flip(1), waveforms[:, -half - 1 : -1].flip(1)
        powers = self.spectrum(torch.cat([front, waveforms, behind], dim=1))[..., :-1]
        levels = self.filters(powers).clamp(min=FLOOR).log10()
        return (torch.maximum(levels, levels.amax(dim=(1, 2), keepdim=True) - RANGE) + 4) / 4


def exportable(network: nn.Module) -> nn.Module:
    """Return a network with its front ends replaced by those of this file; `network` is changed."""
    made: Any = None
    if isinstance(network, FrontEnd):
        made = Features(network)
    elif isinstance(network, WhisperLogMel):
        made = LogMel(network.filters)
    if made is not None:
        return made
    for name, child in network.named_children():
        setattr(network, name, exportable(child))
    return network
