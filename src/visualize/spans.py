"""One clip in time: its waveform, the scores of its frames, and where it is spoofed, in truth and as found.

All panels share the axis of time. Spoofed stretches are vermilion bars below the scores, one row for the truth and one
for what was found; they are shaded behind the waveform as well, the truth there.
"""

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from src.visualize.style import BLACK, BLUE, GREY, LABEL_COLORS, add_title, new_figure, require_finite

_SIZE = (9.0, 5.0)  # inches
_HEIGHTS = (3, 3, 1.1)
_MOST_POINTS = 4000
"""Of the waveform, twice: more than this picture has columns of pixels."""


def spans_figure(
    waveform: npt.ArrayLike,
    rate: int,
    frames: tuple[npt.ArrayLike, float, float],
    spans: tuple[npt.ArrayLike, npt.ArrayLike],
    *,
    title: str = "",
) -> Figure:
    """Draw a clip, the scores of its frames, and its spoofed stretches.

    Parameters
    ----------
    waveform : array-like, shape (n,)
        Samples within [-1, 1].
    rate : int
        Its sample rate in Hz.
    frames : tuple of array-like, shape (t,), float and float
        The scores of the frames, higher = more bona fide; seconds from one frame to the next; and the threshold: a
        frame is called bona fide where its score is as high or higher.
    spans : tuple of two array-like, shape (k, 2) and (j, 2)
        The spoofed stretches in s: in truth, and as found.
    title : str

    Raises
    ------
    ValueError
        When waveform or scores are empty, not of one dimension, or not finite.

    Examples
    --------
    >>> figure = spans_figure(np.ones(16000), 16000, (np.ones(50), 0.02, 0.0), ([(0.2, 0.5)], []))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['amplitude', 'score', '']
    """
    samples, scores = _vector(waveform, "samples"), _vector(frames[0], "scores")
    _, hop, threshold = frames
    truth, found = (np.asarray(of_clip, np.float64).reshape(-1, 2) for of_clip in spans)
    figure, whole = new_figure(_SIZE)
    whole.remove()
    above, middle, below = figure.subplots(3, 1, sharex=True, height_ratios=_HEIGHTS)
    _draw_waveform(above, samples, rate)
    for start, end in truth:
        above.axvspan(start, end, color=LABEL_COLORS[0], alpha=0.2, linewidth=0)
    above.set(ylabel="amplitude", xlim=(0, len(samples) / rate))
    borders = np.arange(len(scores) + 1) * hop
    middle.stairs(scores, borders, baseline=None, color=BLUE, linewidth=1.2, label="score of a frame")
    middle.axhline(threshold, color=GREY, linestyle="--", linewidth=1, label="threshold: below it a spoof")
    middle.set(ylabel="score")
    middle.margins(y=0.15)
    middle.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=8, frameon=False, borderaxespad=0.2)
    _draw_bars(below, {"found": found, "truth": truth})
    below.set(xlabel="time (s); spoofed stretches are vermilion")
    if title:
        add_title(figure, title)
    return figure


def _draw_waveform(axes: Axes, samples: np.ndarray, rate: int) -> None:
    """Draw the least and the greatest sample of every few, which looks like all of them and stays small."""
    step = -(-len(samples) // _MOST_POINTS)
    blocks = np.pad(samples, (0, -len(samples) % step), mode="edge").reshape(-1, step)
    time = np.arange(len(blocks)) * step / rate
    both = np.stack([blocks.min(axis=1), blocks.max(axis=1)], axis=1).ravel()
    axes.plot(np.repeat(time, 2), both, color=BLACK, linewidth=0.4, rasterized=True)


def _draw_bars(axes: Axes, rows: dict[str, np.ndarray]) -> None:
    for row, spans in enumerate(rows.values()):
        bars = [(start, end - start) for start, end in spans]
        axes.broken_barh(bars, (row - 0.35, 0.7), facecolors=LABEL_COLORS[0])
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.grid(axis="x", color=GREY, linewidth=0.4, alpha=0.5)
    axes.set_axisbelow(True)


def _vector(values: npt.ArrayLike, name: str) -> np.ndarray:
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or not array.size:
        raise ValueError(f"The {name} of a clip must have one dimension and not be empty, not the shape {array.shape}.")
    require_finite(array, name)
    return array
