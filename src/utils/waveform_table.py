"""Clips whose recordings a detector reads itself: a table of paths, and of what a training may know about each clip."""

from dataclasses import dataclass

import numpy as np

from src.utils.clip_table import ClipTable


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
