"""The scores of whole clips: the mean over their windows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from src.audio.io import SPEECH_RATE, count_samples, load_waveform
from src.audio.unusable import UnusableAudio
from src.detectors.contract import BONA_FIDE, DetectorConfig, Output
from src.detectors.training.objectives import Objective
from src.detectors.training.windows import (
    conditioned,
    own_samples,
    why_unusable,
    window_samples,
    window_starts,
    windows_of,
)

SCORING_BATCH = 32
"""Windows that go through a network at once."""

Windows = tuple[np.ndarray, np.ndarray]
"""The windows of a clip, shape (k, n), and how many samples of each are its own, shape (k,)."""


class Batch(NamedTuple):
    """Windows of clips."""

    waveforms: torch.Tensor
    """Shape (b, n)."""
    lengths: torch.Tensor
    """Shape (b,): how many samples of each window are its clip's."""
    owners: np.ndarray
    """Shape (b,): the number of each window's clip."""


class WholeClips(Dataset[Windows | str]):
    """The windows of whole clips; an error of one line in place of those of a clip that cannot be used."""

    def __init__(self, paths: Sequence[str], config: DetectorConfig) -> None:
        self.paths, self.config = paths, config
        self.length = window_samples(config.seconds)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> Windows | str:
        path = Path(str(self.paths[number]))
        try:
            waveform = load_waveform(path)
        except UnusableAudio as error:
            return why_unusable(path, error)
        windows = windows_of(waveform, self.length, self.config.padding)
        own = own_samples(len(waveform), self.length, self.config.padding)
        windows = np.stack([conditioned(window, own, self.config) for window in windows])
        return windows, np.full(len(windows), own)

    def part(self, number: int, count: int) -> "WholeClips":
        """Return every `count`-th clip from the one with this number on."""
        return WholeClips(self.paths[number::count], self.config)

    def n_samples(self, number: int) -> int:
        """Return how long a clip is."""
        return count_samples(Path(str(self.paths[number])))


def forward(network: nn.Module, waveforms: torch.Tensor, lengths: torch.Tensor) -> Output:
    """Run windows (b, n) through a network; one that takes lengths is told how much of each window is its clip's."""
    if getattr(network, "takes_lengths", False):
        output: Output = network(waveforms, lengths)
    else:
        output = network(waveforms)
    return output


def batches_of(clips: WholeClips, *, workers: int) -> Iterator[Batch]:
    """Yield the windows of clips in batches of SCORING_BATCH.

    Raises
    ------
    ValueError
        When a recording cannot be used.
    """
    waiting: list[tuple[np.ndarray, int, int]] = []
    for number, read in enumerate(DataLoader(clips, batch_size=None, num_workers=workers)):
        if isinstance(read, str):
            raise ValueError(read)
        windows, own = read
        waiting.extend((np.asarray(window), int(length), number) for window, length in zip(windows, own, strict=True))
        while len(waiting) >= SCORING_BATCH:
            yield _batch(waiting[:SCORING_BATCH])
            del waiting[:SCORING_BATCH]
    if waiting:
        yield _batch(waiting)


def _batch(windows: Sequence[tuple[np.ndarray, int, int]]) -> Batch:
    waveforms, lengths, owners = zip(*windows, strict=True)
    return Batch(torch.from_numpy(np.stack(waveforms).astype(np.float32)), torch.tensor(lengths), np.array(owners))


@torch.inference_mode()
def score_clips(network: nn.Module, objective: Objective, clips: WholeClips, *, workers: int = 0) -> np.ndarray:
    """Return the score of every clip, shape (n,): higher = more bona fide."""
    training, device = network.training, next(network.parameters()).device
    network.eval()
    sums, counts = np.zeros(len(clips)), np.zeros(len(clips))
    for batch in batches_of(clips, workers=workers):
        output = forward(network, batch.waveforms.to(device), batch.lengths.to(device))
        np.add.at(sums, batch.owners, objective.scores(output).double().cpu().numpy())
        np.add.at(counts, batch.owners, 1)
    network.train(training)
    return sums / counts


@dataclass(frozen=True)
class FrameScores:
    """The scores of the frames of one clip."""

    scores: np.ndarray
    """Shape (t,): higher = more bona fide."""
    seconds: float
    """Time that a frame stands for: frame i from i to i + 1 times this."""
    duration: float
    """Of the clip, in seconds."""


@torch.inference_mode()
def score_frames(network: nn.Module, clips: WholeClips) -> list[FrameScores]:
    """Return the scores of every clip's frames: log-odds of bona fide, averaged where windows overlap."""
    device, seconds = next(network.parameters()).device, float(network.frame_seconds)  # type: ignore[arg-type]
    network.eval()
    found = []
    for number in range(len(clips)):
        read = clips[number]
        if isinstance(read, str):
            raise ValueError(read)
        windows, own = (torch.from_numpy(np.asarray(part)).to(device) for part in read)
        parts = zip(windows.float().split(SCORING_BATCH), own.split(SCORING_BATCH), strict=True)
        scores = np.concatenate([_log_odds_of_frames(forward(network, *part)) for part in parts])
        n_samples = clips.n_samples(number)
        starts = [start / SPEECH_RATE for start in window_starts(n_samples, clips.length)]
        duration = n_samples / SPEECH_RATE
        found.append(FrameScores(_joined(scores, starts, seconds, duration), seconds, duration))
    return found


def _log_odds_of_frames(output: Output) -> np.ndarray:
    assert output.frame_logits is not None
    logits = output.frame_logits.double().cpu().numpy()
    return logits[..., BONA_FIDE] - logits[..., 1 - BONA_FIDE]


def _joined(scores: np.ndarray, starts: Sequence[float], seconds: float, duration: float) -> np.ndarray:
    """Return the scores of a clip's frames from those of its windows (k, t), which begin at `starts` s.

    A window has no frame for its last milliseconds; where the next one begins behind them, the frame between the two
    gets what lies between its neighbours.
    """
    places = np.array([round(start / seconds) for start in starts])[:, None] + np.arange(scores.shape[1])
    n_frames = min(int(places.max()) + 1, max(1, int(duration / seconds + 1e-6)))
    kept = places < n_frames
    sums = np.bincount(places[kept], weights=scores[kept], minlength=n_frames)
    counts = np.bincount(places[kept], minlength=n_frames)
    seen = np.flatnonzero(counts)
    return np.interp(np.arange(n_frames), seen, sums[seen] / counts[seen])
