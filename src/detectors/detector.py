"""The base of all detectors: the contract of classifiers, for a network on waveforms.

A detector names its Config and builds its network; training, scores and weights are the same for all. The network and
the objective of its loss are trained, saved and loaded together, because some objectives hold directions from which the
score is taken.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import nn

from src.audio.io import SPEECH_RATE
from src.detectors.compression import Compression, bytes_of
from src.detectors.contract import DetectorConfig
from src.detectors.quantization import check_dense, check_torchao, convert, prepare
from src.detectors.training.lesson import Lesson, Surroundings, Training, load_weights
from src.detectors.training.loop import train_network
from src.detectors.training.objectives import make_objective
from src.detectors.training.progress import Progress
from src.detectors.training.scoring import GivenClips, Scored, WholeClips, forward, score_clips
from src.detectors.training.windows import window_samples
from src.learning.augmentation import Augmentation
from src.learning.randomness import own_randomness
from src.learning.weights import digest_of, save_weights
from src.metrics.localization import FrameScores
from src.models.contract import History, Watch, Workspace, keep_going, reading_weights
from src.utils.devices import choose_device, choose_precision
from src.utils.files import text_digest
from src.utils.processes import check_launcher, join_others, n_processes
from src.utils.waveform_table import WaveformTable

WEIGHTS = "best_model.safetensors"


class Detector(ABC):
    """A network, its training and its weights."""

    Config: ClassVar[type[DetectorConfig]]
    takes: ClassVar[str] = "waveforms"
    files: ClassVar[tuple[str, ...]] = (WEIGHTS,)
    min_samples: ClassVar[int] = 1
    """The shortest window that the network can see."""
    recomputes: ClassVar[bool] = False
    """Whether the network heeds `checkpointing`."""
    workspace: Workspace | None = None
    """Where a training keeps its checkpoints; whoever trains sets it."""

    def __init__(self, config: DetectorConfig, *, seed: int = 7) -> None:
        self.config, self.seed = config, seed
        self.device = choose_device("auto")
        self.trained: Training
        self.start_digest = ""
        """Of the published weights that a training began with; "" where they were random."""
        self.n_trained: int
        """How many numbers a training changed."""
        self.compression: Compression | None = None
        """What pruning and quantisation changed in a training; None where there was none of them."""

    @property
    def n_parameters(self) -> int:
        """How many numbers the network learns or was given, of one that is trained or loaded."""
        return sum(parameter.numel() for parameter in self.trained.network.parameters())

    @abstractmethod
    def build(self) -> nn.Module:
        """Return the network at the start of a training; its weights are random, or published ones."""

    def rebuild(self) -> nn.Module:
        """Return a network whose weights are about to be read: those that a training began with may be gone by then."""
        without: dict[str, Any] = {"weights": ""} if hasattr(self.config, "weights") else {}
        return type(self)(replace(self.config, **without)).build()

    def parameter_groups(self, network: nn.Module) -> list[dict[str, Any]]:
        """Return what is trained, with the factor `scale` on its learning rate; by default all that is not frozen."""
        return [{"params": [each for each in network.parameters() if each.requires_grad], "scale": 1.0}]

    @property
    def unchanging(self) -> str:
        """How the names of weights begin that `build` gives back as they are after any training; "" for none."""
        return ""

    def fit(self, train: WaveformTable, val: WaveformTable, watch: Watch = keep_going) -> History:
        """Train on the clips of `train`; keep the weights of the epoch that is best on whole clips of `val`."""
        check_launcher()
        self._check()
        if self.config.augment:
            Augmentation(train, self.config).check()
        join_others()  # each then finds its device
        with own_randomness(self.seed):
            self.trained = self._untrained(self.build(), train.labels)
            self.start_digest = digest_of(self.trained.network) if getattr(self.config, "weights", "") else ""
            _check_batch(self.trained, min(self.config.batch_size, len(train)))
            if self.config.quantize:
                check_dense(self.trained.network, window_samples(self.config.seconds))
                self.compression = Compression(self.n_parameters, bytes_of(self.trained))
            history = self._learn(train, val, self._surroundings(watch))
        if self.compression:
            self.compression = replace(self.compression, parameters=self.n_parameters)
        return history

    def _learn(self, train: WaveformTable, val: WaveformTable, around: Surroundings) -> History:
        """Train the network."""
        return self._train(train, val, self.config, self.seed, around).history

    def _train(
        self, train: WaveformTable, val: WaveformTable, config: DetectorConfig, seed: int, around: Surroundings
    ) -> Progress:
        """Train the network as it is, by a config and a seed that may be those of a part of the whole training."""
        network, n_samples = self.trained.network, window_samples(config.seconds)
        if config.quantize:
            prepare(network, n_samples)
        groups = self.parameter_groups(network)
        self.n_trained = sum(parameter.numel() for group in groups for parameter in group["params"])
        groups.append({"params": list(self.trained.objective.parameters()), "scale": 1.0})
        lesson = Lesson(self.trained, train, val, config, seed, groups, self.unchanging)
        progress = train_network(lesson, self._recipe(train, val), around)
        if config.quantize:
            convert(network)
        return progress

    def scores(self, paths: Sequence[str] | np.ndarray) -> np.ndarray:
        """Return the scores of whole recordings, shape (n,): higher = more bona fide."""
        return self._scored(paths).scores

    def waveform_scores(self, waveforms: Sequence[np.ndarray]) -> np.ndarray:
        """Return the scores of waveforms of any lengths at 16 kHz, as those of recordings that hold them."""
        return self._scored_clips(GivenClips(waveforms, self.config)).scores

    def frame_scores(self, paths: Sequence[str] | np.ndarray) -> list[FrameScores] | None:
        """Return the scores of the frames of whole recordings; None where the network decides on windows alone."""
        return self._scored(paths).frames if self.decides_frames else None

    @property
    def decides_frames(self) -> bool:
        """Whether the network gives a decision for every frame."""
        return False

    def save(self, folder: Path) -> None:
        """Write the weights of network and objective."""
        save_weights(self.trained, folder / WEIGHTS, self.unchanging)
        if self.compression:
            self.compression = replace(self.compression, bytes=(folder / WEIGHTS).stat().st_size)

    @classmethod
    def load(cls, folder: Path, config: DetectorConfig) -> Self:
        """Read what `save` wrote."""
        detector = cls(config)
        with own_randomness(detector.seed):
            detector.trained = detector._untrained(detector.rebuild())
        with reading_weights(folder / WEIGHTS):
            load_weights(detector.trained, folder / WEIGHTS)
        return detector

    def _scored(self, paths: Sequence[str] | np.ndarray) -> Scored:
        return self._scored_clips(WholeClips([str(path) for path in paths], self.config))

    def _scored_clips(self, clips: WholeClips) -> Scored:
        self.trained.to(self.device)
        return score_clips(self.trained.network, self.trained.objective, clips)

    def _untrained(self, network: nn.Module, labels: np.ndarray | None = None) -> Training:
        """Return a network and the objective that goes with it, before a training on clips of these labels."""
        network = network.to(self.device)
        counts = np.bincount(labels, minlength=2) if labels is not None and self.config.balance else np.ones(2)
        weights = torch.tensor(counts.sum() / (2 * counts), dtype=torch.float32)
        size = embedding_size(network, window_samples(self.config.seconds))
        objective = make_objective(self.config.loss, weights, size).to(self.device)
        return Training(network, objective, self.config)

    def _check(self) -> None:
        """Raise ValueError when this machine, the network, or a window, does not do for the config."""
        if window_samples(self.config.seconds) < self.min_samples:
            raise ValueError(
                f"`seconds={self.config.seconds:g}` is shorter than what the network sees at once: "
                f"{self.min_samples / SPEECH_RATE:.3g} seconds or more are needed."
            )
        if self.config.quantize:
            check_torchao()
        if self.config.checkpointing and not self.recomputes:
            raise ValueError("This network keeps all its activations: leave out `checkpointing`.")
        if self.config.precision == "bf16" and choose_precision("auto", self.device) != "bf16":
            raise ValueError(
                f"This machine has no hardware for bf16 (device {self.device}): train with `precision=fp32`."
            )

    def _recipe(self, train: WaveformTable, val: WaveformTable) -> str:
        """Return what identifies a training: the detector, its config and start, the seed, the clips, the processes."""
        clips = [list(map(str, table.files)) for table in (train, val)]
        start = [type(self).__name__, asdict(self.config), self.start_digest, self.seed]
        return text_digest(json.dumps([*start, clips, n_processes()]))

    def _surroundings(self, watch: Watch) -> Surroundings:
        if self.workspace is None:
            raise ValueError("A detector needs a `workspace` to train: the folder where it keeps its checkpoints.")
        place = self.workspace
        return Surroundings(place.folder, watch, place.curves, place.workers)


def _check_batch(network: nn.Module, size: int) -> None:
    """Raise ValueError when a process has no window of a batch, or a network normalises over a batch of one."""
    if size < n_processes():
        raise ValueError(
            f"A batch of {size} windows is shared by {n_processes()} processes, and some would have none: launch "
            "fewer, or give a larger `batch_size` (of no more windows than there are training clips)."
        )
    norms = [each for each in network.modules() if isinstance(each, nn.BatchNorm1d | nn.BatchNorm2d)]
    if size < 2 and any(any(parameter.requires_grad for parameter in norm.parameters()) for norm in norms):
        raise ValueError(f"This network normalises over its batch: `batch_size` must be 2 or more, not {size}.")


@torch.inference_mode()
def embedding_size(network: nn.Module, n_samples: int) -> int:
    """Return the size of a network's embedding, by running a silent window through it."""
    training = network.training
    network.eval()
    device = next(network.parameters()).device
    window = torch.zeros(1, n_samples, device=device)
    output = forward(network, window, torch.tensor([n_samples], device=device))
    network.train(training)
    return int(output.embedding.shape[1])
