"""Whether an exported file says what its run says: both score the same made-up clips, at several lengths and batches.

The clips are synthetic speech, so that a check needs no corpus. Its scores mean nothing; that they agree means much.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from src.audio.io import SPEECH_RATE
from src.audio.voices import draw_voice, speak
from src.deploy.exporting.capture import in_short
from src.deploy.exporting.formats import Run
from src.deploy.exporting.module import Exportable, jump_of
from src.deploy.judge import Judge

SIZES: Mapping[float, Sequence[int]] = {0.1: (2,), 0.5: (1, 8), 1.3: (2,), 4.0: (1, 8), 30.0: (1, 2)}
"""Seconds -> clips of the batches of a check."""


@dataclass(frozen=True)
class Check:
    """A batch that the file and the run have scored."""

    seconds: float
    clips: int
    difference: float
    """The largest between two scores of a clip, in natural units."""
    unexplained: float
    """The largest that is left where a clip's jump over the thresholds of trees is taken off."""
    largest_score: float
    """The largest magnitude of a score of the run."""
    scores: tuple[float, ...] = ()
    """Of the file."""
    expected: tuple[float, ...] = ()
    """Of the run."""

    def as_json(self) -> dict[str, float]:
        """Return what a sidecar says of it."""
        return {"seconds": self.seconds, "clips": self.clips, "largest_difference": self.difference}


def compare(
    run: Run, judge: Judge, exportable: Exportable, sizes: Mapping[float, Sequence[int]] = SIZES
) -> list[Check]:
    """Score made-up clips by the file and by the run.

    Parameters
    ----------
    run : Run
        The file in its own runtime.
    judge : Judge
        The run itself.
    exportable : Exportable
        Says which lengths the file takes; what is longer is cut to its longest, what is shorter left out.
    sizes : mapping of float to sequence of int

    Returns
    -------
    list of Check
        In the order of the sizes.

    Raises
    ------
    ValueError
        When the file gives no score for each clip, or one that is not finite.
    """
    found: dict[int, list[Check]] = {}
    for seconds, batches in sizes.items():
        n_samples = min(round(seconds * SPEECH_RATE), exportable.longest or round(seconds * SPEECH_RATE))
        if n_samples >= exportable.shortest and n_samples not in found:
            clips = made_up_clips(max(batches), n_samples)
            scores = judge.score(list(clips))
            with torch.no_grad():
                jumps = jump_of(exportable.module, torch.from_numpy(clips)).numpy()
                exact = exportable.module(torch.from_numpy(clips)).numpy() if exportable.rounded else scores
            found[n_samples] = [
                _compared(run, clips[:count], scores[:count], exact[:count], jumps[:count]) for count in batches
            ]
    return [check for checks in found.values() for check in checks]


def made_up_clips(n_clips: int, n_samples: int) -> np.ndarray:
    """Return synthetic speech of different voices, shape (n_clips, n_samples), float32."""
    clips = []
    for number in range(n_clips):
        rng = np.random.default_rng(number)
        clips.append(speak(draw_voice("FM"[number % 2], rng), n_samples / SPEECH_RATE, rng))
    return np.stack(clips)


def _compared(run: Run, clips: np.ndarray, expected: np.ndarray, exact: np.ndarray, jumps: np.ndarray) -> Check:
    """Run a batch; `exact` are the scores in float32 where the run rounds to less, `expected` those of the run."""
    size = f"{len(clips)} x {clips.shape[1] / SPEECH_RATE:g} s"
    try:
        scores = np.asarray(run(clips), np.float64)
    except Exception as error:  # each runtime raises errors of its own
        raise ValueError(f"The file cannot be run on {size} ({in_short(error)}); it was removed.") from None
    if scores.shape != expected.shape or not np.isfinite(scores).all():
        raise ValueError(
            f"The file gives scores of the shape {scores.shape}, or some that are not finite, for {size}; it was "
            "removed."
        )
    difference = float(np.abs(scores - expected).max())
    unexplained = float((np.abs(scores - exact) - jumps).clip(0).max())
    largest = float(np.abs(expected).max())
    of_file, of_run = tuple(scores.tolist()), tuple(expected.tolist())
    return Check(clips.shape[1] / SPEECH_RATE, len(clips), difference, unexplained, largest, of_file, of_run)
