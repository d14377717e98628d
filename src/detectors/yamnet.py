"""YAMNet and a small dense classifier: the baseline of the original AUDIOS, which kept YAMNet as it was.

windows (b, n) at 16 kHz -> embeddings of patches of 0.96 s every 0.48 s, (b, p, 1024), p = 1 + (n - 15,600) // 7,680
-> their mean (b, 1024) -> dense, ReLU, dropout (b, hidden) -> dense (b, 2).

YAMNet was trained on two million clips of every kind of sound. It tells much about the background of a recording and
little about the fine structure of speech, so a detector on it may learn the channels of a corpus instead of its spoofs:
it is the plain thing that others must beat. `weights` is a folder as `src/backbones/yamnet.py` describes it; without it
the network starts from random weights and is trained whole. Those are drawn as for ReLU networks without normalisation
(He et al., 2015), because the published network's batch normalisation has been folded into its weights, and with
PyTorch's usual start next to nothing would pass 27 convolutions.

K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", ICCV 2015. See `yamnet_network.py` for YAMNet itself.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import torch
from torch import nn

from src.backbones.yamnet import PATCH_SAMPLES, check_folder
from src.backbones.yamnet_network import EMBEDDING, YamnetLayers, YamnetPatches, load_layers
from src.detectors.contract import DetectorConfig, Output
from src.detectors.detector import Detector
from src.models.contract import check_range

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class YamnetConfig(DetectorConfig):
    """Hyperparameters of the YAMNet baseline."""

    weights: str = ""
    """Folder of published weights to start from ("" = random ones)."""
    freeze: bool = True
    """Leave published weights as they are and train the classifier alone; random weights are always trained."""
    hidden: int = 256
    dropout: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("hidden", self.hidden, 1, 65_536)
        check_range("dropout", self.dropout, 0, 0.95)

    @classmethod
    def search_space(cls, trial: "optuna.Trial", n_clips: int = 0) -> Self:
        """Let a trial choose the classifier and its steps."""
        return cls(
            hidden=trial.suggest_categorical("hidden", (64, 256, 1024)),
            dropout=trial.suggest_float("dropout", 0.0, 0.6),
            learning_rate=trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
            weight_decay=trial.suggest_float("weight_decay", 1e-5, 1e-1, log=True),
            batch_size=trial.suggest_categorical("batch_size", (16, 32, 64)),
        )


class YamnetNetwork(nn.Module):
    """Windows (b, n) -> logits (b, 2) and what they are decided from (b, hidden)."""

    def __init__(self, layers: YamnetLayers, config: YamnetConfig) -> None:
        super().__init__()
        del layers.classifier  # of the 521 classes of sound
        self.patches = YamnetPatches(layers)
        self.dense = nn.Sequential(nn.Linear(EMBEDDING, config.hidden), nn.ReLU(), nn.Dropout(config.dropout))
        self.decision = nn.Linear(config.hidden, 2)

    def forward(self, waveforms: torch.Tensor) -> Output:
        """Return logits and embedding; a window shorter than a patch is filled up with zeros."""
        _, embeddings = self.patches(waveforms)
        embedding = self.dense(embeddings.mean(dim=1))
        return Output(self.decision(embedding), embedding)


class Yamnet(Detector):
    """The YAMNet baseline behind the contract of all detectors."""

    Config = YamnetConfig
    min_samples: ClassVar[int] = PATCH_SAMPLES
    config: YamnetConfig

    def build(self) -> YamnetNetwork:
        """Return the network at the start of a training: random, or with the published weights of the config."""
        if not self.config.weights:
            return YamnetNetwork(random_layers(), self.config)
        layers = load_layers(check_folder(self.config.weights, "weights"))
        return YamnetNetwork(layers.requires_grad_(not self.config.freeze), self.config)


def random_layers() -> YamnetLayers:
    """Return YAMNet with random weights that keep the size of what passes through its ReLUs."""
    layers = YamnetLayers()
    for module in layers.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return layers
