"""Vectors whose every number has mean 0 and deviation 1, by what was measured on some speech beforehand.

Energies in low bands, first cepstral coefficients and some numbers of hidden states vary a hundred times as much as the
others and would decide alone what lies near to what: k-means would find units of loudness, and a random projection
would send all frames to a few codes (BEST-RQ collapses so; C.-C. Chiu et al., ICML 2022, section 3.1). One mean and one
deviation serve all speech, so that what a frame is told to be does not depend on the crop it was seen in.
"""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor, nn

from src.pretraining.spectra import FRAME

DEVIATION_FLOOR = 1e-3
"""Numbers that vary less, as in digital silence, stay near 0 in place of becoming noise."""
MOST_FRAMES = 100_000
"""Frames that are looked at before a pretraining: 33 minutes of speech."""


class Standardised(nn.Module):
    """Vectors (..., c), less a mean (c,), divided by a deviation (c,), which `learn` measures; both are saved."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))

    def learn(self, vectors: Tensor) -> Tensor:
        """Measure mean and deviation of vectors (n, c), on whatever device; return these standardised."""
        mean, deviation = vectors.mean(dim=0), vectors.std(dim=0, correction=0).clamp(min=DEVIATION_FLOOR)
        self.mean.copy_(mean)
        self.deviation.copy_(deviation)
        return (vectors - mean) / deviation

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the vectors standardised."""
        return (vectors - self.mean) / self.deviation


def frames_of(clips: Iterable[np.ndarray], compute: Callable[[Tensor, int], Tensor]) -> Tensor:
    """Return the vectors of the frames of some clips, one clip after another: shape (n, c), on the CPU.

    Parameters
    ----------
    clips : iterable of np.ndarray, each (n_samples,)
        At 16 kHz; no more are taken once there are `MOST_FRAMES` frames.
    compute : callable
        Waveforms (1, n_samples) and their number of whole frames t -> vectors (1, t, c).

    Raises
    ------
    ValueError
        When there are no clips.
    """
    found: list[Tensor] = []
    n_frames = 0
    for clip in clips:
        with torch.no_grad():
            waveforms = torch.from_numpy(np.asarray(clip, dtype=np.float32))[None]
            found.append(compute(waveforms, len(clip) // FRAME)[0].float().cpu())
        n_frames += len(found[-1])
        if n_frames >= MOST_FRAMES:
            break
    if not n_frames:
        raise ValueError("There is no clip to learn from before the first step: give a split with speech.")
    return torch.cat(found)
