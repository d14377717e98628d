"""A run as one module, from waveforms to calibrated scores: what every format of an export is made of.

    waveforms (b, n), 16 kHz, mono, float32, all clips of a batch of one length -> scores (b,), log-likelihood ratios

One length for all clips of a batch is the whole contract: nothing is padded, so a clip gets the score that it gets
alone, and no file needs lengths as a second input. Clips of other lengths make another batch.

A run on embeddings takes clips up to the window of its backbones (30 s, `max_seconds`): longer ones it computes in
windows of nearly equal length, which a batch of one length cannot be cut into. A detector cuts its windows itself, in
the graph, and takes clips of any length.
"""

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from src.audio.io import SPEECH_RATE
from src.backbones import CPU_ONLY, load_backbone
from src.backbones.clips import window_samples
from src.deploy.exporting.classifiers import classifier_module
from src.deploy.exporting.frames import Pooled, frames_module
from src.deploy.exporting.spectra import exportable
from src.deploy.exporting.trees import Trees
from src.deploy.exporting.windows import windows_module
from src.detectors.detector import Detector
from src.experiments.evaluation.own_requests import own_requests
from src.experiments.inputs.choices import MIX, poolings_in
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.inputs.scores import Scores
from src.experiments.runs.names import RunName
from src.experiments.training.trained import Trained, read_trained
from src.metrics.calibration import Calibration
from src.utils.embeddings import POOLINGS


@dataclass(frozen=True)
class Exportable:
    """A run as a module, and the clips that it takes."""

    module: nn.Module
    """In evaluation mode, on the CPU, float32."""
    shortest: int
    """Samples; shorter clips give no score."""
    longest: int | None
    """Samples; None = any length."""
    typical: int
    """Samples of a clip that shows an exporter all parts of the graph."""
    rounded: bool = False
    """Whether the run itself computes in less than float32, so that its scores differ by more than rounding."""


class Calibrated(nn.Module):
    """Scores, calibrated: scale * score + offset."""

    def __init__(self, scores: nn.Module, calibration: Calibration) -> None:
        super().__init__()
        self.scores, self.scale, self.offset = scores, calibration.scale, calibration.offset

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the scores of waveforms (b, n), shape (b,)."""
        scores: Tensor = self.scale * self.scores(waveforms) + self.offset
        return scores

    def jump(self, waveforms: Tensor) -> Tensor:
        """Return by how much rounding can move the scores, shape (b,)."""
        return abs(self.scale) * jump_of(self.scores, waveforms)


class OnEmbeddings(nn.Module):
    """A classifier on the statistics of one backbone or several, side by side."""

    def __init__(self, backbones: list[Pooled], classifier: nn.Module) -> None:
        super().__init__()
        self.backbones, self.classifier = nn.ModuleList(backbones), classifier

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the scores."""
        scores: Tensor = self.classifier(self.vectors(waveforms))
        return scores

    def vectors(self, waveforms: Tensor) -> Tensor:
        """Return what the classifier eats."""
        vectors = [backbone(waveforms) for backbone in self.backbones]
        return torch.cat(vectors, dim=-1) if len(vectors) > 1 else vectors[0]

    def jump(self, waveforms: Tensor) -> Tensor:
        """Return by how much rounding can move the scores, shape (b,)."""
        if isinstance(self.classifier, Trees):
            return self.classifier.jump(self.vectors(waveforms))
        return torch.zeros(len(waveforms))


class Fused(nn.Module):
    """A weighted sum of the calibrated scores of runs."""

    def __init__(self, parts: list[nn.Module], arrays: dict[str, Any]) -> None:
        super().__init__()
        self.parts, self.weights = nn.ModuleList(parts), [float(weight) for weight in arrays["weights"]]
        self.intercept = float(arrays["intercept"][0])

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the sum."""
        scores = [weight * part(waveforms) for weight, part in zip(self.weights, self.parts, strict=True)]
        return torch.stack(scores).sum(dim=0) + self.intercept

    def jump(self, waveforms: Tensor) -> Tensor:
        """Return by how much rounding can move the sum, shape (b,)."""
        jumps = [abs(weight) * jump_of(part, waveforms) for weight, part in zip(self.weights, self.parts, strict=True)]
        return torch.stack(jumps).sum(dim=0)


def jump_of(module: nn.Module, waveforms: Tensor) -> Tensor:
    """Return by how much rounding can move the scores of a module, shape (b,): beyond its last digits, of trees alone.

    A network that is no tree has no thresholds, and its scores move with what they are computed from.
    """
    if isinstance(module, Calibrated | OnEmbeddings | Fused):
        return module.jump(waveforms)
    return torch.zeros(len(waveforms))


def run_module(trained: Trained, root: Path, model: str | None = None) -> Exportable:
    """Return a run as a module.

    Parameters
    ----------
    trained : Trained
    root : Path
        Holds `runs/`, where the runs of a fusion are.
    model : str, optional
        Folder of the backbone's model, where the run's was a local one.

    Raises
    ------
    FileNotFoundError
        When its weights were dropped, or its backbone's model is not there.
    ValueError
        When a part of it cannot be exported.
    """
    eaten = trained.recipe.input
    if isinstance(eaten, Scores):
        made = _fusion(trained, eaten, root, model)
    elif isinstance(eaten, Embeddings):
        made = _on_embeddings(trained, eaten, model)
    else:
        made = _detector(trained)
    return replace(made, module=Calibrated(made.module, trained.calibration).eval().requires_grad_(False))


def _on_embeddings(trained: Trained, eaten: Embeddings, model: str | None) -> Exportable:
    classifier = classifier_module(trained.model)
    requests = own_requests(trained, eaten, model=model, device="cpu")
    poolings = poolings_in(eaten.pooling or "mean", len(requests))
    backbones, longest = [], []
    for request, pooling in zip(requests, poolings, strict=True):
        options = request.options if request.backbone in CPU_ONLY else {**request.options, "precision": "fp32"}
        backbone = load_backbone(request.backbone, request.model, **options)
        longest.append(int(window_samples(backbone, request.limits.window_seconds)))
        backbones.append(Pooled(frames_module(backbone), POOLINGS[pooling], mixes=eaten.layer == MIX))
    shortest = max(backbone.frames.min_samples for backbone in backbones)
    rounded = any(request.precision in ("bf16", "tf32") for request in requests)
    most = min(longest)
    return Exportable(OnEmbeddings(backbones, classifier), shortest, most, min(most, 2 * SPEECH_RATE), rounded)


def _detector(trained: Trained) -> Exportable:
    detector = trained.model
    assert isinstance(detector, Detector)
    network = exportable(copy.deepcopy(detector.trained.network).cpu())
    objective = copy.deepcopy(detector.trained.objective).cpu()
    module = windows_module(network, objective, detector.config)
    return Exportable(module, module.min_samples, None, 2 * module.length + module.length // 2)


def _fusion(trained: Trained, eaten: Scores, root: Path, model: str | None) -> Exportable:
    parts = [run_module(read_trained(root, RunName.parse(name)), root, model) for name in eaten.runs]
    limits = [part.longest for part in parts if part.longest is not None]
    longest = min(limits) if limits else None
    typical = max(part.typical for part in parts)
    return Exportable(
        Fused([part.module for part in parts], trained.model.arrays),  # type: ignore[attr-defined]
        max(part.shortest for part in parts),
        longest,
        min(typical, longest or typical),
        any(part.rounded for part in parts),
    )
