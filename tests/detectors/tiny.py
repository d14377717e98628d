"""A detector small enough for tests: two convolutions on the waveform, and what trains it on clips made up here."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import nn

from src.detectors.contract import DetectorConfig, Output
from src.detectors.detector import Detector
from src.models.contract import Workspace
from src.utils.waveform_table import WaveformTable

RATE = 16_000


@dataclass(frozen=True)
class TinyConfig(DetectorConfig):
    """Hyperparameters of the tiny detector."""

    seconds: float = 0.25
    epochs: int = 4
    batch_size: int = 4
    learning_rate: float = 3e-3
    channels: int = 4
    dropout: float = 0.1

    @classmethod
    def search_space(cls, trial, n_clips=0):
        return cls(channels=trial.suggest_categorical("channels", (2, 4)), epochs=2)


class TinyNetwork(nn.Module):
    """Waveform -> convolutions with batch normalisation -> mean magnitude -> logits."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        self.first = nn.Conv1d(1, config.channels, 16, stride=8)
        self.norm = nn.BatchNorm1d(config.channels)
        self.second = nn.Conv1d(config.channels, 2 * config.channels, 8, stride=4)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(2 * config.channels, 2)

    def forward(self, waveforms: torch.Tensor) -> Output:
        hidden = self.second(torch.relu(self.norm(self.first(waveforms[:, None]))))
        embedding = (hidden.abs().mean(dim=2) + 1e-4).log()
        return Output(self.head(self.dropout(embedding)), embedding)


class Tiny(Detector):
    """The tiny detector."""

    Config = TinyConfig
    min_samples = 100

    def build(self) -> nn.Module:
        return TinyNetwork(self.config)


def write_clips(folder: Path, count: int, *, seed: int, start: int = 0) -> WaveformTable:
    """Write clips of 0.1 to 0.6 s, alternately tones in noise (bona fide) and purer tones (spoofs)."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number in range(count):
        time = np.arange(int(rng.uniform(0.1, 0.6) * RATE)) / RATE
        noise = 0.05 if number % 2 == 0 else 0.01
        tone = 0.1 * np.sin(2 * np.pi * rng.uniform(100, 400) * time) + noise * rng.standard_normal(len(time))
        files.append(f"{start + number}.flac")
        soundfile.write(folder / files[-1], tone.astype(np.float32), RATE)
    labels = np.arange(count) % 2 == 0
    return WaveformTable(
        labels=labels.astype(int),
        genders=np.array(["F", "F", "M", "M"] * count)[:count],
        speakers=np.array([f"Person{number // 4}_F{number // 4:03d}" for number in range(count)]),
        systems=np.where(labels, "", "tone"),
        files=np.array(files),
        paths=np.array([str(folder / file) for file in files]),
        segments=np.array([""] * count),
        originals=np.array([""] * count),
        teacher_scores=np.full(count, np.nan),
    )


def make(folder: Path, *, seed: int = 7, curves: Path | None = None, **config: object) -> Tiny:
    """Return a tiny detector whose workspace is a folder."""
    detector = Tiny(TinyConfig(**config), seed=seed)
    detector.workspace = Workspace(folder, curves)
    return detector
