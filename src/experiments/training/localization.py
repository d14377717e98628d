"""Where clips are spoofed, by a detector that decides frame by frame: its errors, and the spans that it finds.

The threshold of frames comes from validation data, as that of clips does: it is the one at which the range EER of the
validation clips is reached. Segments of a test are judged at the resolutions that PartialSpoof reports.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np

from src.metrics.bootstrap import Trials
from src.metrics.localization import RESOLUTIONS, FrameScores, ScoredClip, range_eer, segment_eer, segments_of
from src.metrics.spans import spans_of_frames
from src.metrics.verdict import Metric, as_metric, eer_with_interval
from src.utils.clip_table import ClipTable
from src.utils.waveform_table import WaveformTable

GAP, LEAST = 0.1, 0.06
"""Seconds: spoofed spans that are closer are one, and shorter ones are dropped."""
FRAME_THRESHOLD = "frame_threshold"


@runtime_checkable
class DecidesFrames(Protocol):
    """A model that may score every frame of a recording."""

    def frame_scores(self, paths: np.ndarray, /) -> list[FrameScores] | None:
        """Return the scores of the frames of recordings; None where it decides on whole windows."""


@dataclass(frozen=True)
class Localization:
    """The scored frames of a table of clips, with the truth."""

    table: ClipTable
    clips: list[ScoredClip]

    @cached_property
    def _range(self) -> tuple[float, float]:
        """The range EER, and the score of a frame at which it is reached."""
        return range_eer(self.clips)

    def threshold(self) -> float:
        """Return the score of a frame at which the range EER is reached."""
        return self._range[1]

    def errors(self) -> dict[str, float]:
        """Return the segment EERs and the range EER."""
        found = {key_of(resolution): segment_eer(self.clips, resolution)[0] for resolution in RESOLUTIONS}
        return {**found, "range_eer": self._range[0]}

    def errors_with_intervals(self) -> dict[str, Metric]:
        """Return the same, the segment EERs with their 95 % intervals over people."""
        metrics = {}
        for resolution in RESOLUTIONS:
            labels, scores, owners = segments_of(self.clips, resolution)
            trials = Trials(labels, self.table.speakers[owners])
            metrics[key_of(resolution)] = eer_with_interval(trials, scores)
        return {**metrics, "range_eer": as_metric(self._range[0])}

    def spans(self, threshold: float) -> dict[str, np.ndarray]:
        """Return file -> the stretches (k, 2) in s that are called spoofed."""
        return {
            str(file): spans_of_frames(clip.frame_scores, clip.hop, threshold, gap=GAP, least=LEAST)
            for file, clip in zip(self.table.files, self.clips, strict=True)
        }


def localize(model: object, table: ClipTable) -> Localization | None:
    """Score the frames of clips; None for a model that does not decide frame by frame."""
    if not isinstance(table, WaveformTable) or not isinstance(model, DecidesFrames):
        return None
    found = model.frame_scores(table.paths)
    if found is None:
        return None
    return Localization(table, table.with_truth(found))


def key_of(resolution: float) -> str:
    """Return the key of the segment EER at a resolution in s.

    >>> key_of(0.16)
    'segment_eer_160'
    """
    return f"segment_eer_{round(1000 * resolution)}"
