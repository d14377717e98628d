"""What an exported file does to the error rate: the EER of its scores of the validation clips beside the run's own.

Weights of eight bits give other scores, so their differences can refuse only what is far off. What they must not spoil
is the order of the clips: the EER may rise by what chance explains, `ALLOWED_RISE` or two clips of the smaller class,
whichever is more. Where there is no EER, the made-up clips of the check must be ordered as by the run.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata

from src.audio.io import UnusableAudio, load_waveform
from src.deploy.exporting.checking import Check
from src.deploy.exporting.formats import Run
from src.deploy.exporting.module import Exportable
from src.experiments.runs.artefacts import VAL_SCORES, read_scores
from src.experiments.training.trained import Trained
from src.metrics.eer import eer_of
from src.utils.labels import LABEL_NAMES

ALLOWED_RISE = 0.05
"""Of the EER, by eight bits."""
LEAST_CORRELATION, FEWEST = 0.9, 5
"""Of the ranks of at least so many made-up clips."""


@dataclass(frozen=True)
class Agreement:
    """The scores that a run and its exported file give the validation clips."""

    clips: int
    eer_before: float
    eer_after: float
    largest_difference: float
    left_out: int
    """Clips that are longer or shorter than the file takes, or cannot be read any more."""
    one_clip: float
    """By how much a clip of the smaller class moves the EER."""

    @property
    def rise(self) -> float:
        """By how much the EER is higher after than before."""
        return self.eer_after - self.eer_before

    def as_json(self) -> dict[str, Any]:
        """Return its fields."""
        return asdict(self)


def validate(run: Run, trained: Trained, exportable: Exportable) -> Agreement | str:
    """Score the validation clips of a run by its exported file, one by one.

    Returns
    -------
    Agreement or str
        Why there is none, in words, where the run keeps no scores or its corpus is gone.
    """
    if not (trained.folder / VAL_SCORES).is_file():
        return f"{trained.name} keeps no scores of its validation clips"
    dataset = trained.recipe.dataset
    table = read_scores(trained.folder, VAL_SCORES)
    if not dataset.is_dir():
        return f"its corpus is not at {dataset.name} any more"
    after = np.array([_score(run, dataset / file, exportable) for file in table["file"]])
    used = np.isfinite(after)
    labels = (table["label"] == LABEL_NAMES[1]).to_numpy(int)[used]
    if len(np.unique(labels)) < 2:
        return f"the recordings of both classes cannot be read at {dataset.name} any more"
    before = table["score"].to_numpy(float)[used]
    difference = float(np.abs(after[used] - before).max())
    one_clip = 1 / int(np.bincount(labels).min())
    eers = eer_of(labels, before), eer_of(labels, after[used])
    return Agreement(int(used.sum()), *eers, difference, int((~used).sum()), one_clip)


def require_order(agreement: Agreement | str, checks: Sequence[Check], name: str) -> None:
    """Raise ValueError when weights of eight bits spoil the order of the clips."""
    found = ""
    if isinstance(agreement, Agreement):
        allowed = max(ALLOWED_RISE, 2 * agreement.one_clip)
        if agreement.rise > allowed + 1e-9:
            found = (
                f"the EER of {agreement.clips} validation clips rises from {agreement.eer_before:.2%} to "
                f"{agreement.eer_after:.2%}, and {100 * allowed:.3g} points are allowed"
            )
    elif (correlation := rank_correlation(checks)) < LEAST_CORRELATION:
        found = f"the ranks of its scores and of the run's have a correlation of {correlation:.2f} on made-up clips"
    if found:
        raise ValueError(
            f"Eight bits spoil the scores of {name}: {found}. The file was removed; export with `precision=fp32`."
        )


def rank_correlation(checks: Sequence[Check]) -> float:
    """Return Spearman's correlation of the scores of a file and its run; 1 where there are too few that differ."""
    scores = np.concatenate([check.scores for check in checks])
    expected = np.concatenate([check.expected for check in checks])
    if len(set(expected)) < FEWEST:
        return 1.0
    if np.ptp(scores) == 0:
        return 0.0
    return float(np.corrcoef(rankdata(scores), rankdata(expected))[0, 1])


def _score(run: Run, path: Path, exportable: Exportable) -> float:
    """Return the score of a recording; NaN where the file does not take it."""
    try:
        waveform = load_waveform(path)
    except (FileNotFoundError, UnusableAudio):
        return np.nan
    if not exportable.shortest <= len(waveform) <= (exportable.longest or len(waveform)):
        return np.nan
    return float(run(waveform[None])[0])
