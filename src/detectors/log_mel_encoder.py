"""What the conformer and the performer share: everything before and behind their layers.

    waveforms (b, n)
      log-mel spectrogram          (b, 80, t)     25 ms every 10 ms: t = 1 + (n - 400) // 160
      level taken away, SpecAugment
      convolution subsampling      (b, t', d)     a frame every 40 ms: t' = (t - 3) // 4, all bands of it in d numbers
      layers                       (b, t', d)     the conformer's or the performer's
      mean and deviation over time (b, 2 d)
      logits                       (b, 2)

Each window's spectrogram is brought to zero mean and unit variance over bands and frames together: its level, which
gives the class away in many a corpus, is gone, and the shape of its spectrum stays. The subsampling is that of
A. Gulati et al., "Conformer", Interspeech 2020: two convolutions of 3 x 3 with stride 2 and d channels, then a linear
map. That paper transcribes speech and has no pooled head; this one takes mean and deviation, as x-vectors do (D. Snyder
et al., ICASSP 2018).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from src.backbones.front_ends import front_end
from src.detectors.contract import DetectorConfig, Output
from src.detectors.masking import SpecAugment
from src.models.contract import check_range

MIN_SAMPLES = 400 + 6 * 160
"""Seven frames of log-mel, which are subsampled to one."""
VARIANCE_FLOOR = 1e-5


@dataclass(frozen=True)
class LogMelEncoderConfig(DetectorConfig):
    """Hyperparameters of an encoder on log-mel frames and of its training; the defaults suit a few hundred clips."""

    dimension: int = 144
    """d, numbers of a frame inside the encoder; a multiple of `heads`, and even."""
    heads: int = 4
    """Of attention."""
    layers: int = 4
    dropout: float = 0.1
    mask_bands: int = 12
    """SpecAugment hides at most so many of the 80 bands in training."""
    mask_frames: int = 20
    """SpecAugment hides at most so many frames (of 10 ms)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("dimension", self.dimension, 2, 4096)
        check_range("heads", self.heads, 1, 64)
        check_range("layers", self.layers, 1, 64)
        check_range("dropout", self.dropout, 0, 0.9)
        check_range("mask_bands", self.mask_bands, 0, 80)
        check_range("mask_frames", self.mask_frames, 0, 10_000)
        if self.dimension % self.heads or self.dimension % 2:
            raise ValueError(
                f"Hyperparameter dimension must be even and a multiple of heads ({self.heads}), not {self.dimension}."
            )


class EncoderNetwork(nn.Module):
    """Windows (b, n) -> `Output`, through the layers given, each (b, t', d) -> (b, t', d)."""

    def __init__(self, config: LogMelEncoderConfig, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.frames = LogMelFrames(config)
        self.layers = nn.ModuleList(layers)
        self.head = PooledHead(config.dimension, config.dropout)
        self.recompute = config.checkpointing

    def forward(self, waveforms: Tensor) -> Output:
        """Score windows of equal length."""
        frames = self.frames(waveforms)
        for layer in self.layers:
            recompute = self.recompute and self.training
            frames = checkpoint(layer, frames, use_reentrant=False) if recompute else layer(frames)
        output: Output = self.head(frames)
        return output


class LogMelFrames(nn.Module):
    """Waveforms (b, n) -> frames (b, t', d) that enter the encoder."""

    def __init__(self, config: LogMelEncoderConfig) -> None:
        super().__init__()
        self.front_end = front_end("logmel")
        self.masking = SpecAugment(config.mask_bands, config.mask_frames)
        self.subsampling = Subsampling(self.front_end.n_features, config.dimension)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the frames.

        Raises
        ------
        ValueError
            When the windows are too short for a single frame.
        """
        if waveforms.shape[1] < MIN_SAMPLES:
            raise ValueError(
                f"A window must hold at least {MIN_SAMPLES} samples ({MIN_SAMPLES / 16_000} s), "
                f"not {waveforms.shape[1]}; take longer ones (`seconds`)."
            )
        features = self.front_end(waveforms)
        features = functional.layer_norm(features, features.shape[1:])
        frames: Tensor = self.dropout(self.subsampling(self.masking(features)))
        return frames


class Subsampling(nn.Module):
    """Spectrograms (b, f, t) -> frames (b, t', d) at a quarter of the rate; nothing is padded."""

    def __init__(self, n_features: int, dimension: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, dimension, 3, stride=2), nn.ReLU(), nn.Conv2d(dimension, dimension, 3, stride=2), nn.ReLU()
        )
        self.projection = nn.Linear(dimension * quarter(n_features), dimension)

    def forward(self, features: Tensor) -> Tensor:
        """Return the frames."""
        maps = self.convolutions(features.unsqueeze(1))  # (b, d, f', t')
        projected: Tensor = self.projection(maps.permute(0, 3, 1, 2).flatten(2))
        return projected


def quarter(length: int) -> int:
    """Return what two convolutions of width 3 and stride 2 leave of a length.

    >>> quarter(80), quarter(398), quarter(7)
    (19, 98, 1)
    """
    for _ in range(2):
        length = (length - 3) // 2 + 1
    return length


class FeedForward(nn.Module):
    """The conformer's feed-forward module, with its normalisation in front: (b, t, d) -> (b, t, d), 4 d inside."""

    def __init__(self, dimension: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dimension)
        self.up = nn.Linear(dimension, 4 * dimension)
        self.down = nn.Linear(4 * dimension, dimension)
        self.dropout = nn.Dropout(dropout)

    def forward(self, frames: Tensor) -> Tensor:
        """Return what is added to the frames."""
        wide = functional.silu(self.up(self.norm(frames)))
        added: Tensor = self.dropout(self.down(self.dropout(wide)))
        return added


class PooledHead(nn.Module):
    """Frames (b, t, d) -> `Output`: the embedding (b, 2 d) is their mean and deviation over time."""

    def __init__(self, dimension: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dimension)
        self.dropout = nn.Dropout(dropout)
        self.classes = nn.Linear(2 * dimension, 2)

    def forward(self, frames: Tensor) -> Output:
        """Pool and decide."""
        frames = self.norm(frames)
        deviation = (frames.var(dim=1, correction=0) + VARIANCE_FLOOR).sqrt()  # the root of 0 has no gradient
        embedding = torch.cat([frames.mean(dim=1), deviation], dim=1)
        return Output(self.classes(self.dropout(embedding)), embedding)
