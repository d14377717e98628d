"""Every metric of one set of scores, as a dictionary to store and as a table to read.

The keys are stable, so that reports of different runs can be laid side by side. Some numbers need only the order of
the scores (EER, AUC, min DCF, min t-DCF); act DCF and Cllr read them as log-likelihood ratios and say little about
other scores; accuracy and its relatives need a threshold, which must come from validation data, and are left out
without one.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from src.metrics.calibration import compute_cllr
from src.metrics.checks import check_scores
from src.metrics.classification import decision_metrics
from src.metrics.dcf import compute_act_dcf, compute_min_dcf
from src.metrics.eer import compute_eer
from src.metrics.roc import compute_auc
from src.metrics.tandem import AsvScores, asv_error_rates, min_tdcf_2019, min_tdcf_2021

_RATE, _NUMBER, _COUNT = "{:.2%}", "{:.4f}", "{:.0f}"
_ROWS = {
    "eer": ("EER", _RATE),
    "eer_threshold": ("EER threshold", _NUMBER),
    "auc": ("AUC", _NUMBER),
    "min_dcf": ("min DCF", _NUMBER),
    "act_dcf": ("act DCF", _NUMBER),
    "cllr": ("Cllr (bits)", _NUMBER),
    "asv_eer": ("ASV EER", _RATE),
    "min_tdcf_2019": ("min t-DCF (2019)", _NUMBER),
    "min_tdcf_2021": ("min t-DCF (2021)", _NUMBER),
    "threshold": ("Decision threshold", _NUMBER),
    "accuracy": ("Accuracy", _RATE),
    "balanced_accuracy": ("Balanced accuracy", _RATE),
    "precision": ("Precision", _RATE),
    "recall": ("Recall", _RATE),
    "f1": ("F1", _RATE),
    "true_bonafide": ("Bona fide accepted", _COUNT),
    "false_spoof": ("Bona fide rejected", _COUNT),
    "false_bonafide": ("Spoofs accepted", _COUNT),
    "true_spoof": ("Spoofs rejected", _COUNT),
    "n_bonafide": ("Bona fide trials", _COUNT),
    "n_spoof": ("Spoof trials", _COUNT),
}


def evaluate(
    y_true: npt.ArrayLike, y_scores: npt.ArrayLike, threshold: float | None = None, *, asv: AsvScores | None = None
) -> dict[str, float]:
    """Compute every metric of the room that the input allows.

    Parameters
    ----------
    y_true : array-like, shape (n,)
        Labels: 1 bona fide, 0 spoof.
    y_scores : array-like, shape (n,)
        Scores, higher = more bona fide.
    threshold : float, optional
        Decide bona fide where score >= threshold; comes from validation data. Without it there are no decisions.
    asv : AsvScores, optional
        Scores of a speaker verification system, for the two min t-DCFs.

    Returns
    -------
    dict of str to float
        Always `eer, eer_threshold, auc, min_dcf, act_dcf, cllr, n_bonafide, n_spoof`; with `asv` also `asv_eer,
        min_tdcf_2019, min_tdcf_2021`; with a threshold also `threshold` and the keys of
        `classification.decision_metrics`. Rates are in [0, 1]; counts are ints.

    Raises
    ------
    ValueError
        When labels or scores break the conventions, see `checks.check_scores`.

    Warns
    -----
    UserWarning
        Once, as `eer.compute_eer`.

    Examples
    --------
    >>> report = evaluate([1, 1, 1, 0, 0, 0], [3.0, 2.0, -1.0, 0.5, -2.0, -3.0], threshold=0.0)
    >>> round(report["eer"], 4), round(report["auc"], 4), report["false_spoof"], report["n_spoof"]
    (0.3333, 0.8889, 1, 3)
    """
    labels, scores = check_scores(y_true, y_scores)
    eer, eer_threshold = compute_eer(labels, scores)
    report = {
        "eer": eer,
        "eer_threshold": eer_threshold,
        "auc": compute_auc(labels, scores),
        "min_dcf": compute_min_dcf(labels, scores),
        "act_dcf": compute_act_dcf(labels, scores),
        "cllr": compute_cllr(labels, scores),
    }
    if asv is not None:
        report["asv_eer"] = asv_error_rates(asv).eer
        report["min_tdcf_2019"] = min_tdcf_2019(labels, scores, asv)
        report["min_tdcf_2021"] = min_tdcf_2021(labels, scores, asv)
    if threshold is not None:
        report["threshold"] = float(threshold)
        report |= decision_metrics(labels, scores, threshold)
    n_bonafide = int(np.count_nonzero(labels))
    return report | {"n_bonafide": n_bonafide, "n_spoof": len(labels) - n_bonafide}


def format_table(report: Mapping[str, float], bounds: Mapping[str, tuple[float, float]] | None = None) -> str:
    """Lay a report out for a person: one metric a line, rates in percent, the direction of the score on top.

    Parameters
    ----------
    report : mapping of str to float
        What `evaluate` returned, or some of it.
    bounds : mapping of str to (float, float), optional
        Lower and upper bounds of some of them.

    Returns
    -------
    str
        Lines whose numbers end in one column, bounds behind them; no newline at the end.

    Raises
    ------
    ValueError
        When the report holds a key that `evaluate` does not make.

    Examples
    --------
    >>> print(format_table({"eer": 0.0523, "min_dcf": 0.1, "n_spoof": 40}, {"eer": (0.03, 0.0812)}))
    score: higher = more bona fide
    EER                     5.23 %   3.00 to 8.12 %
    min DCF                 0.1000
    Spoof trials                40
    """
    unknown = [key for key in report if key not in _ROWS]
    if unknown:
        raise ValueError(f"The report has no metric named {unknown[0]!r}; known are {', '.join(_ROWS)}.")
    header = "score: higher = more bona fide"
    known = [key for key in _ROWS if key in report]
    values = {key: _ROWS[key][1].format(report[key]).replace("%", " %") for key in known}
    width = max([len(header), *(len(_ROWS[key][0]) + 2 + len(values[key]) for key in known)])
    lines = [header]
    for key in known:
        title, form = _ROWS[key]
        line = title + values[key].rjust(width - len(title))
        if bounds and key in bounds:
            low, high = (form.format(bound).replace("%", " %") for bound in bounds[key])
            line += f"   {low.removesuffix(' %')} to {high}"
        lines.append(line)
    return "\n".join(lines)
