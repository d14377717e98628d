"""The constant-Q transform, and the cosine transform that turns its logarithm into cepstral coefficients (CQCC).

A Fourier transform resolves all frequencies alike, in steps of the same hertz. The constant-Q transform resolves them
as music and the ear do: 96 bins to the octave, so a filter at a low frequency is narrow and long, one at a high
frequency wide and short. As in the paper, nine octaves reach up to 8 kHz from 8 kHz / 2^9 = 15.6 Hz, and bin k of the
864 lies at 15.6 Hz 2^(k / 96). Each is a Hann window times a complex exponential, of length

    Q rate / (f + 228.7 Hz),    Q = (r^2 + 1) / (r^2 - 1),    r = 2^(1 / 96),

where r is the step to the next bin: 568 ms for the lowest, 17 ms for the highest. With the 228.7 Hz, which the authors'
own implementation has as well, bandwidths below a few hundred hertz follow those of the ear; a strictly constant Q
would need 8.9 s for the lowest bin, longer than most clips. A filter's weights add up to one, so a sine of amplitude a
at its frequency gives |a / 2|. Frame i is centred on sample 160 i + 160, as a frame of `lfcc` is; zeros lie around the
clip.

**Octave by octave.** The long filters of low octaves need no fast samples: the two highest octaves are computed at
16 kHz, and for each further octave the rate is halved, down to 500 Hz (a hop of 5 samples), so that no filter is
longer than about 1,000 samples. An octave thus lies below a quarter of its rate, and the half-band filter before each
halving may fall (to -100 dB) from an eighth of the old rate to three eighths.

**Uniform resampling.** A cosine transform over octaves would weigh low frequencies far more than speech needs. The log
powers are first interpolated, by cubic splines, to frequencies evenly spaced in hertz, at a sixteenth of the lowest
bin's frequency, which gives 16 points in the first octave. Interpolation and cosine transform are both linear, so their
product is one matrix.

M. Todisco, H. Delgado, N. Evans, "Constant Q cepstral coefficients: a spoofing countermeasure for automatic speaker
verification", Computer Speech and Language 45, 2017. C. Schörkhuber et al., "A Matlab toolbox for efficient perfect
reconstruction time-frequency transforms with log-frequency resolution", AES 2014 (the offset in the bandwidth).
"""

import numpy as np
import torch
from scipy.fft import dct
from scipy.interpolate import CubicSpline
from scipy.signal import firwin, kaiserord
from torch import Tensor, nn

from src.backbones.clip_by_clip import RATE
from src.backbones.log_energies import HOP

OCTAVES, BINS = 9, 96
LOWEST = RATE / 2 / 2**OCTAVES
EAR_OFFSET = 228.7
"""Hertz: 24.7 / 0.108, of the equivalent rectangular bandwidth 24.7 + 0.108 f of Glasberg and Moore, 1990."""
POINTS_OF_FIRST_OCTAVE = 16
HALVINGS = 5
"""The hop of 160 samples can be halved so often."""
STOPBAND_DB = 100.0
ROOM = 3 * HOP
"""Zeros on either side of a clip, into which its sound rings when the rate is halved (403 samples in all)."""
POWER_FLOOR = 1e-12


class ConstantQ(nn.Module):
    """Log powers of the constant-Q transform: waveforms (b, n) at 16 kHz -> (b, 864, t), t = 1 + (n - 320) // 160."""

    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.n_features, self.min_samples = OCTAVES * BINS, 2 * HOP
        self.register_buffer("window", torch.from_numpy(half_band()), persistent=False)
        for octave in range(OCTAVES):
            self.register_buffer(f"octave{octave}", torch.from_numpy(octave_filters(octave)), persistent=False)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the log powers, lowest bin first."""
        return torch.log(self.powers(waveforms) + POWER_FLOOR)

    def powers(self, waveforms: Tensor) -> Tensor:
        """Return the powers, lowest bin first."""
        n_frames = 1 + (waveforms.shape[1] - self.min_samples) // HOP
        waveforms = nn.functional.pad(waveforms, (ROOM, ROOM))
        octaves = []
        halvings = 0
        for octave in reversed(range(OCTAVES)):
            if _halvings(octave) > halvings:
                waveforms, halvings = self._halve(waveforms), halvings + 1
            octaves.append(self._powers(waveforms, self.get_buffer(f"octave{octave}"), HOP >> halvings)[..., :n_frames])
        return torch.cat(octaves[::-1], dim=1)

    def _halve(self, waveforms: Tensor) -> Tensor:
        """Return every second sample of what lies in the lower half of the spectrum; sample i stays at time 2 i."""
        margin = len(self.window) // 2
        return nn.functional.conv1d(waveforms[:, None], self.window[None, None], stride=2, padding=margin)[:, 0]

    @staticmethod
    def _powers(waveforms: Tensor, filters: Tensor, hop: int) -> Tensor:
        """Return the powers of an octave's bins, (b, 96, t), from filters (192, taps): real parts, then imaginary."""
        margin = filters.shape[1] // 2
        first = (ROOM + HOP) // HOP * hop  # the sample on which the first frame is centred
        padded = nn.functional.pad(waveforms, (margin - first, first + 2 * margin + 1))  # enough for any clip
        parts = nn.functional.conv1d(padded[:, None], filters[:, None], stride=hop)
        real, imaginary = parts.split(len(filters) // 2, dim=1)
        return real.square() + imaginary.square()


def _halvings(octave: int) -> int:
    """Return how often the rate is halved for an octave, 0 being the lowest."""
    return min(HALVINGS, max(0, OCTAVES - 2 - octave))


def half_band() -> np.ndarray:
    """Return the filter before the rate is halved: even up to a quarter of half the rate, gone above three quarters."""
    n_taps, beta = kaiserord(STOPBAND_DB, 0.5)
    taps: np.ndarray = firwin(n_taps | 1, 0.5, window=("kaiser", beta))
    return taps


def bin_frequencies() -> np.ndarray:
    """Return the frequencies of the 864 bins, in hertz.

    >>> bin_frequencies()[[0, 96, -1]].round(2).tolist()
    [15.62, 31.25, 7942.45]
    """
    frequencies: np.ndarray = LOWEST * 2 ** (np.arange(OCTAVES * BINS) / BINS)
    return frequencies


def octave_filters(octave: int) -> np.ndarray:
    """Return the filters of an octave at its own rate, (192, taps), centred: 96 real parts, then the imaginary ones."""
    rate = RATE / 2 ** _halvings(octave)
    step = 2 ** (2 / BINS)
    frequencies = bin_frequencies()[octave * BINS : (octave + 1) * BINS, None]
    lengths = (step + 1) / (step - 1) * rate / (frequencies + EAR_OFFSET)
    margin = int(np.ceil(lengths.max() / 2))
    times = np.arange(-margin, margin + 1)
    window = np.where(np.abs(times) < lengths / 2, 0.5 + 0.5 * np.cos(2 * np.pi * times / lengths), 0.0)
    window /= window.sum(axis=1, keepdims=True)
    phase = 2 * np.pi * frequencies / rate * times
    return np.concatenate([window * np.cos(phase), window * np.sin(phase)])


def uniform_cosines(n_coefficients: int) -> np.ndarray:
    """Return the matrix (c, 864) from log powers to cepstral coefficients: even frequencies, then a cosine transform.

    The transform is orthonormal, so the first coefficient is the mean over all frequencies times the root of their
    number.
    """
    frequencies = bin_frequencies()
    even = np.arange(LOWEST, frequencies[-1], LOWEST / POINTS_OF_FIRST_OCTAVE)
    matrix: np.ndarray = dct(CubicSpline(frequencies, np.eye(len(frequencies)))(even), norm="ortho", axis=0)
    return matrix[:n_coefficients]
