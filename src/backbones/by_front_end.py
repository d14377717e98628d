"""The spectral backbones that front ends compute: mfcc, logmel and cqcc; `front_ends.py` says what their features are.

They are compared with what the self-supervised models learnt: what a detector can do with the spectrum alone. The
front ends run in float64 here, and torch is imported when the first clip comes, so a finished store is quickly compared
with what is asked for.
"""

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from src.backbones.clip_by_clip import SpectralBackbone

if TYPE_CHECKING:
    from src.backbones.front_ends import FrontEnd


class ByFrontEnd(SpectralBackbone):
    """One layer of the features of the front end that has the backbone's name."""

    def features(self, waveform: np.ndarray) -> np.ndarray:
        """Return the features of one waveform: shape (1, t, dimension), float64."""
        import torch

        samples = torch.from_numpy(np.asarray(waveform, dtype=np.float64))[None]
        with torch.inference_mode():
            return _front_end(self.name)(samples).transpose(1, 2).contiguous().numpy()


class Mfcc(ByFrontEnd):
    """Mel frequency cepstral coefficients: 40, their deltas and double deltas."""

    name, model = "mfcc", "mfcc-40"
    settings = "frame 320, hop 160, fft 512, mel filters 40 from 0 to 8000 Hz, pre-emphasis 0.97"
    dimension, min_samples = 120, 320


class LogMel(ByFrontEnd):
    """Logarithms of the energies in 80 bands."""

    name, model = "logmel", "logmel-80"
    settings = "frame 400, hop 160, fft 512, mel filters 80 from 0 to 8000 Hz, floor 1e-10"
    dimension, min_samples = 80, 400


class Cqcc(ByFrontEnd):
    """Constant-Q cepstral coefficients: 30, their deltas and double deltas."""

    name, model = "cqcc", "cqcc-30"
    settings = (
        "9 octaves of 96 bins below 8000 Hz, offset 228.7 Hz, hop 160, 16 points in the first octave, floor 1e-12"
    )
    dimension, min_samples = 90, 320


KINDS: dict[str, type[ByFrontEnd]] = {kind.name: kind for kind in (Mfcc, LogMel, Cqcc)}
load_mfcc, load_logmel, load_cqcc = Mfcc.load, LogMel.load, Cqcc.load


def identify(name: str, model: str | None, device: str, precision: str, layers: str | None) -> dict[str, Any]:
    """Return the identity of a backbone; see `identify_backbone`."""
    return KINDS[name].load(model, device, precision, layers).identity()


@cache
def _front_end(kind: str) -> "FrontEnd":
    import torch

    from src.backbones.front_ends import front_end

    return front_end(kind, torch.float64)
