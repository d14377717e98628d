"""The spectral backbones mfcc, logmel and cqcc: they are compared with what the self-supervised models learnt.

What can a detector do with the spectrum alone? `front_ends.py` says what their features are. All are computed in
float64: mfcc and logmel block by block as lfcc is (`log_energies.py`), cqcc by its front end, for which torch is
imported when the first clip comes, so a finished store is quickly compared with what is asked for.
"""

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array

from src.backbones.clip_by_clip import SpectralBackbone
from src.backbones.lfcc import FRAME, N_FILTERS, PRE_EMPHASIS
from src.backbones.log_energies import LogEnergies, with_slopes
from src.backbones.mel import LOG_MEL_FRAME, N_BANDS, hann, mel_filters

if TYPE_CHECKING:
    from src.backbones.front_ends import FrontEnd


class Mfcc(SpectralBackbone):
    """Mel frequency cepstral coefficients: 40, their deltas and double deltas."""

    name, model = "mfcc", "mfcc-40"
    settings = "frame 320, hop 160, fft 512, mel filters 40 from 0 to 8000 Hz, pre-emphasis 0.97"
    dimension, min_samples = 120, FRAME

    def features(self, waveform: np.ndarray) -> np.ndarray:
        """Return the features of one waveform: shape (1, t, 120), float64."""
        return with_slopes(_energies_of_mfcc()(waveform)).T[None]


class LogMel(SpectralBackbone):
    """Logarithms of the energies in 80 bands."""

    name, model = "logmel", "logmel-80"
    settings = "frame 400, hop 160, fft 512, mel filters 80 from 0 to 8000 Hz, floor 1e-10"
    dimension, min_samples = N_BANDS, LOG_MEL_FRAME

    def features(self, waveform: np.ndarray) -> np.ndarray:
        """Return the features of one waveform: shape (1, t, 80), float64."""
        return _energies_of_log_mel()(waveform).T[None]


class Cqcc(SpectralBackbone):
    """Constant-Q cepstral coefficients: 30, their deltas and double deltas."""

    name, model = "cqcc", "cqcc-30"
    settings = (
        "9 octaves of 96 bins below 8000 Hz, offset 228.7 Hz, hop 160, 16 points in the first octave, floor 1e-12"
    )
    dimension, min_samples = 90, 320
    threads = False

    def features(self, waveform: np.ndarray) -> np.ndarray:
        """Return the features of one waveform: shape (1, t, 90), float64."""
        import torch

        samples = torch.from_numpy(np.asarray(waveform, dtype=np.float64))[None]
        with torch.inference_mode():
            return _front_end_of_cqcc()(samples).transpose(1, 2).contiguous().numpy()


KINDS: dict[str, type[SpectralBackbone]] = {kind.name: kind for kind in (Mfcc, LogMel, Cqcc)}
load_mfcc, load_logmel, load_cqcc = Mfcc.load, LogMel.load, Cqcc.load


def identify(name: str, model: str | None, device: str, precision: str, layers: str | None) -> dict[str, Any]:
    """Return the identity of a backbone; see `identify_backbone`."""
    return KINDS[name].load(model, device, precision, layers).identity()


@cache
def _energies_of_mfcc() -> LogEnergies:
    return LogEnergies(np.hamming(FRAME), csr_array(mel_filters(N_FILTERS)), PRE_EMPHASIS)


@cache
def _energies_of_log_mel() -> LogEnergies:
    return LogEnergies(hann(LOG_MEL_FRAME), csr_array(mel_filters(N_BANDS)))


@cache
def _front_end_of_cqcc() -> "FrontEnd":
    import torch

    from src.backbones.front_ends import front_end

    return front_end("cqcc", torch.float64)
