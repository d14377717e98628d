"""The model's part of an extraction: batches that fit into memory, windows pooled into clips."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from src.backbones.contract import Backbone, Statistics
from src.utils.devices import out_of_memory, release_memory


@dataclass
class Computer:
    """Starts batches on a backbone; halves those that memory does not hold, and all that are as large ever after."""

    backbone: Backbone
    max_samples: float = np.inf
    """Samples of a batch, padding included, that fitted or were not tried yet."""

    def begin(self, waveforms: Sequence[np.ndarray]) -> Callable[[], Statistics]:
        """Start computing the statistics of b waveforms; the function returned waits for them.

        Raises
        ------
        ValueError
            When a single waveform is too much for the memory.
        """
        padded = len(waveforms) * max(map(len, waveforms))
        if len(waveforms) > 1 and padded > self.max_samples:
            return self._in_halves(waveforms)
        try:
            return self.backbone.begin(waveforms)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
        release_memory()  # outside of the handler, which holds on to the batch's arrays
        if len(waveforms) == 1:
            raise ValueError(
                f"{padded / self.backbone.rate:.1f} seconds of sound are too much for the memory: "
                "take shorter windows (--max-seconds), or --precision=bf16."
            )
        self.max_samples = padded / 2
        return self._in_halves(waveforms)

    def _in_halves(self, waveforms: Sequence[np.ndarray]) -> Callable[[], Statistics]:
        middle = len(waveforms) // 2
        halves = [self.begin(waveforms[:middle]), self.begin(waveforms[middle:])]

        def wait() -> Statistics:
            statistics, n_frames = zip(*(half() for half in halves), strict=True)
            return np.concatenate(statistics), [count for counts in n_frames for count in counts]

        return wait


@dataclass
class Windows:
    """The windows of a clip, gathered until they are all there."""

    n_windows: int
    statistics: list[np.ndarray] = field(default_factory=list)
    n_frames: list[int] = field(default_factory=list)
    silent: bool = True

    def add(self, statistics: np.ndarray, n_frames: int, silent: bool) -> bool:
        """Take one more window in, shape (layers, 2, d); return whether it was the last."""
        self.statistics.append(statistics)
        self.n_frames.append(n_frames)
        self.silent &= silent
        return len(self.n_frames) == self.n_windows

    def pooled(self) -> tuple[np.ndarray, int]:
        """Return the statistics over the frames of all windows, and how many frames those are."""
        return pool_windows(np.stack(self.statistics), self.n_frames)


def pool_windows(statistics: np.ndarray, n_frames: Sequence[int]) -> tuple[np.ndarray, int]:
    """Return mean and deviation over the frames of several windows from those of each.

    Parameters
    ----------
    statistics : np.ndarray, shape (w, layers, 2, d)
    n_frames : sequence of w int

    Returns
    -------
    np.ndarray, shape (layers, 2, d), and the number of all frames.
    """
    if len(n_frames) == 1:
        return statistics[0], n_frames[0]
    weights = (np.asarray(n_frames) / sum(n_frames))[:, None, None]
    means, deviations = statistics[:, :, 0].astype(np.float64), statistics[:, :, 1].astype(np.float64)
    mean = (weights * means).sum(axis=0)
    variance = (weights * (deviations**2 + (means - mean) ** 2)).sum(axis=0)
    return np.stack([mean, np.sqrt(variance)], axis=1).astype(np.float32), sum(n_frames)
