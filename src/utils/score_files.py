"""Evaluate the score file of any detector, with its official key file: labels and scores, trial by trial.

`score_formats` lists the formats. Scores and key are joined here and must match: every trial that counts has one score,
every score belongs to a trial in the key, and labels in the score file agree with the key. Two files that almost match
are usually the wrong pair, and an error rate over the trials that do match would hide it.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from src.metrics.checks import check_scores
from src.metrics.eer import doubt
from src.metrics.report import evaluate
from src.utils.labels import BONAFIDE
from src.utils.score_formats import read_asv_scores, read_key_table, read_score_table


@dataclass(frozen=True)
class ScoredTrials:
    """The trials of a score file with their labels; row i is the same trial in every field.

    Parameters
    ----------
    y_true : np.ndarray, shape (n,)
        Labels: 1 bona fide, 0 spoof.
    y_scores : np.ndarray, shape (n,)
        Scores, higher = more bona fide.
    trials : np.ndarray of str, shape (n,)
        Utterance ids or file names.
    extra : pd.DataFrame, n rows
        Further columns, such as `speaker`, `system` (empty for bona fide trials) and `codec`.
    """

    y_true: npt.NDArray[np.int64]
    y_scores: npt.NDArray[np.float64]
    trials: npt.NDArray[Any]
    extra: pd.DataFrame


def read_score_files(scores_path: Path, key_path: Path | None = None) -> ScoredTrials:
    """Read a score file, with its key file unless it carries its own labels.

    Parameters
    ----------
    scores_path, key_path : Path
        Files in one of the formats of `score_formats`. With a key, the trials come in its order.

    Raises
    ------
    FileNotFoundError
        When a file does not exist.
    ValueError
        When a format is unknown, a line does not parse, a score is not finite, a class is missing, or scores and key
        do not fit together.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "scores.txt"
    >>> _ = path.write_text("LA_E_1 - bonafide 1.5\\nLA_E_2 A11 spoof -0.5\\n")
    >>> trials = read_score_files(path)
    >>> trials.y_true.tolist(), trials.y_scores.tolist(), trials.extra["system"].tolist()
    ([1, 0], [1.5, -0.5], ['', 'A11'])
    """
    table = read_score_table(scores_path, with_labels=key_path is None)
    if key_path is not None:
        table = _join(table, read_key_table(key_path), scores_path, key_path)
    trials = table["trial"].to_numpy(dtype=object)
    try:
        y_true, y_scores = check_scores(table["label"], table["score"], files=trials)
    except ValueError as error:
        raise ValueError(f"{scores_path}: {error}") from error
    extra = table.drop(columns=["trial", "label", "score"]).replace("-", "").reset_index(drop=True)
    if "system" in extra:
        extra["system"] = extra["system"].where(y_true != BONAFIDE, "")
    return ScoredTrials(y_true, y_scores, trials, extra)


def evaluate_score_files(
    scores_path: Path, key_path: Path | None = None, asv_scores_path: Path | None = None
) -> dict[str, float]:
    """Compute every metric that needs no decision threshold: there is no validation data here to choose one on.

    Parameters
    ----------
    scores_path, key_path
        As in `read_score_files`.
    asv_scores_path : Path, optional
        Scores of a speaker verification system, for the t-DCF; see `score_formats`.

    Returns
    -------
    dict of str to float
        The report of `src.metrics.report.evaluate`.

    Raises
    ------
    FileNotFoundError, ValueError
        As `read_score_files` and `read_asv_scores`.

    Warns
    -----
    UserWarning
        When the EER is doubtful, see `src.metrics.eer.doubt`.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "scores.txt"
    >>> _ = path.write_text("a - bonafide 1.5\\nb - bonafide -1\\nc A11 spoof -0.5\\nd A12 spoof -2\\n")
    >>> evaluate_score_files(path)["eer"]
    0.5
    """
    trials = read_score_files(scores_path, key_path)
    asv = None if asv_scores_path is None else read_asv_scores(asv_scores_path)
    if message := doubt(trials.y_true, trials.y_scores):
        warnings.warn(message, stacklevel=2)
    return evaluate(trials.y_true, trials.y_scores, asv=asv)


def _join(scores: pd.DataFrame, key: pd.DataFrame, scores_path: Path, key_path: Path) -> pd.DataFrame:
    """Give every trial that counts its score; refuse two files that do not match."""
    counted = key[key["counts"]].drop(columns="counts")
    if counted.empty:
        raise ValueError(f"{key_path} has no trial of the subset 'eval', the only one that counts.")
    foreign = scores["trial"][~scores["trial"].isin(key["trial"])]
    _refuse(foreign, f"of the {len(scores)} trials scored in {scores_path} are not in the key {key_path}")
    missing = counted["trial"][~counted["trial"].isin(scores["trial"])]
    _refuse(missing, f"of the {len(counted)} trials in the key {key_path} have no score in {scores_path}")
    joined = counted.merge(
        scores[["trial", *scores.columns.intersection(["label", "score"])]], on="trial", suffixes=("", "_own")
    )
    if "label_own" in joined:
        differing = joined["trial"][joined["label"] != joined["label_own"]]
        _refuse(differing, f"of the {len(joined)} trials have one label in {scores_path} and the other in {key_path}")
    return joined.drop(columns="label_own", errors="ignore")


def _refuse(trials: pd.Series, what: str) -> None:
    if len(trials):
        raise ValueError(f"{len(trials)} {what}, the first is {trials.iloc[0]}.")
