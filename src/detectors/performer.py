"""The performer: a transformer whose attention grows linearly with the length of the window.

The encoder is a plain transformer with normalisation in front of its modules; its attention is FAVOR+ (`favor.py`), so
a window may be minutes long where exact attention would need memory for every pair of frames. Frames know their place
by sinusoids that are added before the first layer: linear attention never forms the pairs of frames on which relative
positions act. A window of 4 s has 98 frames, too few for it to be any faster than exact attention.

Log-mel frames, subsampling, feed-forward module (with SiLU), pooled head and default sizes are those of the conformer
(`log_mel_encoder.py`), so that the two compare attention and convolution and nothing else.

K. Choromanski et al., "Rethinking attention with Performers", ICLR 2021.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from torch import Tensor, nn

from src.detectors.detector import Detector
from src.detectors.favor import FavorAttention
from src.detectors.log_mel_encoder import MIN_SAMPLES, EncoderNetwork, FeedForward, LogMelEncoderConfig
from src.detectors.positions import SinusoidalPositions
from src.models.contract import check_range

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class PerformerConfig(LogMelEncoderConfig):
    """Hyperparameters of the performer and its training."""

    features: int = 128
    """Random directions by which a head estimates exact attention; the error falls as 1 / sqrt(features)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("features", self.features, 1, 65_536)

    @classmethod
    def search_space(cls, trial: "optuna.Trial", n_clips: int = 0) -> Self:
        """Let a trial choose depth, number of features, dropout, learning rate and weight decay."""
        return cls(
            layers=trial.suggest_int("layers", 2, 8),
            features=trial.suggest_categorical("features", (64, 128, 256)),
            dropout=trial.suggest_float("dropout", 0.0, 0.3),
            learning_rate=trial.suggest_float("learning_rate", 1e-4, 2e-3, log=True),
            weight_decay=trial.suggest_float("weight_decay", 1e-5, 1e-1, log=True),
        )


class Performer(Detector):
    """The performer behind the contract of all detectors."""

    Config = PerformerConfig
    min_samples = MIN_SAMPLES
    recomputes = True
    config: PerformerConfig

    def build(self) -> nn.Module:
        """Return the network with random weights; its random directions are saved with them."""
        return PerformerNetwork(self.config)


class PerformerNetwork(EncoderNetwork):
    """Windows (b, n) -> log-mel frames -> positions -> performer layers -> pooled decision."""

    def __init__(self, config: PerformerConfig) -> None:
        layers = [PerformerLayer(config) for _ in range(config.layers)]
        super().__init__(config, [SinusoidalPositions(), *layers])


class PerformerLayer(nn.Module):
    """Frames (b, t, d) -> (b, t, d): attention, then a feed-forward module, each added to what it was given."""

    def __init__(self, config: PerformerConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.dimension)
        self.attention = FavorAttention(config.dimension, config.heads, config.features)
        self.dropout = nn.Dropout(config.dropout)
        self.feed_forward = FeedForward(config.dimension, config.dropout)

    def forward(self, frames: Tensor) -> Tensor:
        """Run the layer."""
        frames = frames + self.dropout(self.attention(self.norm(frames)))
        added: Tensor = self.feed_forward(frames)
        return frames + added
