"""Pictures of decisions: the scores of both classes around a threshold, and the confusion matrix.

Values are shares of a class, not of all clips: a test set with ten spoofs for each bona fide clip would otherwise hide
the bona fide class, and the picture would depend on the proportion of the classes, which says nothing of the system.
"""

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from src.metrics.checks import split_classes
from src.visualize.distributions import draw_classes
from src.visualize.style import BLACK, LABEL_NAMES, new_figure, percent, require_finite


def score_histogram(y_true: npt.ArrayLike, y_scores: npt.ArrayLike, threshold: float) -> Figure:
    """Draw the scores of both classes, the threshold, and the share of each class on its wrong side.

    Parameters
    ----------
    y_true, y_scores : array-like, shape (n,)
        Labels (1 bona fide, 0 spoof) and scores (higher = more bona fide).
    threshold : float
        A clip counts as bona fide where score >= threshold. It comes from validation data.

    Returns
    -------
    matplotlib.figure.Figure
        Heights are percent of each class; both classes have the same bins.

    Raises
    ------
    ValueError
        When labels or scores break the conventions, see `src.metrics.checks.check_scores`, or the threshold is NaN or
        infinite.

    Examples
    --------
    >>> figure = score_histogram([1, 1, 0, 0], [0.9, 0.4, 0.5, 0.1], threshold=0.45)
    >>> for text in figure.legends[0].get_texts():
    ...     print(text.get_text())
    spoof (2): 50.00 % accepted
    bona fide (2): 50.00 % rejected
    threshold 0.45
    """
    bonafide, spoof = split_classes(y_true, y_scores)
    require_finite(np.array(threshold), "thresholds")
    figure, axes = new_figure()
    wrong = {0: percent(float((spoof >= threshold).mean())), 1: percent(float((bonafide < threshold).mean()))}
    texts = {
        0: f"{LABEL_NAMES[0]} ({len(spoof):,}): {wrong[0]} accepted",
        1: f"{LABEL_NAMES[1]} ({len(bonafide):,}): {wrong[1]} rejected",
    }
    draw_classes(axes, {0: spoof, 1: bonafide}, texts)
    axes.axvline(threshold, color=BLACK, linestyle="--", label=f"threshold {threshold:.4g}")
    axes.set(xlabel="score (higher = more bona fide)", ylabel="share of the class (%)")
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return figure


def confusion_figure(matrix: npt.ArrayLike, names: list[str]) -> Figure:
    """Draw a confusion matrix: counts, and below each its share of the true class.

    Parameters
    ----------
    matrix : array-like, shape (k, k)
        Counts; row: the true class, column: the decision.
    names : list of str
        The k classes, in the order of the rows.

    Raises
    ------
    ValueError
        When the matrix is not square, has a negative count, or does not fit the names.

    Examples
    --------
    >>> figure = confusion_figure([[90, 10], [5, 15]], ["spoof", "bona fide"])
    >>> [text.get_text().replace(chr(10), " = ") for text in figure.axes[0].texts]
    ['90 = 90.00 %', '10 = 10.00 %', '5 = 25.00 %', '15 = 75.00 %']
    """
    counts = np.asarray(matrix)
    if counts.shape != (len(names), len(names)) or len(names) == 0 or (counts < 0).any():
        raise ValueError(
            f"A confusion matrix holds counts >= 0 of shape (k, k) for k names; "
            f"got {counts.shape} and {len(names)} names."
        )
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    figure, axes = new_figure()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        text = f"{counts[row, column]:,}\n{percent(share) if totals[row, 0] else '–'}"
        # Dark cells need light letters.
        axes.text(column, row, text, ha="center", va="center", color="white" if share > 0.5 else "black")
    places = range(len(names))
    axes.set_xticks(places, names)
    axes.set_yticks(places, [f"{name}\n({total:,})" for name, total in zip(names, totals[:, 0], strict=True)])
    axes.set(xlabel="decision", ylabel="true class")
    return figure
