"""A run, ready to score sound that lies in no corpus: the numbers of TestModel, but for rounding.

A clip is a waveform (n,) at 16 kHz, mono, float32, of any length, or the path of a recording. On its way to a score
everything is as in a test of the run: its backbone with the model, precision, layer, windows and pooling of the
training's store, or its detector with its windows, or the runs that it fuses; then its calibration. No corpus and no
store are written for it. Clips are computed one after another, so what stands beside a clip cannot touch its numbers;
a test computes them in batches, which rounds otherwise. On spectral features trees give the same score to the last bit;
sums of many numbers differ in the last digits of float64 (logistic regression 1e-15, SVM 1e-12), networks in those of
float32 (about 1e-6; LCNN, whose batches differ most, 3e-5).

A score is a log-likelihood ratio, higher = more bona fide.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from src.audio.io import (
    SILENT,
    SPEECH_RATE,
    UnusableAudio,
    check_usable,
    count_samples,
    is_silent,
    load_stretches,
    load_waveform,
)
from src.backbones import load_backbone
from src.backbones.clips import clip_statistics, recording_statistics
from src.backbones.contract import Backbone
from src.detectors.training.windows import window_samples, window_starts
from src.experiments.evaluation.own_requests import own_requests, takes_folder
from src.experiments.extraction.requests import Request
from src.experiments.inputs.choices import MIX, poolings_in
from src.experiments.inputs.contract import TRAIN
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.inputs.parts import read_parts
from src.experiments.inputs.scores import Scores
from src.experiments.runs.names import RunName
from src.experiments.training.trained import Trained, read_trained
from src.utils.embeddings import POOLINGS

if TYPE_CHECKING:
    import torch

WHOLE_SECONDS = 300.0
"""A detector reads longer recordings a few windows at a time; embeddings are read so wherever they have windows."""
WINDOWS_AT_ONCE = 32
Clip = np.ndarray | Path


class Judged(NamedTuple):
    """What a run says of clips."""

    scores: np.ndarray
    """Shape (n,)."""
    vectors: np.ndarray | None
    """What its classifier eats, shape (n, d), of a mix of layers (n, layers, d); None for detectors and fusions."""


class Judge(ABC):
    """A run whose backbone and model are loaded once."""

    def __init__(self, trained: Trained) -> None:
        self.trained = trained
        self.threshold = trained.threshold

    @abstractmethod
    def judge(self, clips: Sequence[Clip]) -> Judged:
        """Return scores and vectors of clips, each computed once.

        Raises
        ------
        UnusableAudio
            When a clip is too short, silent, or cannot be used otherwise; the reasons for which a test leaves it out.
        FileNotFoundError
            When there is no such recording.
        """

    def score(self, waveforms: Sequence[np.ndarray]) -> np.ndarray:
        """Return the calibrated scores of waveforms at 16 kHz, shape (n,): higher = more bona fide; raises as `judge`.

        Parameters
        ----------
        waveforms : sequence of np.ndarray, each of shape (n,)
            float32, mono, within [-1, 1], at 16 kHz, of any lengths.
        """
        return self.judge(waveforms).scores

    def vectors(self, waveforms: Sequence[np.ndarray]) -> np.ndarray | None:
        """Return what the classifier eats, shape (n, d), or (n, layers, d) of a mix; None for detectors and fusions."""
        return None


def open_judge(trained: Trained, *, root: Path, model: str | None = None, device: str = "auto") -> Judge:
    """Load what a run needs to score sound.

    Parameters
    ----------
    trained : Trained
    root : Path
        Holds `runs/`, where the runs of a fusion are.
    model : str, optional
        Folder of the backbone's model, where the run's was a local one.
    device : str
        "auto", "cpu", "cuda" or "cuda:1"; spectral features and most classifiers run on the CPU.

    Raises
    ------
    FileNotFoundError
        When the run's weights were dropped, or its backbone's model is not there.
    ValueError
        When the model is not the one that the run was trained with, or the run takes none, or a run that it fuses was
        trained anew.
    """
    if model is not None and not _takes_folder(trained, root):
        raise ValueError(
            f"{trained.name} takes no `model`: no backbone of it had its model from a local folder. Leave it out."
        )
    return _open(trained, root, model, device)


def _takes_folder(trained: Trained, root: Path) -> bool:
    eaten = trained.recipe.input
    if isinstance(eaten, Scores):
        return any(_takes_folder(read_trained(root, RunName.parse(name)), root) for name in eaten.runs)
    return isinstance(eaten, Embeddings) and takes_folder(trained, eaten)


def _open(trained: Trained, root: Path, model: str | None, device: str) -> Judge:
    eaten = trained.recipe.input
    if device != "auto":
        _device(device)
    if isinstance(eaten, Scores):
        return _OfScores(trained, eaten, root, model, device)
    if isinstance(eaten, Embeddings):
        return _OfEmbeddings(trained, eaten, model, device)
    return _OfWaveforms(trained, device)


class _OfEmbeddings(Judge):
    """A classifier on the embeddings of one backbone or several."""

    def __init__(self, trained: Trained, eaten: Embeddings, model: str | None, device: str) -> None:
        super().__init__(trained)
        self._classifier = trained.model  # before the backbone, which takes long to load
        self._requests = own_requests(trained, eaten, model=model, device=device)
        self._backbones = [_load(trained, request) for request in self._requests]
        self._mixes = eaten.layer == MIX
        self._poolings = [list(POOLINGS[name]) for name in poolings_in(eaten.pooling or "mean", len(self._backbones))]

    def judge(self, clips: Sequence[Clip]) -> Judged:
        vectors = np.stack([self._vector(clip) for clip in clips])
        return Judged(self.trained.calibration.apply(self._classifier.scores(vectors)), vectors)

    def vectors(self, waveforms: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack([self._vector(waveform) for waveform in waveforms])

    def _vector(self, clip: Clip) -> np.ndarray:
        """Return the vector of a clip as the run's stores would give it, shape (d,) or (layers, d)."""
        parts = []
        for backbone, request, kept in zip(self._backbones, self._requests, self._poolings, strict=True):
            statistics = _statistics(backbone, clip, request.limits.window_seconds)  # (layers, 2, d)
            pooled = statistics[:, kept].reshape(len(statistics), -1)
            parts.append(pooled if self._mixes else pooled[0])
        return np.concatenate(parts, axis=-1)


class _OfWaveforms(Judge):
    """A detector, a fine-tuned model among them."""

    def __init__(self, trained: Trained, device: str) -> None:
        from src.detectors.detector import Detector  # transformers, which a classifier on spectral features can spare

        super().__init__(trained)
        assert isinstance(trained.model, Detector)
        self._detector: Detector = trained.model
        self._detector.device = _device(device)

    def judge(self, clips: Sequence[Clip]) -> Judged:
        raw = np.array([self._raw(clip) for clip in clips])
        return Judged(self.trained.calibration.apply(raw), None)

    def _raw(self, clip: Clip) -> float:
        """Return the score of a clip before it is calibrated: the mean over its windows."""
        if isinstance(clip, Path) and (n_samples := count_samples(clip)) > WHOLE_SECONDS * SPEECH_RATE:
            return self._raw_of_long(clip, n_samples)
        waveform = load_waveform(clip) if isinstance(clip, Path) else _usable(clip)
        return float(self._detector.waveform_scores([waveform])[0])

    def _raw_of_long(self, path: Path, n_samples: int) -> float:
        length = window_samples(self._detector.config.seconds)
        windows = load_stretches(path, [(start, start + length) for start in window_starts(n_samples, length)])
        scores, silent = list[float](), True
        while part := list(islice(windows, WINDOWS_AT_ONCE)):
            silent = silent and all(map(is_silent, part))
            scores.extend(self._detector.waveform_scores(part))
        if silent:
            raise UnusableAudio(SILENT)
        return float(np.mean(scores))


class _OfScores(Judge):
    """A fusion: each of its runs judges the clips."""

    def __init__(self, trained: Trained, eaten: Scores, root: Path, model: str | None, device: str) -> None:
        super().__init__(trained)
        self._fusion = trained.model
        now = {str(part.name): {"trained": part.trained} for part in read_parts(eaten.runs, root)}
        eaten.require_like(trained.origin(TRAIN), {"parts": now}, f"{trained.name} and its parts")
        self._judges = [_open(read_trained(root, RunName.parse(name)), root, model, device) for name in now]

    def judge(self, clips: Sequence[Clip]) -> Judged:
        scores = np.column_stack([judge.judge(clips).scores for judge in self._judges])
        return Judged(self.trained.calibration.apply(self._fusion.scores(scores)), None)


def _load(trained: Trained, request: Request) -> Backbone:
    """Load a backbone; raise ValueError unless it is the one of the run's stores."""
    backbone = load_backbone(request.backbone, request.model, **request.options)
    before, now = trained.store_of(request.backbone), backbone.identity()
    what = f"The embeddings that {trained.folder} was trained on and those of the {request.backbone} given"
    Embeddings(request.backbone).require_like(before, now, what)
    if backbone.rate != SPEECH_RATE:
        raise ValueError(f"The backbone of {trained.name} takes {backbone.rate} Hz; only {SPEECH_RATE} Hz is possible.")
    return backbone


def _statistics(backbone: Backbone, clip: Clip, window_seconds: float) -> np.ndarray:
    """Return mean and deviation over time of every layer kept, shape (layers, 2, d)."""
    if isinstance(clip, Path):
        return recording_statistics(backbone, clip, window_seconds=window_seconds)[0]
    return clip_statistics(backbone, _usable(clip), window_seconds=window_seconds)[0]


def _device(name: str) -> "torch.device":
    from src.utils.devices import choose_device  # torch

    return choose_device(name)


def _usable(waveform: np.ndarray) -> np.ndarray:
    """Return a waveform as float32; raise UnusableAudio where it is empty, silent or not finite."""
    check_usable(waveform)
    return np.asarray(waveform, dtype=np.float32)
