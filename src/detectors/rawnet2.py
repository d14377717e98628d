"""RawNet2: residual convolutions and a recurrent layer on the waveform itself.

Fixed sinc filters split the waveform into bands; their magnitude is pooled. Six residual blocks condense it in time;
after each, feature-map scaling weighs the channels, as attention that looks at the mean of each over time. A GRU reads
the few frames that are left, and its last state decides.

Shapes at the default size, b windows of 64,600 samples (4.04 s at 16 kHz):

    sinc filters    (b, 20, 63576)      magnitude, pooled by 3      (b, 20, 21192)
    two blocks      (b, 20, 2354)       time: 7064, 2354
    four blocks     (b, 128, 29)        time: 784, 261, 87, 29
    GRU, last state (b, 1024)           embedding (dense)           (b, 1024)
    logits          (b, 2)

The default size is that of the authors' baseline for ASVspoof 2021: 20 filters of 1025 taps, 20 and 128 channels. The
table of their paper has 128 filters of 129 taps, 128 and 512 channels (25.43 million parameters), which these
hyperparameters give as well, at XXX times the cost.

H. Tak et al., "End-to-end anti-spoofing with RawNet2", ICASSP 2021; the network for speakers: J. Jung et al., "Improved
RawNet with feature map scaling for text-independent speaker verification using raw waveforms", Interspeech 2020.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import torch
from torch import nn
from torch.nn.functional import leaky_relu, max_pool1d

from src.detectors.contract import DetectorConfig, Output
from src.detectors.detector import Detector
from src.detectors.field_of_view import RATE, check_window
from src.detectors.sinc import SincFilters, check_taps
from src.models.contract import check_range

if TYPE_CHECKING:
    import optuna

POOLING, N_NARROW, N_WIDE = 3, 2, 4
SLOPE = 0.3
"""Of the leaky ReLUs, below zero."""


@dataclass(frozen=True)
class RawNet2Config(DetectorConfig):
    """Hyperparameters of RawNet2; the defaults of the shape are those of the authors' baseline for ASVspoof 2021."""

    seconds: float = 64_600 / RATE
    filters: int = 20
    taps: int = 1025
    """Length of a sinc filter in samples; odd."""
    narrow_channels: int = 20
    """Of the first two blocks."""
    wide_channels: int = 128
    """Of the other four blocks."""
    gru_size: int = 1024
    gru_layers: int = 3
    embedding_size: int = 1024
    dropout: float = 0.0
    """Before the last layer; the paper has none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("filters", self.filters, 1, 1024)
        check_taps(self.taps)
        for name in ("narrow_channels", "wide_channels", "gru_size", "embedding_size"):
            check_range(name, getattr(self, name), 1, 8192)
        check_range("gru_layers", self.gru_layers, 1, 10)
        check_range("dropout", self.dropout, 0, 0.95)

    @property
    def min_samples(self) -> int:
        """The shortest window: what the last block makes one frame of."""
        return self.taps - 1 + POOLING ** (1 + N_NARROW + N_WIDE)

    @classmethod
    def search_space(cls, trial: "optuna.Trial", n_clips: int = 0) -> Self:
        """Let a trial choose steps, regularisation and the size of what follows the convolutions."""
        return cls(
            gru_size=trial.suggest_categorical("gru_size", (128, 256, 1024)),
            gru_layers=trial.suggest_categorical("gru_layers", (1, 3)),
            wide_channels=trial.suggest_categorical("wide_channels", (64, 128)),
            learning_rate=trial.suggest_float("learning_rate", 1e-4, 3e-3, log=True),
            weight_decay=trial.suggest_float("weight_decay", 1e-5, 1e-2, log=True),
            batch_size=trial.suggest_categorical("batch_size", (8, 16, 32)),
            dropout=trial.suggest_float("dropout", 0.0, 0.5),
        )


class FeatureMapScaling(nn.Module):
    """Weighs the channels by their means over time: (b, c, t) -> (b, c, t).

    A dense layer and a sigmoid turn the means into scales s within (0, 1); x becomes s x + s, which scales a channel
    and shifts it: the form that Jung et al. found best.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dense = nn.Linear(channels, channels)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the maps scaled."""
        scales = torch.sigmoid(self.dense(maps.mean(dim=-1)))[..., None]
        return torch.addcmul(scales, maps, scales)


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut, a third of the frames, scaling: (b, c, t) -> (b, c', t // 3).

    Batch normalisation and activation stand before each convolution, except at the very start of the network, where
    they have just been done.
    """

    def __init__(self, n_in: int, n_out: int, *, first: bool = False) -> None:
        super().__init__()
        self.norm1 = None if first else nn.BatchNorm1d(n_in)
        self.conv1 = nn.Conv1d(n_in, n_out, 3, padding=1)
        self.norm2 = nn.BatchNorm1d(n_out)
        self.conv2 = nn.Conv1d(n_out, n_out, 3, padding=1)
        self.shortcut = nn.Conv1d(n_in, n_out, 1) if n_in != n_out else nn.Identity()
        self.scaling = FeatureMapScaling(n_out)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the condensed maps."""
        inner = maps if self.norm1 is None else activate(self.norm1(maps))
        inner = self.conv2(activate(self.norm2(self.conv1(inner))))
        inner += self.shortcut(maps)
        scaled: torch.Tensor = self.scaling(max_pool1d(inner, POOLING))
        return scaled


def activate(normalised: torch.Tensor) -> torch.Tensor:
    """Apply the leaky ReLU in place: batch normalisation does not need its own output again."""
    return leaky_relu(normalised, SLOPE, inplace=True)


class RawNet2Network(nn.Module):
    """Windows (b, n) -> logits (b, 2) and the dense layer that they are decided from (b, embedding_size)."""

    def __init__(self, config: RawNet2Config) -> None:
        super().__init__()
        self.min_samples = config.min_samples
        self.sinc = SincFilters(config.filters, config.taps)
        self.first_norm = nn.BatchNorm1d(config.filters)
        outs = [config.narrow_channels] * N_NARROW + [config.wide_channels] * N_WIDE
        ins = [config.filters, *outs[:-1]]
        self.blocks = nn.Sequential(
            *(ResidualBlock(*widths, first=i == 0) for i, widths in enumerate(zip(ins, outs, strict=True)))
        )
        self.last_norm = nn.BatchNorm1d(outs[-1])
        self.gru = nn.GRU(outs[-1], config.gru_size, config.gru_layers, batch_first=True)
        self.dense = nn.Linear(config.gru_size, config.embedding_size)
        self.dropout = nn.Dropout(config.dropout)
        self.decide = nn.Linear(config.embedding_size, 2)

    def forward(self, waveforms: torch.Tensor) -> Output:
        """Return logits and embedding of windows (b, n); ValueError where n is below the field of view."""
        check_window(waveforms, self.min_samples)
        bands = max_pool1d(self.sinc(waveforms).abs(), POOLING)
        maps = self.blocks(activate(self.first_norm(bands)))
        frames = activate(self.last_norm(maps)).transpose(1, 2)
        states, _ = self.gru(frames)
        embedding = self.dense(states[:, -1])
        return Output(self.decide(self.dropout(embedding)), embedding)


class RawNet2(Detector):
    """RawNet2 behind the contract of all detectors."""

    Config = RawNet2Config
    min_samples: ClassVar[int] = RawNet2Config().min_samples
    config: RawNet2Config

    def build(self) -> RawNet2Network:
        """Return the network at the start of a training, its weights random."""
        return RawNet2Network(self.config)
