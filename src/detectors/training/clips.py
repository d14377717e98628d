"""The clips of a training, batch by batch, the same whenever they are drawn.

Every random choice about a clip follows from the seed, the epoch and the clip's number, and the order of an epoch from
the seed and the epoch. Nothing depends on which process reads a clip, or on whether the training was interrupted: that
is what makes a resumed training equal an undisturbed one.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from src.audio.io import SPEECH_RATE
from src.audio.unusable import UnusableAudio
from src.detectors.contract import BONA_FIDE, DetectorConfig
from src.detectors.training.windows import conditioned, fill, own_samples, read_window, window_samples
from src.learning.augmentation import Augmentation
from src.learning.recordings import why_unusable
from src.learning.whole_batch import own_share
from src.metrics.spans import cell_labels
from src.utils.processes import n_processes, own_number
from src.utils.segments import parse_segments
from src.utils.waveform_table import WaveformTable

CELL_SAMPLES = SPEECH_RATE // 100
"""A cell of 10 ms is what is labelled within a partly spoofed clip; frames of any network are made of cells."""
IGNORED = -100
"""Label of a cell that belongs to no clip, by PyTorch's convention."""
Key = tuple[int, int]
"""An epoch and a clip's number."""


class TrainingClips(Dataset[dict[str, Any]]):
    """Windows of training clips, one for each epoch and clip."""

    def __init__(self, table: WaveformTable, config: DetectorConfig, seed: int) -> None:
        self.table, self.config, self.seed = table, config, seed
        self.length = window_samples(config.seconds)
        self.spans = [parse_segments(str(cell)) for cell in table.segments]
        self.augmented = Augmentation(table, config) if config.augment else None

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, key: Key) -> dict[str, Any]:
        """Return a window and what is known of its clip; an `error` instead where the recording cannot be used."""
        epoch, number = key
        rng = np.random.default_rng((self.seed, epoch, number))
        path = Path(str(self.table.paths[number]))
        try:
            stretch, start = read_window(path, self.length, rng)
            if self.augmented:
                stretch = self.augmented(stretch, number, rng)[: self.length]
        except UnusableAudio as error:
            return {"error": why_unusable(path, error)}
        except (ValueError, FileNotFoundError) as error:  # of a recording that is mixed in
            return {"error": str(error)}
        own = own_samples(len(stretch), self.length, self.config.padding)
        window = conditioned(fill(stretch, self.length, self.config.padding), own, self.config)
        window = _silence_a_stretch(window, self.config.mask_seconds, rng)
        return {
            "waveforms": torch.from_numpy(np.ascontiguousarray(window, dtype=np.float32)),
            "labels": int(self.table.labels[number]),
            "lengths": own,
            "cell_labels": torch.from_numpy(self._cell_labels(number, start, len(stretch))),
            "teacher_scores": float(self.table.teacher_scores[number]),
        }

    def _cell_labels(self, number: int, start: int, n_own: int) -> np.ndarray:
        """Return the labels of the cells of a window, IGNORED where zeros follow the clip: shape (cells,), int64.

        Parameters
        ----------
        number : int
            Of the clip.
        start, n_own : int
            The stretch of the clip that the window begins with, in samples.
        """
        label, spans = int(self.table.labels[number]), self.spans[number] - start / SPEECH_RATE
        spans = np.clip(spans, 0, n_own / SPEECH_RATE)
        spans = spans[spans[:, 1] > spans[:, 0]]
        n_cells = max(1, n_own // CELL_SAMPLES)
        partly = len(self.spans[number]) > 0
        own = cell_labels(spans, CELL_SAMPLES / SPEECH_RATE, n_cells) if partly else np.full(n_cells, label)
        whole = self.length // CELL_SAMPLES
        if self.config.padding == "repeat":  # its rounds begin within cells, where it is no whole number of them
            return own[np.minimum(np.arange(whole) * CELL_SAMPLES % max(1, n_own) // CELL_SAMPLES, n_cells - 1)]
        return np.pad(own[:whole], (0, max(0, whole - n_cells)), constant_values=IGNORED)


def collate(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Join items to a batch of tensors; the first error stands for the batch.

    An error that a reading process raised would reach the user with that process's whole traceback in it, so it
    travels as a value and is raised by the loop.
    """
    errors = [item["error"] for item in items if "error" in item]
    return {"error": errors[0]} if errors else torch.utils.data.default_collate(list(items))


class EpochBatches(Sampler[list[Key]]):
    """The batches of an epoch: clips in an order drawn from seed and epoch.

    The last clips of an epoch that do not fill a batch wait for another epoch, where there is more than one batch.
    Clips of one unit, such as a spoof and the clip that it was copied from, stay side by side. Of each batch, a process
    gets its share.
    """

    def __init__(self, units: Sequence[Sequence[int]], batch_size: int, seed: int) -> None:
        self.units, self.batch_size, self.seed = units, batch_size, seed
        self.n_clips = sum(map(len, units))
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose batches come next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return max(1, self.n_clips // self.batch_size)

    def __iter__(self) -> Iterator[list[Key]]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(len(self.units))
        keys = [(self.epoch, number) for place in order for number in self.units[place]]
        for batch in range(len(self)):
            whole = keys[batch * self.batch_size : (batch + 1) * self.batch_size]
            yield list(own_share(whole, own_number(), n_processes()))


def units_of(table: WaveformTable, paired: bool) -> list[list[int]]:
    """Return what stays side by side: each clip alone or, paired, a bona fide clip with the spoofs of it."""
    places = {file: number for number, file in enumerate(table.files) if table.labels[number] == BONA_FIDE}
    units: dict[int, list[int]] = {number: [number] for number in range(len(table))}
    for number, original in enumerate(table.originals):
        if paired and original in places and table.labels[number] != BONA_FIDE:
            units[places[original]].append(number)
            del units[number]
    return list(units.values())


def _silence_a_stretch(window: np.ndarray, longest: float, rng: np.random.Generator) -> np.ndarray:
    """Silence a stretch of a window, of a length drawn up to `longest` seconds (time masking)."""
    masked = int(rng.uniform(0, longest) * SPEECH_RATE)
    if not masked:
        return window
    start = int(rng.integers(0, max(1, len(window) - masked)))
    window = window.copy()
    window[start : start + masked] = 0.0
    return window
