"""The scores of whole clips, the mean over their windows; and of their frames, where a network decides these."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

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
    window_samples,
    window_starts,
    windows_of,
)
from src.learning.recordings import why_unusable
from src.metrics.localization import FrameScores

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
            return self._windows(self.heard(load_waveform(path), number))
        except UnusableAudio as error:
            return why_unusable(path, error)

    def part(self, number: int, count: int) -> "WholeClips":
        """Return every `count`-th clip from the one with this number on."""
        return WholeClips(self.paths[number::count], self.config)

    def heard(self, waveform: np.ndarray, number: int) -> np.ndarray:
        """Return a clip (n,) as the network is to hear it: here as it is."""
        return waveform

    def n_samples(self, number: int) -> int:
        """Return how long a clip is."""
        return count_samples(Path(str(self.paths[number])))

    def _windows(self, waveform: np.ndarray) -> Windows:
        windows = windows_of(waveform, self.length, self.config.padding)
        own = own_samples(len(waveform), self.length, self.config.padding)
        windows = np.stack([conditioned(window, own, self.config) for window in windows])
        return windows, np.full(len(windows), own)


class GivenClips(WholeClips):
    """The windows of clips whose waveforms, at 16 kHz, are in memory already."""

    def __init__(self, waveforms: Sequence[np.ndarray], config: DetectorConfig) -> None:
        super().__init__([""] * len(waveforms), config)
        self.waveforms = waveforms

    def __getitem__(self, number: int) -> Windows:
        return self._windows(self.waveforms[number])

    def n_samples(self, number: int) -> int:
        """Return how long a clip is."""
        return len(self.waveforms[number])


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


class Scored(NamedTuple):
    """What a network says of clips."""

    scores: np.ndarray
    """Shape (n,): higher = more bona fide."""
    frames: list[FrameScores] | None
    """Of each clip: log-odds, averaged where windows overlap; None where the network decides on windows alone."""

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Join the k parts of `WholeClips.part`: the first has clips 0, k, 2k, ..., the second 1, k + 1, ..."""
        scores = np.empty(sum(len(part.scores) for part in parts))
        frames: dict[int, FrameScores] = {}
        for first, part in enumerate(parts):
            scores[first :: len(parts)] = part.scores
            frames.update(zip(range(first, len(scores), len(parts)), part.frames or (), strict=False))
        return cls(scores, [frames[number] for number in sorted(frames)] or None)


@torch.inference_mode()
def score_clips(network: nn.Module, objective: Objective, clips: WholeClips, *, workers: int = 0) -> Scored:
    """Return the scores of clips, and of their frames where the network decides these, in one pass."""
    training, device = network.training, next(network.parameters()).device
    network.eval()
    sums, counts = np.zeros(len(clips)), np.zeros(len(clips))
    frames: list[list[np.ndarray]] = [[] for _ in range(len(clips))]
    for batch in batches_of(clips, workers=workers):
        output = forward(network, batch.waveforms.to(device), batch.lengths.to(device))
        np.add.at(sums, batch.owners, objective.scores(output).double().cpu().numpy())
        np.add.at(counts, batch.owners, 1)
        if output.frame_logits is not None:
            for owner, log_odds in zip(batch.owners, _log_odds_of_frames(output.frame_logits), strict=True):
                frames[owner].append(log_odds)
    network.train(training)
    if not any(frames):
        return Scored(sums / counts, None)
    seconds = float(network.frame_seconds)  # type: ignore[arg-type]
    return Scored(sums / counts, [_frames_of(clips, n, np.stack(own), seconds) for n, own in enumerate(frames)])


def _frames_of(clips: WholeClips, number: int, scores: np.ndarray, seconds: float) -> FrameScores:
    """Return the scores of a clip's frames from those of its windows, shape (k, t)."""
    n_samples = clips.n_samples(number)
    starts = [start / SPEECH_RATE for start in window_starts(n_samples, clips.length)]
    duration = n_samples / SPEECH_RATE
    return FrameScores(_joined(scores, starts, seconds, duration), seconds, duration)


def _log_odds_of_frames(frame_logits: torch.Tensor) -> np.ndarray:
    logits = frame_logits.double().cpu().numpy()
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
