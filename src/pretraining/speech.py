"""The speech of a pretraining, batch by batch, the same whenever it is drawn.

A batch is crops of equal length, about `batch_seconds` of audio in all. Recordings have other lengths, and none of what
usually evens them out is harmless here: zeros would have to be kept out of every normalisation and of attention, and a
clip that is repeated shows the model what lies under the mask somewhere else. So clips of similar lengths share a
batch, whose crops are as long as its shortest clip allows, in steps of a quarter of a second and at most
`crop_seconds`. No sample is made up, and little is left out. Clips shorter than a second are left out: they hold too
little beside a mask.

In a round every clip is seen once, in an order drawn from the seed and the round; the longest may come in a batch that
is not full. Where crops begin, how they are augmented and what is masked follows from the seed, the batch and
the row: nothing depends on which process reads a batch, or on whether the pretraining was interrupted.

Bona fide speech and spoofs alike are seen: nothing here knows of labels, but that babble is made of bona fide speech.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from src.audio.io import SPEECH_RATE, count_samples, load_stretch
from src.audio.unusable import UnusableAudio
from src.learning.augmentation import Augmentation
from src.learning.recordings import why_unusable
from src.pretraining.contract import Objective, PretrainingConfig
from src.pretraining.masks import draw_masks
from src.utils.waveform_table import WaveformTable

GRID = SPEECH_RATE // 4
"""Lengths of crops are whole numbers of these."""
LEAST = SPEECH_RATE
"""Samples of the shortest clip that is used."""
ORDER, CROP, MASK, DRAWN = range(4)
"""What a random choice is about: part of its seed, so that no two of them are the same."""


@dataclass(frozen=True)
class Speech:
    """Clips that are long enough, and how long their crops may be."""

    table: WaveformTable
    n_samples: np.ndarray
    """Shape (n,): length of each recording."""
    lengths: np.ndarray
    """Shape (n,): longest crop of each."""

    @classmethod
    def of(cls, table: WaveformTable, crop_seconds: float) -> "Speech":
        """Measure the clips of a table.

        Raises
        ------
        ValueError
            When a recording cannot be read; it is named.
        """
        n_samples = np.array([_count_samples(Path(str(path))) for path in table.paths], dtype=int)
        lengths = np.minimum(n_samples, round(crop_seconds * SPEECH_RATE)) // GRID * GRID
        kept = lengths >= LEAST
        return cls(table.take(kept), n_samples[kept], lengths[kept])

    @property
    def seconds(self) -> float:
        """Seconds of speech that a round can show."""
        return float(self.lengths.sum() / SPEECH_RATE)

    def batches(self, batch_samples: int, rng: np.random.Generator) -> list[np.ndarray]:
        """Return the clips of a round, by their numbers, batch by batch; their lengths are the same in every round."""
        order = rng.permutation(len(self.lengths))
        order = order[np.argsort(self.lengths[order], kind="stable")]
        found, start = [], 0
        while start < len(order):
            count = max(1, batch_samples // int(self.lengths[order[start]]))  # the first is the shortest
            found.append(order[start : start + count])
            start += count
        return [found[place] for place in rng.permutation(len(found))]


class Crops(Dataset[dict[str, Any]]):
    """Batches of crops, numbered from 0 through all rounds."""

    def __init__(self, speech: Speech, config: PretrainingConfig, objective: Objective, seed: int) -> None:
        self.speech, self.seed = speech, seed
        self.count_frames: Callable[[int], int] = objective.encoder.count_frames
        self.draw = objective.draw
        self.share = config.mask_share or objective.mask_share
        self.span = config.mask_span or objective.mask_span
        self.batch_samples = round(config.batch_seconds * SPEECH_RATE)
        # what is heard stays beside what was recorded
        self.augmented = Augmentation(speech.table, config, keeps_length=True) if config.augment else None
        self._rounds = {0: self._draw_round(0)}
        self.a_round = len(self._round(0))

    @property
    def mean_seconds(self) -> float:
        """Mean seconds of audio in a batch."""
        samples = [self.speech.lengths[batch].min() * len(batch) for batch in self._round(0)]
        return float(np.mean(samples) / SPEECH_RATE)

    def seconds_until(self, n_batches: int) -> float:
        """Return the seconds of audio in the first batches."""
        rounds, rest = divmod(n_batches, self.a_round)
        of_rest = sum(self.speech.lengths[batch].min() * len(batch) for batch in self._round(rounds)[:rest])
        return rounds * self.mean_seconds * self.a_round + float(of_rest) / SPEECH_RATE

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return a batch: `clean` (b, n), `masks` (b, t), `drawn`, and `heard` (b, n) where it is augmented.

        It is an `error` in place of these where a recording cannot be read.
        """
        round_number, place = divmod(number, self.a_round)
        clips = self._round(round_number)[place]
        length = int(self.speech.lengths[clips].min())
        heard, clean = [], []
        for row, clip in enumerate(clips):
            rng = np.random.default_rng((self.seed, CROP, number, row))
            start = int(rng.integers(0, self.speech.n_samples[clip] - length + 1))
            try:
                clean.append(self._stretch(clip, start, length))
                if self.augmented:
                    heard.append(np.resize(self.augmented(clean[-1], clip, rng), length))
            except (ValueError, FileNotFoundError) as error:
                return {"error": str(error)}
        return self._batch(heard, clean, number)

    def held_out(self, number: int) -> dict[str, Any]:
        """Return a batch of the first round as it was recorded, from the middle of each clip."""
        clips = self._round(0)[number]
        length = int(self.speech.lengths[clips].min())
        starts = (self.speech.n_samples[clips] - length) // 2
        clean = [self._stretch(clip, int(start), length) for clip, start in zip(clips, starts, strict=True)]
        return self._batch([], clean, number)

    def some(self, most: int) -> Iterator[np.ndarray]:
        """Yield clips, at most so many, taken evenly: of each the middle, as it was recorded, (n,) at 16 kHz."""
        count = len(self.speech.lengths)
        for clip in np.linspace(0, count - 1, min(most, count)).astype(int):
            length = int(self.speech.lengths[clip])
            yield self._stretch(clip, int(self.speech.n_samples[clip] - length) // 2, length)

    def _batch(self, heard: Sequence[np.ndarray], clean: Sequence[np.ndarray], number: int) -> dict[str, Any]:
        """Add masks, and what the objective draws."""
        shape = len(clean), self.count_frames(len(clean[0]))
        masks = draw_masks((self.seed, MASK, number), shape, self.share, self.span)
        drawn = self.draw(np.random.default_rng((self.seed, DRAWN, number)), masks)
        return {
            **({"heard": _tensor(heard)} if heard else {}),
            "clean": _tensor(clean),
            "masks": torch.from_numpy(masks),
            "drawn": {name: torch.from_numpy(values) for name, values in drawn.items()},
        }

    def _stretch(self, clip: int, start: int, length: int) -> np.ndarray:
        path = Path(str(self.speech.table.paths[clip]))
        try:
            return load_stretch(path, start, start + length)
        except UnusableAudio as error:
            raise ValueError(why_unusable(path, error)) from None

    def _round(self, number: int) -> list[np.ndarray]:
        """Return the batches of a round; those of the first and of the current one are kept."""
        if number not in self._rounds:
            self._rounds = {0: self._rounds[0], number: self._draw_round(number)}
        return self._rounds[number]

    def _draw_round(self, number: int) -> list[np.ndarray]:
        return self.speech.batches(self.batch_samples, np.random.default_rng((self.seed, ORDER, number)))


class ReadAhead(Dataset[dict[str, Any]]):
    """The first batches of a pretraining, each of which is one item for the processes that read."""

    def __init__(self, crops: Crops, n_batches: int) -> None:
        self.crops, self.n_batches = crops, n_batches

    def __len__(self) -> int:
        return self.n_batches

    def __getitem__(self, number: int) -> dict[str, Any]:
        return self.crops[number]


def _count_samples(path: Path) -> int:
    try:
        return count_samples(path)
    except UnusableAudio as error:
        raise ValueError(why_unusable(path, error)) from None


def _tensor(rows: Sequence[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(rows).astype(np.float32))
