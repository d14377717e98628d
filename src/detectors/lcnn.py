"""LCNN: a light convolutional network on spectral features, whose activation is a choice between two feature maps.

The max-feature-map takes the larger of two maps, element by element, where a ReLU would compare one map with zero. Half
of the maps are gone after each layer, which keeps the network small, and what a layer hands on is always the better of
two hypotheses. LCNNs on cepstra were among the best single systems of ASVspoof 2017 and 2019 and are still a baseline.

The features, `front_end`, form an image (features x frames). Level and microphone add a constant to a logarithmic
spectrum or a cepstrum, and a network that sees it learns who recorded, not what spoke. So `normalise` "mean" (the
default) takes the mean over the frames of its window from each feature, and divides by its deviation over the corpus.
"window" divides by the deviation over the window, which hides how much a spectrum moves; "corpus" leaves the mean in.

Shapes with LFCC, b windows of 64,600 samples (4.04 s at 16 kHz), 120 features, 402 frames:

    image                   (b, 1, 120, 402)        5 x 5, pooled       (b, 32, 60, 201)
    1 x 1, 3 x 3, pooled    (b, 48, 30, 100)        the same, pooled    (b, 64, 15, 50)
    two pairs, pooled       (b, 32, 7, 25)          mean, deviation     (b, 448)
    embedding (dense)       (b, 80)                 logits              (b, 2)

The layers are those of the paper's table up to the last pooling, with a batch normalisation after each convolution but
the first (the paper leaves out some before a pooling). The paper flattens the whole image there, which ties
the network to one length; here mean and deviation over frames come first, so windows of any length fit and the dense
layer has a twelfth of the weights. Wang and Yamagishi take the mean alone; the deviation, as in the statistics pooling
of Snyder et al., also says how much a spectrum moves, which synthesis smooths.

G. Lavrentyeva et al., "STC antispoofing systems for the ASVspoof2019 challenge", Interspeech 2019; the activation:
X. Wu et al., "A light CNN for deep face representation with noisy labels", IEEE TIFS 13(11), 2018; the mean: X. Wang
and J. Yamagishi, "A comparative study on recent neural spoofing countermeasures", Interspeech 2021; mean and deviation:
D. Snyder et al., "Deep neural network embeddings for text-independent speaker verification", Interspeech 2017.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import torch
from torch import nn

from src.backbones.front_ends import front_end
from src.detectors.contract import DetectorConfig, Output
from src.detectors.detector import Detector
from src.detectors.field_of_view import RATE, as_images, check_window
from src.detectors.masking import SpecAugment
from src.models.contract import check_choice, check_range

if TYPE_CHECKING:
    import optuna

FRONT_ENDS = ("lfcc", "logmel", "cqcc")
NORMALISATIONS = ("mean", "window", "corpus")
POOLINGS, HOP = 4, 160
"""Each pooling halves the frames, which stand every 160 samples."""
LEAST_DEVIATION = 1e-5
"""A feature that hardly changes (digital silence) is not blown up to deviation 1."""


@dataclass(frozen=True)
class LcnnConfig(DetectorConfig):
    """Hyperparameters of the LCNN; the defaults are the paper's shape."""

    seconds: float = 64_600 / RATE
    front_end: str = "lfcc"
    normalise: str = "mean"
    """How features are scaled: "mean" (that of the window is taken off), "window" (its deviation too) or "corpus"."""
    channels: int = 32
    """Feature maps after the first layer; the others have 1, 1.5 and 2 times as many."""
    embedding_size: int = 80
    dropout: float = 0.5
    """Before the dense layer; the paper has 0.75, for a much larger layer."""
    mask_bands: int = 0
    """Most neighbouring features that are masked in a training window; 0 = none."""
    mask_frames: int = 0
    """Most neighbouring frames that are masked in a training window; 0 = none."""
    batch_size: int = 8
    learning_rate: float = 2e-3
    """At its peak."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("front_end", self.front_end, FRONT_ENDS)
        check_choice("normalise", self.normalise, NORMALISATIONS)
        check_range("channels", self.channels, 2, 1024)
        check_range("embedding_size", self.embedding_size, 1, 8192)
        check_range("dropout", self.dropout, 0, 0.95)
        check_range("mask_bands", self.mask_bands, 0, 1000)
        check_range("mask_frames", self.mask_frames, 0, 1000)

    @classmethod
    def search_space(cls, trial: "optuna.Trial", n_clips: int = 0) -> Self:
        """Let a trial choose width, regularisation, masking and steps."""
        return cls(
            channels=trial.suggest_categorical("channels", (16, 32)),
            dropout=trial.suggest_float("dropout", 0.2, 0.75),
            mask_bands=trial.suggest_categorical("mask_bands", (0, 8, 16)),
            mask_frames=trial.suggest_categorical("mask_frames", (0, 20, 40)),
            learning_rate=trial.suggest_float("learning_rate", 3e-4, 5e-3, log=True),
            weight_decay=trial.suggest_float("weight_decay", 1e-5, 1e-1, log=True),
            batch_size=trial.suggest_categorical("batch_size", (8, 16, 32)),
        )


class MaxFeatureMap(nn.Module):
    """The larger of feature map k and feature map k + c: (b, 2 c, ...) -> (b, c, ...)."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the elementwise maxima of both halves."""
        first, second = maps.chunk(2, dim=1)
        return torch.maximum(first, second)


def convolve(n_in: int, n_out: int, size: int) -> nn.Sequential:
    """Return a convolution of `size` x `size` with a max-feature-map: (b, n_in, f, t) -> (b, n_out, f, t)."""
    return nn.Sequential(nn.Conv2d(n_in, 2 * n_out, size, padding=size // 2), MaxFeatureMap())


def convolve_twice(n_in: int, n_out: int) -> list[nn.Module]:
    """Return a 1 x 1 convolution, which mixes the maps at little cost, and a 3 x 3 convolution, each normalised."""
    return [convolve(n_in, n_in, 1), nn.BatchNorm2d(n_in), convolve(n_in, n_out, 3), nn.BatchNorm2d(n_out)]


class Scaling(nn.Module):
    """Features (b, f, t) without what recording adds, and of one size: see `normalise` above.

    >>> Scaling(1, "window")(torch.tensor([[[1.0, 3.0, 5.0, 7.0]]])).round(decimals=2)
    tensor([[[-1.3400, -0.4500,  0.4500,  1.3400]]])
    """

    def __init__(self, n_features: int, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.of_corpus = nn.BatchNorm1d(n_features, affine=False, momentum=None)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the features, scaled."""
        centred = features - features.mean(dim=-1, keepdim=True)
        if self.kind == "window":
            variances = centred.square().mean(dim=-1, keepdim=True)
            return centred * variances.clamp_min(LEAST_DEVIATION**2).rsqrt()
        scaled: torch.Tensor = self.of_corpus(features if self.kind == "corpus" else centred)
        return scaled


class LcnnNetwork(nn.Module):
    """Windows (b, n) -> logits (b, 2) and the dense layer that they are decided from (b, embedding_size)."""

    def __init__(self, config: LcnnConfig) -> None:
        super().__init__()
        self.front_end = front_end(config.front_end)
        self.min_samples = self.front_end.min_samples + (2**POOLINGS - 1) * HOP
        self.scale = Scaling(self.front_end.n_features, config.normalise)
        self.masking = SpecAugment(config.mask_bands, config.mask_frames)
        first, second, third = config.channels, config.channels * 3 // 2, config.channels * 2
        self.convolutions = nn.Sequential(
            *(convolve(1, first, 5), nn.MaxPool2d(2)),
            *(*convolve_twice(first, second), nn.MaxPool2d(2)),
            *(*convolve_twice(second, third), nn.MaxPool2d(2)),
            *(*convolve_twice(third, first), *convolve_twice(first, first), nn.MaxPool2d(2)),
        )
        self.dropout = nn.Dropout(config.dropout)
        rows = self.front_end.n_features // 2**POOLINGS
        self.dense = nn.Sequential(nn.Linear(2 * first * rows, 2 * config.embedding_size), MaxFeatureMap())
        self.norm = nn.BatchNorm1d(config.embedding_size)
        self.decide = nn.Linear(config.embedding_size, 2)

    def forward(self, waveforms: torch.Tensor) -> Output:
        """Return logits and embedding of windows (b, n); ValueError where n is below the field of view."""
        check_window(waveforms, self.min_samples)
        features = self.masking(self.scale(self.front_end(waveforms)))
        maps = self.convolutions(as_images(features))
        deviation = maps.var(dim=-1, correction=0).add(LEAST_DEVIATION).sqrt()  # whose gradient is finite at 0
        pooled = torch.cat([maps.mean(dim=-1), deviation], dim=1)
        embedding = self.norm(self.dense(self.dropout(pooled.flatten(1))))
        return Output(self.decide(embedding), embedding)


class Lcnn(Detector):
    """The LCNN behind the contract of all detectors."""

    Config = LcnnConfig
    min_samples: ClassVar[int] = 320 + (2**POOLINGS - 1) * HOP
    """With LFCC, whose frames have 320 samples; other front ends say themselves what they need."""
    config: LcnnConfig

    def build(self) -> LcnnNetwork:
        """Return the network at the start of a training, its weights random."""
        return LcnnNetwork(self.config)
