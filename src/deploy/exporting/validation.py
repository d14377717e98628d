"""What an exported file does to the error rate: the EER of its scores of the validation clips beside the run's own."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from src.audio.io import UnusableAudio, load_waveform
from src.deploy.exporting.formats import Run
from src.deploy.exporting.module import Exportable
from src.experiments.runs.artefacts import VAL_SCORES, read_scores
from src.experiments.training.trained import Trained
from src.metrics.eer import eer_of
from src.utils.labels import LABEL_NAMES


@dataclass(frozen=True)
class Agreement:
    """The scores that a run and its exported file give the validation clips."""

    clips: int
    eer_before: float
    eer_after: float
    largest_difference: float
    left_out: int
    """Clips that are longer or shorter than the file takes, or cannot be read any more."""

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
    return Agreement(
        int(used.sum()), eer_of(labels, before), eer_of(labels, after[used]), difference, int((~used).sum())
    )


def _score(run: Run, path: Path, exportable: Exportable) -> float:
    """Return the score of a recording; NaN where the file does not take it."""
    try:
        waveform = load_waveform(path)
    except (FileNotFoundError, UnusableAudio):
        return np.nan
    if not exportable.shortest <= len(waveform) <= (exportable.longest or len(waveform)):
        return np.nan
    return float(run(waveform[None])[0])
