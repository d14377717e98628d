"""What a tested run offers to whoever looks at it again: which one is newest, where it stumbles, what it got wrong."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.experiments.runs.folders import TEST_RESULTS
from src.utils.files import read_record
from src.utils.labels import BONAFIDE, parse_label
from src.utils.paths import runs_folder


def names_of_tested_runs(root: Path) -> list[str]:
    """Return the names of all tested runs, such as `run0` and `svm_study0/run3`, the newest test first.

    Raises
    ------
    FileNotFoundError
        When there is none; the line says what makes one.
    """
    runs = runs_folder(root)
    found = [*runs.glob(f"run*/{TEST_RESULTS}"), *runs.glob(f"*_study*/run*/{TEST_RESULTS}")]
    if not found:
        raise FileNotFoundError(
            f"No run in {runs} was tested: fab Demo trains and tests one on made-up voices, "
            "fab TrainModel and fab TestModel do it on a corpus of yours."
        )
    newest_first = sorted(found, key=lambda path: (read_record(path, "about")["about"]["tested"], path), reverse=True)
    return [path.parent.relative_to(runs).as_posix() for path in newest_first]


def rates_of_groups(results: Mapping[str, Any], metric: str = "eer") -> dict[str, list[float]]:
    """Return a metric of all clips and of every group that the test was broken down by.

    Parameters
    ----------
    results : mapping
        What `test_results.json` holds; one without breakdowns has the row of all clips alone.
    metric : str
        Groups that have no such metric, such as those of one class, are left out.

    Returns
    -------
    dict of str to list of float
        "all", "gender F", "system xtts", ... -> value, low and high end of its interval; NaN where unknown.
    """
    groups = {"all": results} | {
        f"{kind} {name}": found
        for kind, members in results.get("breakdowns", {}).items()
        for name, found in members.items()
    }
    ends = ("value", "low", "high")
    return {
        name: [np.nan if found[metric][end] is None else float(found[metric][end]) for end in ends]
        for name, found in groups.items()
        if metric in found
    }


def most_wrong(scores: pd.DataFrame, threshold: float, n: int = 10) -> pd.DataFrame:
    """Return the n clips that lie furthest on the wrong side of a threshold, the worst first.

    Parameters
    ----------
    scores : pd.DataFrame
        Rows of `scores.csv`.
    threshold : float
        A clip counts as bona fide where score >= threshold.
    n : int
        Fewer come back where fewer are wrong.

    Returns
    -------
    pd.DataFrame
        The rows, with a column `margin`: how far beyond the threshold, >= 0.
    """
    bonafide = np.array([parse_label(label) == BONAFIDE for label in scores["label"]], dtype=bool)
    beyond = scores["score"].to_numpy(float) - threshold
    wrong = bonafide == (beyond < 0)
    return scores.assign(margin=np.abs(beyond))[wrong].nlargest(n, "margin").reset_index(drop=True)
