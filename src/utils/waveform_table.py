"""Clips whose recordings a detector reads itself: a table of paths, and of what a training may know about each clip."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from src.metrics.localization import FrameScores, ScoredClip
from src.utils.clip_table import ClipTable
from src.utils.labels import SPOOF
from src.utils.segments import parse_segments


@dataclass(frozen=True)
class WaveformTable(ClipTable):
    """Clips with their recordings."""

    paths: np.ndarray
    """Shape (n,): where the recordings lie."""
    segments: np.ndarray
    """Shape (n,): the spoofed stretches of a partly spoofed clip, as the files table has them; empty for the others."""
    originals: np.ndarray
    """Shape (n,): the bona fide clip, as in `files`, that a spoof was copied from; empty where there is none."""
    teacher_scores: np.ndarray
    """Shape (n,): log-likelihood ratios by which a teacher run judges the clips; NaN without a teacher."""

    @property
    def inputs(self) -> np.ndarray:
        """The paths of the recordings, shape (n,)."""
        return self.paths

    def with_truth(self, frames: Sequence[FrameScores]) -> list[ScoredClip]:
        """Join the scores of the clips' frames with where the clips are spoofed: all of a spoof without `segments`."""
        clips = []
        for scored, cell, label in zip(frames, self.segments, self.labels, strict=True):
            spans = parse_segments(str(cell))
            if not len(spans) and label == SPOOF:
                spans = np.array([[0.0, scored.duration]])
            clips.append(ScoredClip(scored.scores, scored.seconds, spans, scored.duration))
        return clips
