"""Results of tested runs: the newest, rates by group, the worst errors, and a table of all."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.experiments.inputs import input_of
from src.experiments.runs.artefacts import METRICS, TEST_RESULTS, read_hyperparameters
from src.experiments.runs.names import all_runs_in
from src.utils.files import read_record
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
    beyond = scores["score"].to_numpy(float) - threshold
    wrong = bonafide == (beyond < 0)
    return scores.assign(margin=np.abs(beyond))[wrong].nlargest(n, "margin").reset_index(drop=True)


def table_of_runs(root: Path) -> pd.DataFrame:
    """Return a row for every finished run in `<root>/runs`, the lowest validation EER first.

    Returns
    -------
    pd.DataFrame
        Columns run, corpus, classifier, those of the input (backbone, layer, pooling, ...), validation_eer and
        test_eer (NaN where it was not tested); rates in [0, 1].
    """
    rows = []
    for name in all_runs_in(root):
        folder = name.folder(root)
        if not (folder / METRICS).is_file():
            continue
        inputs = read_hyperparameters(folder)
        shown = {key: inputs[key] for key in ("corpus", "classifier", *input_of(inputs).keys) if key in inputs}
        tested = read_record(folder / TEST_RESULTS, "eer") if (folder / TEST_RESULTS).is_file() else {}
        rows.append(
            {
                "run": str(name),
                **shown,
                "validation_eer": read_record(folder / METRICS, "eer")["eer"],
                "test_eer": tested.get("eer", {}).get("value", np.nan),
            }
        )
    columns = ["run", "corpus", "classifier", "validation_eer", "test_eer"]
    table = pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)
    return table.sort_values(["validation_eer", "run"]).reset_index(drop=True)
