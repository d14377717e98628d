"""Every metric of one set of scores, as a dictionary to store and as a table to read.

The keys are stable, so that reports of different runs can be compared. Some numbers need only the order of
the scores (EER, AUC, min DCF, min t-DCF); act DCF and Cllr read them as log-likelihood ratios and say little about
other scores; accuracy and its relatives need a threshold, which must come from validation data, and are left out
without one.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from src.metrics.checks import check_scores
from src.metrics.classification import decision_metrics
from src.metrics.table import METRICS, shown_in, written, written_bounds
from src.metrics.tandem import AsvScores, tandem_metrics


def evaluate(
    y_true: npt.ArrayLike, y_scores: npt.ArrayLike, threshold: float | None = None, *, asv: AsvScores | None = None
) -> dict[str, float]:
    """Compute every metric of `table.METRICS` that the input allows, without warnings (see `eer.doubt`).

    Parameters
    ----------
    y_true, y_scores : array-like, shape (n,)
        Labels (1 bona fide, 0 spoof) and scores (higher = more bona fide); see `checks.check_scores` for its errors.
    threshold : float, optional
        Decide bona fide where score >= threshold; comes from validation data. Without it there are no decisions.
    asv : AsvScores, optional
        Scores of a speaker verification system, for the two min t-DCFs.

    Returns
    -------
    dict of str to float
        Always what the table computes from labels and scores (`eer, eer_threshold, auc, min_dcf, act_dcf, cllr`) and
        `n_bonafide, n_spoof`; with `asv` also the keys of `tandem.tandem_metrics`; with a threshold also `threshold`
        and the keys of `classification.decision_metrics`. Rates are in [0, 1]; counts are ints.

    Examples
    --------
    >>> report = evaluate([1, 1, 1, 0, 0, 0], [3.0, 2.0, -1.0, 0.5, -2.0, -3.0], threshold=0.0)
    >>> round(report["eer"], 4), round(report["auc"], 4), report["false_spoof"], report["n_spoof"]
    (0.3333, 0.8889, 1, 3)
    """
    labels, scores = check_scores(y_true, y_scores)
    report = {key: row.compute(labels, scores) for key, row in METRICS.items() if row.compute}
    if asv is not None:
        report |= tandem_metrics(labels, scores, asv)
    if threshold is not None:
        report["threshold"] = float(threshold)
        report |= decision_metrics(labels, scores, threshold)
    n_bonafide = int(np.count_nonzero(labels))
    return report | {"n_bonafide": n_bonafide, "n_spoof": len(labels) - n_bonafide}


def format_table(report: Mapping[str, float], bounds: Mapping[str, tuple[float, float]] | None = None) -> str:
    """Format a report for the terminal: one metric a line, rates in percent, the direction of the score on top.

    Parameters
    ----------
    report : mapping of str to float
        What `evaluate` returned, or some of it.
    bounds : mapping of str to (float, float), optional
        Lower and upper bounds of some of them.

    Returns
    -------
    str
        Lines with right-aligned numbers, followed by their bounds; no newline at the end.

    Raises
    ------
    ValueError
        When the report holds a key that `table.METRICS` does not know.

    Examples
    --------
    >>> print(format_table({"eer": 0.0523, "min_dcf": 0.1, "n_spoof": 40}, {"eer": (0.03, 0.0812)}))
    score: higher = more bona fide
    EER                     5.23 %   3.00 to 8.12 %
    min DCF                 0.1000
    Spoof clips                 40
    """
    unknown = [key for key in report if key not in METRICS]
    if unknown:
        raise ValueError(f"The report has no metric named {unknown[0]!r}; known are {', '.join(METRICS)}.")
    header = "score: higher = more bona fide"
    rows = [row for row in shown_in("report") if row.key in report]
    values = {row.key: written(report[row.key], row.unit) for row in rows}
    width = max([len(header), *(len(row.title) + 2 + len(values[row.key]) for row in rows)])
    lines = [header]
    for row in rows:
        line = row.title + values[row.key].rjust(width - len(row.title))
        if bounds and row.key in bounds:
            line += f"   {written_bounds(*bounds[row.key], row.unit)}"
        lines.append(line)
    return "\n".join(lines)
