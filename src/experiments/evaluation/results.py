"""Results of tested runs: the newest, rates by group, the worst errors, and a table of all."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.experiments.inputs import FIRST_EDITION, INPUTS, input_class
from src.experiments.runs.artefacts import HYPERPARAMETERS, METRICS, TEST_RESULTS
from src.experiments.runs.names import RunName, all_runs_in
from src.utils.files import read_json, read_record
from src.utils.labels import BONAFIDE, parse_label
from src.utils.paths import runs_folder


def names_of_tested_runs(root: Path) -> list[str]:
    """Return the names of all tested runs, such as `run0` and `svm_study0/run3`, the newest test first.

    Raises
    ------
    FileNotFoundError
        When there is none; the message says what makes one.
    """
    tested = [(name.folder(root) / TEST_RESULTS, str(name)) for name in all_runs_in(root)]
    found = [(path, name) for path, name in tested if path.is_file()]
    if not found:
        raise FileNotFoundError(
            f"No run in {runs_folder(root)} was tested: fab Demo trains and tests one on made-up voices, "
            "fab TrainModel and fab TestModel do it on a corpus of yours."
        )
    when = {name: (read_record(path, "about")["about"]["tested"], name) for path, name in found}
    return sorted(when, key=lambda name: when[name], reverse=True)


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
    order, margins = wrong_side(bonafide, scores["score"].to_numpy(float), threshold)
    return scores.iloc[order[:n]].assign(margin=margins[:n]).reset_index(drop=True)


def wrong_side(bonafide: np.ndarray, scores: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Find the clips on the wrong side of a threshold, where bona fide is decided by score >= threshold.

    Parameters
    ----------
    bonafide : np.ndarray, shape (n,)
        True for bona fide.
    scores : np.ndarray, shape (n,)
    threshold : float

    Returns
    -------
    order : np.ndarray, shape (w,)
        Their positions, the worst first; those that are equally wrong as they come.
    margins : np.ndarray, shape (w,)
        How far beyond the threshold each of them lies, >= 0.
    """
    wrong = np.flatnonzero(bonafide != (scores >= threshold))
    margins = np.abs(scores[wrong] - threshold)
    worst_first = np.argsort(-margins, kind="stable")
    return wrong[worst_first], margins[worst_first]


def table_of_runs(root: Path) -> pd.DataFrame:
    """Return a row for every finished run in `<root>/runs`, the lowest validation EER first.

    Returns
    -------
    pd.DataFrame
        Columns run, corpus, classifier, those of the input (backbone, model, layer, pooling), validation_eer and
        test_eer; rates in [0, 1]. Nothing stands where a run was not tested, or where a file is missing or corrupt.
    """
    last = {True: TEST_RESULTS, False: METRICS}
    finished = [name for name in all_runs_in(root) if (name.folder(root) / last[name.is_cross]).is_file()]
    rows = [_row(name, root) for name in finished]
    eaten = [key for row in rows for key in row]
    columns = list(dict.fromkeys(["run", "corpus", "classifier", *input_class(FIRST_EDITION).keys, *eaten]))
    rates = ["validation_eer", "test_eer"]
    table = pd.DataFrame(rows, columns=[*(column for column in columns if column not in rates), *rates])
    return table.astype(dict.fromkeys(rates, float)).sort_values(["validation_eer", "run"], ignore_index=True)


def _row(name: RunName, root: Path) -> dict[str, Any]:
    """Return what a table shows of a run: what its files hold, whatever else they lack."""
    inputs, metrics, test = (_record(name.folder(root) / file) for file in (HYPERPARAMETERS, METRICS, TEST_RESULTS))
    kind = inputs.get("input", FIRST_EDITION)
    keys = input_class(kind).keys if isinstance(kind, str) and kind in INPUTS else ()
    eers = {"validation_eer": _rate(metrics.get("eer")), "test_eer": _rate(test.get("eer"))}
    return {"run": str(name), **{key: inputs.get(key) for key in ("corpus", "classifier", *keys)}, **eers}


def _record(path: Path) -> Mapping[str, Any]:
    """Return the JSON object of a file; empty where there is none."""
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, Mapping) else {}


def _rate(metric: Any) -> float:
    """Return a metric's value, with or without an interval (the first versions had none); NaN for anything else."""
    value = metric.get("value") if isinstance(metric, Mapping) else metric
    return float(value) if isinstance(value, int | float) else np.nan
