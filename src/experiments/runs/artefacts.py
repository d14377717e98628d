"""What lies in a run folder: the names of its files, and how they are written and read.

The file written last marks the rest as complete: `metrics.json` of a training, `test_results.json` of a test.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from src.utils.clip_table import ClipTable
from src.utils.files import atomic_path, read_record, text_digest
from src.utils.labels import LABEL_NAMES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

HYPERPARAMETERS, PROVENANCE, METRICS = "hyperparameters.json", "provenance.json", "metrics.json"
CALIBRATION, LOSS_PLOT, VAL_SCORES = "calibration.json", "loss_plot.png", "val_scores.csv"
LAYER_WEIGHTS, LAYER_PLOT = "layer_weights.csv", "layer_weights.png"
TEST_RESULTS, TEST_PROVENANCE, SCORES = "test_results.json", "test_provenance.json", "scores.csv"
FOLDS, HELD_OUT = "folds.csv", "held_out.csv"
BENCHMARK, BENCHMARK_RESULTS = "benchmark", "results.json"
"""Folder of a run's verdicts from elsewhere, within which each corpus has one, and the file that ends it."""
SPANS_RTTM, SPANS_PICTURE = "spans.rttm", "spans.png"
STRESS, STRESS_RESULTS, STRESS_TABLE, STRESS_PICTURE = "stress", "stress_results.json", "stress.csv", "stress.png"
"""The folder with the scores of every distortion, and what is made of them."""
BEST = "best_hyperparameters.json"
CHECKPOINTS = "checkpoints"
"""Folder of a training of hours while it is under way."""
TESTS_PREFIX = "test"
"""Prefix of the folders of tests on other data, within a run's folder; a dash follows."""
USUAL_SPLIT = "downstream_test"
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


def folder_of_tests(dataset: Path, split: str, gender: str | None, *, is_own_corpus: bool) -> str:
    """Return where the results of a test lie within its run's folder: in itself for the usual test, else in one below.

    >>> folder_of_tests(Path("datasets/release"), "downstream_val", "F", is_own_corpus=True)
    'test-release-downstream_val-F'
    """
    if is_own_corpus and (split, gender) == (USUAL_SPLIT, None):
        return ""
    corpus = dataset.name if is_own_corpus else f"{dataset.name}-{text_digest(str(dataset.resolve()))[:8]}"
    return "-".join(filter(None, [TESTS_PREFIX, corpus, split, gender]))


def score_table(table: ClipTable, scores: np.ndarray) -> "pd.DataFrame":
    """Return the rows of `scores.csv`; a score is a log-likelihood ratio, higher = more bona fide."""
    import pandas as pd

    return pd.DataFrame(
        {
            "file": table.files,
            "label": [LABEL_NAMES[int(label)] for label in table.labels],
            "score": scores,
            "speaker": table.speakers,
            "gender": table.genders,
            "system": table.systems,
        }
    )


def read_scores(folder: Path, name: str = SCORES) -> "pd.DataFrame":
    """Read the scores of a test: all columns as text, but for the score, a float of the exact value written.

    Parameters
    ----------
    folder : Path
        Of the run, or of a test on other data within it.
    name : str
        `scores.csv`, or `val_scores.csv` of a training.

    Raises
    ------
    ValueError
        When the file is damaged.
    """
    import pandas as pd

    again = "train" if name == VAL_SCORES else "test"
    path = folder / name
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding_errors="surrogateescape")
        missing = [name for name in ("file", "label", "score", "speaker", "gender", "system") if name not in table]
        if missing:
            raise ValueError(f"it has no column {missing[0]}")
        return table.astype({"score": float})
    except ValueError as error:  # of pandas as well
        raise ValueError(f"{path} is damaged ({error}): {again} the run again.") from None


def save_figure(path: Path, figure: "Figure") -> None:
    """Write a figure as PNG, whole or not at all."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=PICTURE_DPI)
