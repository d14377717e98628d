"""Two detectors on the same clips: where they agree, and which clips only one of them gets right.

Each clip is a point: its score by one detector against its score by the other. The thresholds divide the plane into
four: both detectors say bona fide at the upper right and spoof at the lower left; in the two other corners they differ.
"""

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from src.metrics.checks import check_scores
from src.visualize.style import GREY, LABEL_COLORS, LABEL_NAMES, SQUARE_SIZE, new_figure, percent

Pair = tuple[npt.ArrayLike, npt.ArrayLike]


def agreement_figure(
    y_true: npt.ArrayLike, y_scores: Pair, thresholds: tuple[float, float], names: tuple[str, str]
) -> Figure:
    """Draw the scores of one detector against those of another.

    Parameters
    ----------
    y_true : array-like, shape (n,)
        Labels: 1 bona fide, 0 spoof.
    y_scores : two array-likes, shape (n,)
        Scores of both detectors, higher = more bona fide, with the clips in the same order.
    thresholds : two floats
        A clip counts as bona fide where score >= threshold.
    names : two strings
        Of the detectors; the first is on the x-axis.

    Examples
    --------
    >>> figure = agreement_figure([1, 0, 0], ([2.0, -1.0, 1.0], [1.0, -2.0, -1.0]), (0.0, 0.0), ("run0", "run1"))
    >>> figure.axes[0].get_title()
    'decided differently: 1 of 3 clips (33.33 %)'
    """
    labels, first = check_scores(y_true, y_scores[0])
    _, second = check_scores(y_true, y_scores[1])
    differ = (first >= thresholds[0]) != (second >= thresholds[1])
    figure, axes = new_figure(SQUARE_SIZE)
    # A fixed shuffled order, so that no class covers another because it came last.
    order = np.random.default_rng(0).permutation(len(labels))
    colors = [LABEL_COLORS[int(label)] for label in labels[order]]
    size = float(np.clip(40_000 / len(labels), 8, 36))
    axes.scatter(first[order], second[order], s=size, c=colors, alpha=0.7, linewidths=0, rasterized=True)
    axes.axvline(thresholds[0], color=GREY, linestyle="--", zorder=0)
    axes.axhline(thresholds[1], color=GREY, linestyle="--", zorder=0)
    axes.set_xlabel(f"score by {names[0]}", parse_math=False)
    axes.set_ylabel(f"score by {names[1]}", parse_math=False)
    share = percent(float(differ.mean()))
    axes.set_title(f"decided differently: {differ.sum():,} of {len(labels):,} clips ({share})", fontsize=10)
    handles = [_handle(LABEL_COLORS[label], f"{LABEL_NAMES[label]} ({(labels == label).sum():,})") for label in (0, 1)]
    handles.append(Line2D([], [], color=GREY, linestyle="--", label="thresholds"))
    figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False)
    return figure


def _handle(color: str, label: str) -> Line2D:
    return Line2D([], [], color=color, marker="o", linestyle="none", markersize=6, markeredgewidth=0, label=label)
