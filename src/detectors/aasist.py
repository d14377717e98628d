"""AASIST: graph attention over the places in frequency and in time where speech gives a synthesiser away.

The waveform goes through fixed sinc filters, which make an image of it; six residual blocks condense the image. Its
rows become the nodes of a spectral graph, its columns those of a temporal graph. Each graph attends to itself and keeps
its strongest nodes; then two branches, alike but for their weights, let both graphs and a master node attend to each
other. The decision is made from the larger of the two branches.

Shapes at the published size, b windows of 64,600 samples (4.04 s at 16 kHz):

    sinc filters    (b, 70, 64472)          magnitude, pooled 3 x 3     (b, 1, 23, 21490)
    six blocks      (b, 64, 23, 29)         time: 7163, 2387, 795, 265, 88, 29
    spectral nodes  (b, 23, 64) -> 11 kept  temporal nodes              (b, 29, 64) -> 20 kept
    two branches    (b, 10, 32), (b, 5, 32), (b, 1, 32)
    embedding       (b, 160)                logits                      (b, 2)

The names of the layers are those of the published weights. One oddity of these is kept: each block but the first holds
a batch normalisation `bn1` that the published code computes and drops; it holds no trained number and is never used.
Logit 1 is that of bona fide. The authors score with it alone; scores here are logit 1 minus logit 0.

A training step is slow without a GPU, most of it in the first two blocks, whose images are large: `first_channels=8,
channels=24, graph_size=24` is the same network at a seventh of the operations. To fine-tune published weights, give a
lower learning rate than the default, such as 1e-4.

J. Jung et al., "AASIST: Audio anti-spoofing using integrated spectro-temporal graph attention networks", ICASSP 2022.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import torch
from torch import nn
from torch.nn.functional import max_pool2d, selu

from src.detectors.aasist_graphs import NODE_DROPOUT, GraphAttention, GraphPool, Graphs, HeterogeneousAttention
from src.detectors.aasist_weights import load_published, published_shape
from src.detectors.contract import DetectorConfig, Output
from src.detectors.detector import Detector
from src.detectors.field_of_view import RATE, as_images, check_window
from src.detectors.sinc import SincFilters, check_taps
from src.models.contract import check_range

if TYPE_CHECKING:
    import optuna

POOLING, N_BLOCKS = 3, 6


@dataclass(frozen=True)
class AasistConfig(DetectorConfig):
    """Hyperparameters of AASIST; the defaults are the published shape."""

    seconds: float = 64_600 / RATE
    weights: str = ""
    """Folder of published weights to start from ("" = random ones); its config.json sets the shape."""
    filters: int = 70
    taps: int = 129
    """Length of a sinc filter in samples; odd."""
    first_channels: int = 32
    """Of the first two blocks."""
    channels: int = 64
    """Of the other four blocks."""
    graph_size: int = 64
    """Features of a node in the spectral and the temporal graph."""
    branch_size: int = 32
    """Features of a node in the branches."""
    spectral_ratio: float = 0.5
    """Part of the nodes that pooling keeps."""
    temporal_ratio: float = 0.7
    branch_ratio: float = 0.5
    spectral_temperature: float = 2.0
    temporal_temperature: float = 2.0
    branch_temperature: float = 100.0
    dropout: float = 0.5
    """Before the last layer."""
    batch_size: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weights and Path(self.weights).is_dir():  # a trained run outlives the folder: its shape is its own
            for name, value in published_shape(Path(self.weights)).items():
                object.__setattr__(self, name, value)
        check_range("filters", self.filters, POOLING, 1024)
        check_taps(self.taps)
        for name in ("first_channels", "channels", "graph_size", "branch_size"):
            check_range(name, getattr(self, name), 1, 4096)
        for name in ("spectral_ratio", "temporal_ratio", "branch_ratio"):
            check_range(name, getattr(self, name), 0.01, 1)
        for name in ("spectral_temperature", "temporal_temperature", "branch_temperature"):
            check_range(name, getattr(self, name), 0.01, 10_000)
        check_range("dropout", self.dropout, 0, 0.95)

    @property
    def min_samples(self) -> int:
        """The shortest window: what the last block makes one frame of."""
        return self.taps - 1 + POOLING ** (N_BLOCKS + 1)

    @classmethod
    def search_space(cls, trial: "optuna.Trial", n_clips: int = 0) -> Self:
        """Let a trial choose steps, regularisation and width."""
        channels = trial.suggest_categorical("channels", (24, 64))
        return cls(
            channels=channels,
            graph_size=channels,
            learning_rate=trial.suggest_float("learning_rate", 1e-4, 3e-3, log=True),
            weight_decay=trial.suggest_float("weight_decay", 1e-5, 1e-2, log=True),
            batch_size=trial.suggest_categorical("batch_size", (8, 16, 24)),
            dropout=trial.suggest_float("dropout", 0.2, 0.6),
        )


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut, then a third of the frames: (b, c, f, t) -> (b, c', f, t // 3)."""

    def __init__(self, n_in: int, n_out: int, *, first: bool = False) -> None:
        super().__init__()
        if not first:
            self.bn1 = nn.BatchNorm2d(n_in).requires_grad_(False)  # in the published weights; never used
        self.conv1 = nn.Conv2d(n_in, n_out, (2, 3), padding=1)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, (2, 3), padding=(0, 1))
        self.conv_downsample = nn.Conv2d(n_in, n_out, (1, 3), padding=(0, 1)) if n_in != n_out else None

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the condensed images: the first convolution adds a row, the second takes it away."""
        inner = self.conv2(selu(self.bn2(self.conv1(images)), inplace=True))
        inner += images if self.conv_downsample is None else self.conv_downsample(images)
        return max_pool2d(inner, (1, POOLING))


class AasistNetwork(nn.Module):
    """Windows (b, n) -> logits (b, 2) and what they are decided from (b, 5 branch_size)."""

    def __init__(self, config: AasistConfig) -> None:
        super().__init__()
        low, high = config.first_channels, config.channels
        d, size = config.graph_size, config.branch_size
        self.min_samples = config.min_samples
        self.sinc = SincFilters(config.filters, config.taps)
        self.first_bn = nn.BatchNorm2d(1)
        widths = [(1, low), (low, low), (low, high), *[(high, high)] * (N_BLOCKS - 3)]
        self.encoder = nn.Sequential(
            *(nn.Sequential(ResidualBlock(*width, first=i == 0)) for i, width in enumerate(widths))
        )
        self.pos_S = nn.Parameter(torch.randn(1, config.filters // POOLING, high))
        self.master1 = nn.Parameter(torch.randn(1, 1, d))
        self.master2 = nn.Parameter(torch.randn(1, 1, d))
        self.GAT_layer_S = GraphAttention(high, d, config.spectral_temperature)
        self.GAT_layer_T = GraphAttention(high, d, config.temporal_temperature)
        self.pool_S = GraphPool(d, config.spectral_ratio)
        self.pool_T = GraphPool(d, config.temporal_ratio)
        for branch in (1, 2):
            for layer, n_in in ((1, d), (2, size)):
                attention = HeterogeneousAttention(n_in, size, config.branch_temperature)
                self.add_module(f"HtrgGAT_layer_ST{branch}{layer}", attention)
            self.add_module(f"pool_hS{branch}", GraphPool(size, config.branch_ratio))
            self.add_module(f"pool_hT{branch}", GraphPool(size, config.branch_ratio))
        self.branch_dropout = nn.Dropout(NODE_DROPOUT)
        self.dropout = nn.Dropout(config.dropout)
        self.out_layer = nn.Linear(5 * size, 2)

    def forward(self, waveforms: torch.Tensor) -> Output:
        """Return logits and embedding of windows (b, n); ValueError where n is below the field of view."""
        check_window(waveforms, self.min_samples)
        image = self.encoder(self.front_end(waveforms)).abs()
        spectral = self.pool_S(self.GAT_layer_S(image.amax(dim=3).transpose(1, 2) + self.pos_S))
        temporal = self.pool_T(self.GAT_layer_T(image.amax(dim=2).transpose(1, 2)))
        branches = [self.branch(number, temporal, spectral) for number in (1, 2)]
        embedding = self.read_out(Graphs(*map(torch.maximum, *branches)))  # node k beside node k
        return Output(self.out_layer(self.dropout(embedding)), embedding)

    def front_end(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Return windows (b, n) as images (b, 1, filters // 3, (n - taps + 1) // 3)."""
        pooled = max_pool2d(self.sinc(waveforms).abs(), POOLING)
        return as_images(selu(self.first_bn(pooled[:, None])).squeeze(1))

    def branch(self, number: int, temporal: torch.Tensor, spectral: torch.Tensor) -> Graphs:
        """Return what one branch makes of both graphs: attention, pooling, attention beside a shortcut."""
        master = self.get_parameter(f"master{number}").expand(temporal.shape[0], -1, -1)
        attended = self.get_submodule(f"HtrgGAT_layer_ST{number}1")(Graphs(temporal, spectral, master))
        pooled = Graphs(
            self.get_submodule(f"pool_hT{number}")(attended.temporal),
            self.get_submodule(f"pool_hS{number}")(attended.spectral),
            attended.master,
        )
        refined = self.get_submodule(f"HtrgGAT_layer_ST{number}2")(pooled)
        return Graphs(*(self.branch_dropout(before + after) for before, after in zip(pooled, refined, strict=True)))

    def read_out(self, graphs: Graphs) -> torch.Tensor:
        """Return one vector per clip: of each graph the largest magnitudes and the means over nodes, and the master."""
        temporal, spectral, master = graphs
        parts = [temporal.abs().amax(dim=1), temporal.mean(dim=1), spectral.abs().amax(dim=1), spectral.mean(dim=1)]
        return torch.cat([*parts, master.squeeze(1)], dim=1)


class Aasist(Detector):
    """AASIST behind the contract of all detectors."""

    Config = AasistConfig
    min_samples: ClassVar[int] = AasistConfig().min_samples
    config: AasistConfig

    def build(self) -> AasistNetwork:
        """Return the network at the start of a training: random, or with the published weights of the config."""
        network = AasistNetwork(self.config)
        if self.config.weights:
            load_published(network, Path(self.config.weights))
        return network
