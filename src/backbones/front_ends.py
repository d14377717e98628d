"""Spectral front ends as torch modules: waveforms (b, n) at 16 kHz become features (b, n_features, t) of frames.

| kind | frame, hop | spectrum | features |
|---|---|---|---|
| lfcc | 20 ms, 10 ms | 40 triangles evenly spaced in hertz | 40 coefficients and their two deltas: 120 |
| mfcc | 20 ms, 10 ms | 40 triangles evenly spaced in mel | 40 coefficients and their two deltas: 120 |
| logmel | 25 ms, 10 ms | 80 triangles evenly spaced in mel | 80 logarithms of energies |
| cqcc | 17 to 568 ms, 10 ms | constant-Q transform, see `constant_q.py` | 30 coefficients and their two deltas: 90 |

They give the numbers of the backbones of their names, to the accuracy of their floats (`log_energies.py` computes the
first three of those). `mfcc` differs from `lfcc` in the scale of its filters alone, so that the two can be compared:
0.97 pre-emphasis, Hamming window, power spectrum of 512 points. `logmel` is what speech encoders are usually fed with:
no pre-emphasis, periodic Hann window. The mel scale is 2595 log10(1 + f / 700). A clip of n samples has
t = 1 + (n - length of a frame) // 160 frames, at least one.

Nothing is learnt, and all of it can be differentiated, so a detector may start with a front end on any device. In mixed
precision a front end still computes in the type of its tables (float32 unless it was converted): the logarithm of an
energy in bf16 has two digits.

S. Davis and P. Mermelstein, "Comparison of parametric representations for monosyllabic word recognition", IEEE
Transactions on Acoustics, Speech, and Signal Processing 28(4), 1980.
"""

from collections.abc import Callable

import numpy as np
import torch
from scipy.fft import dct
from torch import Tensor, nn

from src.backbones.constant_q import ConstantQ, uniform_cosines
from src.backbones.lfcc import FRAME, N_FILTERS, PRE_EMPHASIS, linear_filters
from src.backbones.log_energies import FFT, HOP, POWER_FLOOR
from src.backbones.mel import LOG_MEL_FRAME, N_BANDS, hann, mel_filters
from src.utils.registry import require_known

N_CQCC = 30


class FilterBank(nn.Module):
    """Logarithms of the energies in overlapping triangular filters: (b, n) -> (b, bands, t)."""

    window: Tensor
    filters: Tensor

    def __init__(
        self,
        window: np.ndarray,
        filters: np.ndarray,
        *,
        pre_emphasis: float = 0.0,
        exponent: int = 2,
        floor: float = POWER_FLOOR,
    ) -> None:
        super().__init__()
        self.min_samples, self.n_features = len(window), len(filters)
        self.pre_emphasis, self.exponent, self.floor = pre_emphasis, exponent, floor
        self.register_buffer("window", torch.from_numpy(window), persistent=False)
        self.register_buffer("filters", torch.from_numpy(filters), persistent=False)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return log(filters |spectrum|^exponent + floor); nothing is centred or padded."""
        emphasised = torch.cat([waveforms[:, :1], waveforms[:, 1:] - self.pre_emphasis * waveforms[:, :-1]], dim=1)
        frames = emphasised.unfold(1, len(self.window), HOP) * self.window
        energies = torch.fft.rfft(frames, FFT).abs() ** self.exponent @ self.filters.T
        return torch.log(energies + self.floor).transpose(1, 2)


class Cepstra(nn.Module):
    """Cosine sums of log energies, their slope from frame to frame, and its slope: (b, bands, t) -> (b, 3 c, t)."""

    cosines: Tensor

    def __init__(self, cosines: np.ndarray) -> None:
        super().__init__()
        self.n_features = 3 * len(cosines)
        self.register_buffer("cosines", torch.from_numpy(cosines), persistent=False)

    def forward(self, energies: Tensor) -> Tensor:
        """Return the c coefficients, c deltas and c double deltas."""
        cepstra = self.cosines @ energies
        deltas = delta(cepstra)
        return torch.cat([cepstra, deltas, delta(deltas)], dim=1)


class FrontEnd(nn.Module):
    """A spectrum, and its cepstra where there are any, computed in the type of their tables whatever is around them."""

    def __init__(self, spectrum: FilterBank | ConstantQ, cepstra: Cepstra | None = None) -> None:
        super().__init__()
        self.spectrum, self.cepstra = spectrum, cepstra
        self.n_features = cepstra.n_features if cepstra else spectrum.n_features
        self.min_samples = spectrum.min_samples
        """A shorter clip is filled up with zeros to give one frame."""

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the features (b, n_features, t) of waveforms (b, n) at 16 kHz."""
        with torch.autocast(waveforms.device.type, enabled=False):
            waveforms = waveforms.to(self.spectrum.window.dtype)
            missing = max(0, self.min_samples - waveforms.shape[1])
            energies: Tensor = self.spectrum(nn.functional.pad(waveforms, (0, missing)))
            return self.cepstra(energies) if self.cepstra else energies


def delta(features: Tensor) -> Tensor:
    """Return half the difference between the next frame and the one before, (b, d, t) -> (b, d, t); edges are repeated.

    >>> delta(torch.tensor([[[0.0, 2.0, 4.0]]])).tolist()
    [[[1.0, 2.0, 1.0]]]
    """
    padded = torch.cat([features[..., :1], features, features[..., -1:]], dim=-1)
    return (padded[..., 2:] - padded[..., :-2]) / 2


def _cosines() -> np.ndarray:
    """Return the orthonormal cosine transform as a matrix, (40, 40): the transform of each unit vector is a column."""
    matrix: np.ndarray = dct(np.eye(N_FILTERS), norm="ortho", axis=0)
    return matrix


def _lfcc() -> FrontEnd:
    return FrontEnd(FilterBank(np.hamming(FRAME), linear_filters(), pre_emphasis=PRE_EMPHASIS), Cepstra(_cosines()))


def _mfcc() -> FrontEnd:
    return FrontEnd(
        FilterBank(np.hamming(FRAME), mel_filters(N_FILTERS), pre_emphasis=PRE_EMPHASIS), Cepstra(_cosines())
    )


def _log_mel() -> FrontEnd:
    return FrontEnd(FilterBank(hann(LOG_MEL_FRAME), mel_filters(N_BANDS)))


def _cqcc() -> FrontEnd:
    return FrontEnd(ConstantQ(), Cepstra(uniform_cosines(N_CQCC)))


FRONT_ENDS: dict[str, Callable[[], FrontEnd]] = {"lfcc": _lfcc, "mfcc": _mfcc, "logmel": _log_mel, "cqcc": _cqcc}


def front_end(kind: str, dtype: torch.dtype = torch.float32) -> FrontEnd:
    """Return the front end of a kind.

    Parameters
    ----------
    kind : str
        "lfcc", "mfcc", "logmel" or "cqcc".
    dtype : torch.dtype
        In which it computes.

    Returns
    -------
    FrontEnd
        Without parameters; waveforms (b, n) at 16 kHz -> features (b, n_features, t), with `n_features` and
        `min_samples` as attributes.

    Raises
    ------
    ValueError
        When there is no such kind.

    >>> front_end("logmel")(torch.zeros(2, 16_000)).shape
    torch.Size([2, 80, 98])
    """
    require_known(FRONT_ENDS, kind, "front end")
    return FRONT_ENDS[kind]().to(dtype)
