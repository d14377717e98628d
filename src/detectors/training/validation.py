"""The clips that the epochs of a training are judged by.

They are the validation clips as they are and, where training windows are augmented, each of them once more as the
recipe distorts it: a network that learns to bear distortions is not to be chosen by undistorted speech alone. On 600
clips that chose weights of an early epoch, whose errors on distorted speech were a seventh more than those of the last
(docs/benchmarks.md). What happens to a clip follows from seed and clip, so all epochs hear the same. Effects that
change the length are left out. Calibration, threshold and the EER that a run reports are of the clips as they are.
"""

from copy import copy
from typing import Self

import numpy as np

from src.detectors.contract import DetectorConfig
from src.detectors.training.scoring import WholeClips, Windows
from src.learning.augmentation import Augmentation
from src.utils.waveform_table import WaveformTable


class ValidationClips(WholeClips):
    """The clips of a table and, where its config has a recipe, the same clips behind them as it distorts them."""

    def __init__(self, table: WaveformTable, config: DetectorConfig, seed: int) -> None:
        self.augmented, self.seed, self.n_clips = None, seed, len(table)
        if config.augment:
            self.augmented = Augmentation(table, config, keeps_length=True)
            table = table.one_after_another([table, table])
        self.table, self.numbers = table, range(len(table))
        super().__init__(table.paths.tolist(), config)

    def __getitem__(self, number: int) -> Windows | str:
        try:
            return super().__getitem__(number)
        except (ValueError, FileNotFoundError) as error:  # of a recording that is mixed in
            return str(error)

    def part(self, number: int, count: int) -> Self:
        """Return every `count`-th clip from the one with this number on."""
        part = copy(self)
        part.paths, part.numbers = self.paths[number::count], self.numbers[number::count]
        return part

    def heard(self, waveform: np.ndarray, place: int) -> np.ndarray:
        """Return a clip as it is, or as the recipe distorts it."""
        distorts, number = divmod(self.numbers[place], self.n_clips)
        if not self.augmented or not distorts:
            return waveform
        return self.augmented(waveform, number, np.random.default_rng((self.seed, number)))
