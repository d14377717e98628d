"""The conformer: attention sees the whole window, convolution its surroundings, in every layer.

A layer adds to its frames, one after another: half a feed-forward module, self-attention that knows how far frames are
apart, a convolution module, and the other half of a feed-forward (a "macaron"); then it normalises. For spoofs the two
views complete each other: joins and missing detail are local, a voice that does not change as people's do is not.

Deviation: in the convolution module stands layer normalisation where the paper has batch normalisation. It treats every
frame alone, so a small batch, accumulated ones or several GPUs train the same network, and it is the same function in
training and in tests; w2v-BERT's second version made the same choice. The paper's sizes are (layers x dimension)
16 x 144, 16 x 256 and 17 x 512 with a kernel of 32; the default here has 4 layers, for a few hundred clips on a CPU,
and an odd kernel, which reaches as far to both sides.

A. Gulati et al., "Conformer: convolution-augmented transformer for speech recognition", Interspeech 2020. Relative
positions: Z. Dai et al., "Transformer-XL", ACL 2019, Section 3.3. `log_mel_encoder.py` holds what surrounds the layers.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from src.detectors.detector import Detector
from src.detectors.log_mel_encoder import MIN_SAMPLES, EncoderNetwork, FeedForward, LogMelEncoderConfig
from src.detectors.positions import sinusoids
from src.models.contract import check_range

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class ConformerConfig(LogMelEncoderConfig):
    """Hyperparameters of the conformer and its training."""

    kernel: int = 31
    """Frames (of 40 ms) that a convolution sees; odd."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("kernel", self.kernel, 1, 255)
        if self.kernel % 2 == 0:
            raise ValueError(f"Hyperparameter kernel must be odd, not {self.kernel}.")

    @classmethod
    def search_space(cls, trial: "optuna.Trial", n_clips: int = 0) -> Self:
        """Let a trial choose depth, kernel, dropout, learning rate and weight decay."""
        return cls(
            layers=trial.suggest_int("layers", 2, 6),
            kernel=trial.suggest_categorical("kernel", (7, 15, 31)),
            dropout=trial.suggest_float("dropout", 0.0, 0.3),
            learning_rate=trial.suggest_float("learning_rate", 1e-4, 2e-3, log=True),
            weight_decay=trial.suggest_float("weight_decay", 1e-5, 1e-1, log=True),
        )


class Conformer(Detector):
    """The conformer behind the contract of all detectors."""

    Config = ConformerConfig
    min_samples = MIN_SAMPLES
    recomputes = True
    config: ConformerConfig

    def build(self) -> nn.Module:
        """Return the network with random weights."""
        return ConformerNetwork(self.config)


class ConformerNetwork(EncoderNetwork):
    """Windows (b, n) -> log-mel frames -> conformer layers -> pooled decision."""

    def __init__(self, config: ConformerConfig) -> None:
        super().__init__(config, [ConformerLayer(config) for _ in range(config.layers)])


class ConformerLayer(nn.Module):
    """Frames (b, t, d) -> (b, t, d); Section 2.4 of the paper."""

    def __init__(self, config: ConformerConfig) -> None:
        super().__init__()
        self.first = FeedForward(config.dimension, config.dropout)
        self.attention_norm = nn.LayerNorm(config.dimension)
        self.attention = RelativeAttention(config.dimension, config.heads)
        self.attention_dropout = nn.Dropout(config.dropout)
        self.convolution = ConvolutionModule(config.dimension, config.kernel, config.dropout)
        self.second = FeedForward(config.dimension, config.dropout)
        self.norm = nn.LayerNorm(config.dimension)

    def forward(self, frames: Tensor) -> Tensor:
        """Run the layer."""
        frames = frames + 0.5 * self.first(frames)
        frames = frames + self.attention_dropout(self.attention(self.attention_norm(frames)))
        frames = frames + self.convolution(frames)
        frames = frames + 0.5 * self.second(frames)
        normalised: Tensor = self.norm(frames)
        return normalised


class RelativeAttention(nn.Module):
    """Self-attention whose weights depend on contents and on distances, (b, t, d) -> (b, t, d).

    Frame i weighs frame j by the softmax over j of ((q_i + u) . k_j + (q_i + v) . p_{i-j}) / sqrt(d / heads): p are
    projected sinusoids of the distance, u and v are learnt and the same for all frames.
    """

    def __init__(self, dimension: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.into = nn.Linear(dimension, 3 * dimension)
        self.distances = nn.Linear(dimension, dimension, bias=False)
        self.content_bias = nn.Parameter(torch.zeros(heads, 1, dimension // heads))
        self.distance_bias = nn.Parameter(torch.zeros(heads, 1, dimension // heads))
        self.out = nn.Linear(dimension, dimension)

    def forward(self, frames: Tensor) -> Tensor:
        """Attend to all frames."""
        b, t, d = frames.shape
        query, key, value = self.into(frames).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        steps = torch.arange(t - 1, -t, -1, device=frames.device, dtype=torch.float32)  # the greatest distance first
        apart = self.distances(sinusoids(steps, d).to(frames.dtype)).view(2 * t - 1, self.heads, -1).transpose(0, 1)
        by_distance = (query + self.distance_bias) @ apart.transpose(1, 2)  # (b, heads, t, 2 t - 1)
        bias = by_frame(by_distance) * (d // self.heads) ** -0.5
        query = query + self.content_bias
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))
        mixed: Tensor = self.out(attended.transpose(1, 2).reshape(b, t, d))
        return mixed


def by_frame(by_distance: Tensor) -> Tensor:
    """Turn columns that stand for distances, t - 1 down to 1 - t, into columns that stand for frames j = 0 to t - 1.

    Row i needs its columns from t - 1 - i on. With one column put in front, row i starts at 2 t i of the flattened
    array; read from t on in rows of 2 t - 1, row i starts at t + (2 t - 1) i, its old column t - i: after the column
    in front that is t - 1 - i.

    >>> by_frame(torch.tensor([[1, 0, -1], [1, 0, -1]])).tolist()
    [[0, -1], [1, 0]]
    """
    *leading, t, width = by_distance.shape
    padded = functional.pad(by_distance, (1, 0)).flatten(-2)
    return padded[..., t:].view(*leading, t, width)[..., :t]


class ConvolutionModule(nn.Module):
    """Pointwise convolution with a gate, depthwise convolution over time, pointwise again; Section 2.2 of the paper."""

    def __init__(self, dimension: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dimension)
        self.gated = nn.Linear(dimension, 2 * dimension)
        self.depthwise = nn.Conv1d(dimension, dimension, kernel, padding=kernel // 2, groups=dimension)
        self.depthwise_norm = nn.LayerNorm(dimension)
        self.out = nn.Linear(dimension, dimension)
        self.dropout = nn.Dropout(dropout)

    def forward(self, frames: Tensor) -> Tensor:
        """Return what is added to the frames (b, t, d)."""
        gated = functional.glu(self.gated(self.norm(frames)), dim=-1)
        seen = self.depthwise(gated.transpose(1, 2)).transpose(1, 2)
        added: Tensor = self.dropout(self.out(functional.silu(self.depthwise_norm(seen))))
        return added
