"""Run the model on batches, halved until they fit into memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from src.backbones.contract import Backbone, Statistics


@dataclass
class Computer:
    """Starts batches on a backbone; halves a batch that does not fit into memory, and all later ones as large."""

    backbone: Backbone
    max_samples: float = np.inf
    """Larger batches, in samples with padding, are halved without trying."""

    def begin(self, waveforms: Sequence[np.ndarray]) -> Callable[[], Statistics]:
        """Start computing the statistics of b waveforms; the function returned waits for them.

        Raises
        ------
        ValueError
            When a single waveform does not fit into memory.
        """
        padded = len(waveforms) * max(map(len, waveforms))
        if len(waveforms) > 1 and padded > self.max_samples:
            return self._in_halves(waveforms)
        try:
            return self.backbone.begin(waveforms)
        except (RuntimeError, MemoryError) as error:
            from src.utils.devices import out_of_memory, release_memory  # imports torch

            if not out_of_memory(error):
                raise
        release_memory()  # outside of the handler, which holds on to the batch's arrays
        if len(waveforms) == 1:
            raise ValueError(
                f"{padded / self.backbone.rate:.1f} seconds of sound do not fit into memory at once: "
                "give a lower `max_seconds` (1 or more), or `precision=bf16`."
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
