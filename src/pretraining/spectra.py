"""What a crop sounds like, a vector for each of the encoder's frames: the targets of objectives that need no model.

An encoder gives a frame every 20 ms, and frame i stands for the samples [320 i, 320 (i + 1)). Both spectra here are
computed for these very stretches, so that vector i belongs to frame i:

    LogMel   (b, n) -> (b, t, 160)   two spectra of 80 bands side by side, one for either half of the stretch: windows
                                     of 25 ms whose middles lie at 320 i + 80 and 320 i + 240
    Mfcc     (b, n) -> (b, t, 39)    13 coefficients, their deltas and double deltas: a window of 20 ms, the stretch
                                     itself; deltas are taken over its neighbours 10 ms away

The numbers are those of the front ends `logmel` and `mfcc` (`src/backbones/front_ends.py`). Of the latter the first 13
coefficients are taken, coefficient k times 1 + 11 sin(pi k / 22): Kaldi's liftering, which HuBERT's MFCC have. In
speech all 13 then vary alike (a deviation of 18 to 26), deltas a third as much, double deltas a fifth; without it,
loudness alone (k = 0) would decide which frames are near to each other.

What a window needs beyond the ends of a crop is mirrored: zeros would be a sudden silence.

The middles of the stretches lie at 320 i + 160. The field of view of a convolutional encoder's frame has its middle
at 320 i + 200, that of Whisper's at 320 i: 2.5 and 10 ms away, less than a frame.

W.-N. Hsu et al., "HuBERT", TASLP 2021, section IV-B (39 MFCC); T.-Q. Lin et al., "MelHuBERT", ASRU 2023 (2 x 40 bands).
"""

import numpy as np
import torch
from torch import Tensor, nn

from src.backbones.front_ends import front_end
from src.backbones.lfcc import N_FILTERS
from src.backbones.log_energies import HOP
from src.backbones.mel import LOG_MEL_FRAME, N_BANDS

FRAME = 2 * HOP
"""Samples that a frame of an encoder stands for."""
N_CEPSTRA = 13
LIFTER = 22
"""Kaldi's, in coefficients."""


class LogMel(nn.Module):
    """Logarithms of the energies in 80 bands, twice a frame; nothing is learnt or saved."""

    width = 2 * N_BANDS

    def __init__(self) -> None:
        super().__init__()
        self.front_end = front_end("logmel")

    def forward(self, waveforms: Tensor, n_frames: int) -> Tensor:
        """Return the spectra of `n_frames` frames.

        Parameters
        ----------
        waveforms : torch.Tensor, shape (b, n)
            At 16 kHz, 441 samples or more.
        n_frames : int
            The t frames that an encoder makes of them.

        Returns
        -------
        torch.Tensor, shape (b, t, 160)
            Natural logarithms, float32: the earlier spectrum, then the later one.
        """
        before = (LOG_MEL_FRAME - HOP) // 2  # the middle of a window is to be the middle of 10 ms
        spectra = self.front_end(mirrored(waveforms, before, n_frames * FRAME + before))
        return spectra[..., : 2 * n_frames].transpose(1, 2).reshape(len(waveforms), n_frames, self.width)


class Mfcc(nn.Module):
    """Mel frequency cepstral coefficients with deltas and double deltas; nothing is learnt or saved."""

    width = 3 * N_CEPSTRA
    weights: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.front_end = front_end("mfcc")
        weights = 1 + LIFTER / 2 * np.sin(np.pi * np.arange(N_CEPSTRA) / LIFTER)
        self.register_buffer("weights", torch.from_numpy(weights).float(), persistent=False)

    def forward(self, waveforms: Tensor, n_frames: int) -> Tensor:
        """Return the coefficients of `n_frames` frames, shape (b, t, 39); see `LogMel.forward`."""
        features = self.front_end(mirrored(waveforms, 0, n_frames * FRAME))[..., : 2 * n_frames : 2]
        orders = features.transpose(1, 2).unflatten(2, (3, N_FILTERS))[..., :N_CEPSTRA]
        return (orders * self.weights).flatten(2)


def mirrored(waveforms: Tensor, before: int, end: int) -> Tensor:
    """Return the samples from -`before` to `end` of waveforms (b, n), mirrored where they lie outside.

    >>> mirrored(Tensor([[0.0, 1.0, 2.0]]), 1, 4).tolist()
    [[1.0, 0.0, 1.0, 2.0, 1.0]]
    """
    after = max(0, end - waveforms.shape[1])
    padded = nn.functional.pad(waveforms[:, None], (before, after), mode="reflect")[:, 0]
    return padded[:, : before + end]
