"""Whether an exported file says what its run says: both score the same made-up clips, at several lengths and batches.

The clips are synthetic speech, so that a check needs no corpus. Its scores mean nothing; that they agree means much.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from src.audio.io import SPEECH_RATE
from src.audio.voices import draw_voice, speak
from src.deploy.exporting.formats import Run
from src.deploy.exporting.module import Exportable
from src.deploy.judge import Judge

SIZES = ((0.5, 1), (0.5, 8), (1.3, 2), (4.0, 1), (4.0, 8), (30.0, 1), (30.0, 2))
"""Seconds and clips of the batches of a check."""


@dataclass(frozen=True)
class Check:
    """A batch that the file and the run have scored."""

    seconds: float
    clips: int
    difference: float
    """The largest between two scores of a clip, in natural units."""
    largest_score: float
    """The largest magnitude of a score of the run."""

    def as_json(self) -> dict[str, float]:
        """Return what a sidecar says of it."""
        return {"seconds": self.seconds, "clips": self.clips, "largest_difference": self.difference}


def compare(
    run: Run, judge: Judge, exportable: Exportable, sizes: tuple[tuple[float, int], ...] = SIZES
) -> list[Check]:
    """Score made-up clips by the file and by the run.

    Parameters
    ----------
    run : Run
        The file in its own runtime.
    judge : Judge
        The run itself.
    exportable : Exportable
        Says which lengths the file takes; longer batches are made of clips of its longest.
    sizes : sequence of (seconds, clips)

    Returns
    -------
    list of Check
        In the order of the sizes; those below the shortest length are left out, and a size that occurs twice.
    """
    found: dict[tuple[int, int], Check] = {}
    for seconds, clips in sizes:
        n_samples = min(round(seconds * SPEECH_RATE), exportable.longest or round(seconds * SPEECH_RATE))
        if n_samples >= exportable.shortest and (n_samples, clips) not in found:
            found[n_samples, clips] = _compare(run, judge, made_up_clips(clips, n_samples))
    return list(found.values())


def made_up_clips(n_clips: int, n_samples: int) -> np.ndarray:
    """Return synthetic speech of different voices, shape (n_clips, n_samples), float32."""
    return np.stack(list(_voices(n_clips, n_samples)))


def _voices(n_clips: int, n_samples: int) -> Iterator[np.ndarray]:
    for number in range(n_clips):
        rng = np.random.default_rng(number)
        yield speak(draw_voice("FM"[number % 2], rng), n_samples / SPEECH_RATE, rng)


def _compare(run: Run, judge: Judge, waveforms: np.ndarray) -> Check:
    mine, theirs = np.asarray(run(waveforms), np.float64), judge.score(list(waveforms))
    if mine.shape != theirs.shape or not np.isfinite(mine).all():
        raise ValueError(
            f"The file gives {mine.shape} scores, not all of them finite, for {len(theirs)} clips; it was removed."
        )
    difference, seconds = float(np.abs(mine - theirs).max()), waveforms.shape[1] / SPEECH_RATE
    return Check(seconds, len(waveforms), difference, float(np.abs(theirs).max()))
