"""The Audio Spectrogram Transformer: a spectrogram cut into patches, as an image transformer reads them.

    waveforms (b, n)
      log-mel spectrogram            (b, t, 128)   `ast_front_end.py`: t = 1 + (n - 400) // 160
      patches of 16 x 16 every 10    (b, 12 p, d)  p = (t - 16) // 10 + 1 along time, 12 along frequency
      two tokens in front, positions (b, 2 + 12 p, d)
      transformer (transformers' ASTModel)
      mean of the two tokens         (b, d)        the embedding
      normalisation, logits          (b, 2)

The published model, MIT/ast-finetuned-audioset-10-10-0.4593, has 12 layers of 768 with 12 heads and windows of 10.24 s;
its positions come from images. The default here is 4 layers of 192 with 3 heads, which a CPU trains; AST owes its
results to pretraining, so give `weights` wherever they can be had. There is a position for every patch of a window of
`seconds`. As the authors do, those of longer windows (such as the published ones) are cut to their middle, and those of
shorter ones are interpolated along time; transformers would pad every clip to 10.24 s, at the cost of so much.

Deviation: random tokens and positions are drawn with a deviation of 0.02 as in the paper; transformers starts them at
zero, where the two tokens would stay equal for ever.

Y. Gong et al., "AST: Audio Spectrogram Transformer", Interspeech 2021.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from transformers import ASTConfig, ASTModel

from src.backbones.ast_front_end import FRAME, HOP, N_MELS, AstFrontEnd, count_frames
from src.backbones.pretrained import load_pretrained
from src.detectors.contract import DetectorConfig, Output
from src.detectors.detector import Detector
from src.detectors.field_of_view import check_window
from src.detectors.training.windows import window_samples
from src.models.contract import check_range

if TYPE_CHECKING:
    import optuna

PATCH, STRIDE = 16, 10
BANDS = (N_MELS - PATCH) // STRIDE + 1
"""Patches along frequency."""
MIN_SAMPLES = FRAME + (PATCH - 1) * HOP
"""Sixteen frames, one patch along time."""
LAST_LAYER = ("norm.", "classes.")
"""What the names of its parameters begin with."""
PUBLISHED_SCALE = 0.1
"""On the learning rate of published weights: a full step would undo their training."""


@dataclass(frozen=True)
class AstConfig(DetectorConfig):
    """Hyperparameters of the Audio Spectrogram Transformer and its training."""

    learning_rate: float = 5e-4
    dimension: int = 192
    """d, numbers of a patch; the published model has 768."""
    heads: int = 3
    """Of attention; the published model has 12."""
    layers: int = 4
    """The published model has 12."""
    dropout: float = 0.1
    weights: str = ""
    """Where training starts: the hub id or the folder of a published AST; empty = random weights."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("dimension", self.dimension, 1, 4096)
        check_range("heads", self.heads, 1, 64)
        check_range("layers", self.layers, 1, 64)
        check_range("dropout", self.dropout, 0, 0.9)
        if self.dimension % self.heads:
            raise ValueError(
                f"Hyperparameter dimension must be a multiple of heads ({self.heads}), not {self.dimension}."
            )

    @classmethod
    def search_space(cls, trial: "optuna.Trial", n_clips: int = 0) -> Self:
        """Let a trial choose depth, dropout, learning rate and weight decay of a network with random weights."""
        return cls(
            layers=trial.suggest_int("layers", 2, 6),
            dropout=trial.suggest_float("dropout", 0.0, 0.3),
            learning_rate=trial.suggest_float("learning_rate", 1e-4, 1e-3, log=True),
            weight_decay=trial.suggest_float("weight_decay", 1e-5, 1e-1, log=True),
        )


class Ast(Detector):
    """The Audio Spectrogram Transformer behind the contract of all detectors."""

    Config = AstConfig
    min_samples = MIN_SAMPLES
    recomputes = True
    config: AstConfig

    def build(self) -> nn.Module:
        """Return the network with random weights, or with published ones and a random last layer.

        Raises
        ------
        FileNotFoundError
            When the published weights are in no folder, and the hub cannot be reached.
        ValueError
            When they are of another family or of another shape than the config says.
        """
        network = AstNetwork(self.config)
        if self.config.weights:
            network.start_from(self.config.weights)
        return network

    def parameter_groups(self, network: nn.Module) -> list[dict[str, Any]]:
        """Return all parameters as one group; published weights learn at a tenth of the rate of the last layer."""
        if not self.config.weights:
            return super().parameter_groups(network)
        named = list(network.named_parameters())
        last = [parameter for name, parameter in named if name.startswith(LAST_LAYER)]
        published = [parameter for name, parameter in named if not name.startswith(LAST_LAYER)]
        return [{"params": last, "scale": 1.0}, {"params": published, "scale": PUBLISHED_SCALE}]


class AstNetwork(nn.Module):
    """Windows (b, n) -> log-mel patches -> transformer -> decision; nothing is read from disk."""

    def __init__(self, config: AstConfig) -> None:
        super().__init__()
        self.front_end = AstFrontEnd()
        self.encoder = ASTModel(model_config(config))
        self.embeddings = self.encoder.embeddings
        self.encoder.add_module("embeddings", nn.Identity())  # it is given what `embed` makes of a window of any length
        for start in (
            self.embeddings.cls_token,
            self.embeddings.distillation_token,
            self.embeddings.position_embeddings,
        ):
            nn.init.trunc_normal_(start, std=0.02)
        if config.checkpointing:
            recompute_activations(self.encoder)
        self.norm = nn.LayerNorm(config.dimension)
        self.classes = nn.Linear(config.dimension, 2)

    def forward(self, waveforms: Tensor) -> Output:
        """Score windows of equal length.

        Raises
        ------
        ValueError
            When the windows are too short for a single patch.
        """
        check_window(waveforms, MIN_SAMPLES)
        embedding = self.encoder(self.embed(self.front_end(waveforms))).pooler_output
        return Output(self.classes(self.norm(embedding)), embedding)

    def embed(self, spectrograms: Tensor) -> Tensor:
        """Return tokens and patches with their positions: (b, t, 128) -> (b, 2 + 12 p, d)."""
        parts = self.embeddings
        patches = parts.patch_embeddings(spectrograms)
        tokens = torch.cat([parts.cls_token, parts.distillation_token], dim=1).expand(patches.shape[0], -1, -1)
        positions = fit_positions(parts.position_embeddings, patches.shape[1] // BANDS)
        embedded: Tensor = parts.dropout(torch.cat([tokens, patches], dim=1) + positions)
        return embedded

    def start_from(self, name: str) -> None:
        """Take over the weights and the normalisation of a published model; `Ast.build` says what is raised."""
        published = load_pretrained("ast", name)
        ours = self.encoder.config
        wrong = [
            f"{field}={getattr(published.config, theirs)}"
            for field, theirs in MEANINGS.items()
            if getattr(published.config, theirs) != getattr(ours, theirs)
        ]
        if wrong:
            raise ValueError(f"The weights {name} are of another shape; set {', '.join(wrong)}.")
        embeddings = published.model.embeddings
        published.model.embeddings = nn.Identity()
        p = (self.embeddings.position_embeddings.shape[1] - 2) // BANDS
        positions = fit_positions(embeddings.position_embeddings.detach(), p)
        self.embeddings.load_state_dict({**embeddings.state_dict(), "position_embeddings": positions})
        self.encoder.load_state_dict(published.model.state_dict())
        extractor = published.extractor
        self.front_end = AstFrontEnd(extractor.mean, extractor.std) if extractor.do_normalize else AstFrontEnd(0, 0.5)


MEANINGS = {"dimension": "hidden_size", "layers": "num_hidden_layers", "heads": "num_attention_heads"}
"""Our hyperparameters -> transformers' names of them."""


def model_config(config: AstConfig) -> ASTConfig:
    """Return transformers' config of the same shape, with positions for windows of `seconds`."""
    return ASTConfig(
        hidden_size=config.dimension,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        intermediate_size=4 * config.dimension,
        hidden_dropout_prob=config.dropout,
        max_length=max(PATCH, count_frames(window_samples(config.seconds))),
    )


def recompute_activations(model: ASTModel) -> None:
    """Let a model compute activations again in the backward pass; the method has a new name since transformers 5."""
    new_name = getattr(model, "activation_checkpointing_enable", None)
    (new_name or model.gradient_checkpointing_enable)({"use_reentrant": False})


def fit_positions(positions: Tensor, n_patches: int) -> Tensor:
    """Fit positions (1, 2 + 12 p, d) to another number of patches along time: cut from the middle, or interpolated.

    >>> fit_positions(torch.zeros(1, 2 + 12 * 101, 4), 39).shape
    torch.Size([1, 470, 4])
    """
    tokens, of_patches = positions[:, :2], positions[:, 2:]
    plane = of_patches.unflatten(1, (BANDS, -1)).permute(0, 3, 1, 2)  # (1, d, 12, p)
    made_for = plane.shape[3]
    if n_patches <= made_for:
        start = (made_for - n_patches) // 2
        plane = plane[..., start : start + n_patches]
    else:
        plane = interpolate(plane, size=(BANDS, n_patches), mode="bilinear")
    return torch.cat([tokens, plane.flatten(2).transpose(1, 2)], dim=1)
