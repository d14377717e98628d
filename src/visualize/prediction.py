"""One recording as a run hears it: waveform, spectrogram, and the score of every window, on one axis of time.

The picture is drawn of columns, as many as it has room for, so that a recording of hours takes no more memory than one
of seconds. The score is blue where it speaks for bona fide, vermilion where it speaks for spoof.
"""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from src.visualize.style import BLACK, GREY, LABEL_COLORS, add_title, new_figure, require_finite

FLOOR_DB = -80.0
_SIZE = (9.0, 6.0)  # inches
_HEIGHTS = (2, 3, 2.5)


@dataclass(frozen=True)
class Heard:
    """What is drawn of a recording; column i lies around (i + 1/2) / c of its duration."""

    seconds: float
    """Its duration."""
    extremes: np.ndarray
    """Shape (c, 2): the lowest and the highest sample of each column."""
    powers: np.ndarray
    """Shape (c, f): the power at f frequencies from 0 Hz to half the rate; 0 = silence."""
    rate: int
    """In hertz."""
    windows: np.ndarray
    """Shape (w, 2): where the scored windows begin and end, in s."""
    scores: np.ndarray
    """Shape (w,): higher = more bona fide; NaN where a window is silent."""


def prediction_figure(heard: Heard, threshold: float, *, title: str = "") -> Figure:
    """Draw waveform, spectrogram and scores of a recording.

    Parameters
    ----------
    heard : Heard
    threshold : float
        A recording is called bona fide where its score is as high or higher.
    title : str

    Raises
    ------
    ValueError
        When there is no column or no window, or samples are not finite.

    Examples
    --------
    >>> heard = Heard(2.0, np.ones((9, 2)), np.ones((9, 5)), 16000, np.array([[0.0, 2.0]]), np.array([1.5]))
    >>> [axes.get_ylabel() for axes in prediction_figure(heard, 0.0).axes[:3]]
    ['amplitude', 'frequency (kHz)', 'score']
    """
    if not len(heard.extremes) or not len(heard.windows):
        raise ValueError("A picture of a recording needs a column and a window at least.")
    require_finite(heard.extremes, "samples")
    figure, whole = new_figure(_SIZE)
    whole.remove()
    above, middle, below = figure.subplots(3, 1, sharex=True, height_ratios=_HEIGHTS)
    n_columns = len(heard.extremes)
    time = (np.arange(n_columns) + 0.5) * heard.seconds / n_columns
    above.fill_between(time, heard.extremes[:, 0], heard.extremes[:, 1], color=BLACK, linewidth=0.3, rasterized=True)
    above.set(ylabel="amplitude", xlim=(0, heard.seconds))
    loudest = max(float(heard.powers.max()), np.finfo(float).tiny)
    decibels = 10 * np.log10(np.maximum(heard.powers / loudest, 10 ** (FLOOR_DB / 10)))
    middle.imshow(
        decibels.T,
        cmap="magma",
        vmin=FLOOR_DB,
        vmax=0,
        aspect="auto",
        origin="lower",
        extent=(0, heard.seconds, 0, heard.rate / 2000),
    )
    middle.set(ylabel="frequency (kHz)")
    centres, scores = heard.windows.mean(axis=1), heard.scores
    below.axhline(threshold, color=GREY, linestyle="--", linewidth=1, label="threshold: below it a spoof")
    below.plot(centres, scores, color=GREY, linewidth=0.8)
    for label, name in ((1, "window, bona fide"), (0, "window, spoof")):
        own = (scores >= threshold) == bool(label)
        own &= np.isfinite(scores)
        below.plot(centres[own], scores[own], ".", color=LABEL_COLORS[label], markersize=6, label=name)
    below.set(xlabel="time (s)", ylabel="score")
    below.margins(y=0.2)
    below.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=8, frameon=False, borderaxespad=0.2)
    if title:
        add_title(figure, title)
    return figure
