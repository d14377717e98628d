"""What lies in a run folder: the names of its files, and how they are written and read.

The file written last marks the rest as complete: `metrics.json` of a training, `test_results.json` of a test.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from src.utils.files import atomic_path, read_record

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

HYPERPARAMETERS, PROVENANCE, METRICS = "hyperparameters.json", "provenance.json", "metrics.json"
CALIBRATION, LOSS_PLOT = "calibration.json", "loss_plot.png"
LAYER_WEIGHTS, LAYER_PLOT = "layer_weights.csv", "layer_weights.png"
TEST_RESULTS, TEST_PROVENANCE, SCORES = "test_results.json", "test_provenance.json", "scores.csv"
BEST = "best_hyperparameters.json"
TESTS_PREFIX = "test"
"""Prefix of the folders of tests on other data, within a run's folder; a dash follows."""
PICTURE_DPI = 150


def read_hyperparameters(run: Path) -> dict[str, Any]:
    """Return the inputs of a run."""
    return read_record(run / HYPERPARAMETERS, "corpus", "classifier", "seed")


def save_array(path: Path, values: np.ndarray) -> None:
    """Write an array as .npy, whole or not at all."""
    with atomic_path(path) as temporary:
        np.save(temporary, values, allow_pickle=False)


def read_array(path: Path) -> np.ndarray:
    """Read an array that `save_array` wrote.

    Raises
    ------
    ValueError
        When the file is missing or damaged.
    """
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        why = "is missing" if isinstance(error, FileNotFoundError) else "is damaged"
        raise ValueError(f"{path} {why}: train again.") from None


def read_scores(run: Path) -> "pd.DataFrame":
    """Read `scores.csv` of a tested run: all columns as text, but for the score, a float of the exact value written.

    Raises
    ------
    ValueError
        When the file is damaged.
    """
    import pandas as pd

    path = run / SCORES
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding_errors="surrogateescape")
        missing = [name for name in ("file", "label", "score", "speaker", "gender", "system") if name not in table]
        if missing:
            raise ValueError(f"it has no column {missing[0]}")
        return table.astype({"score": float})
    except ValueError as error:  # of pandas as well
        raise ValueError(f"{path} is damaged ({error}): test the run again.") from None


def save_figure(path: Path, figure: "Figure") -> None:
    """Write a figure as PNG, whole or not at all."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=PICTURE_DPI)
