"""Scatter plots of projected embeddings, coloured by group.

Points are drawn in a fixed shuffled order, so that no group covers another because it came last. Both axes have the
same scale and no ticks, since the units of a projection mean nothing. The legend is beside the axes, where it hides no
point, and counts each group. `bona-fide` and `spoof` have fixed colours, clips whose group is unknown are grey, all
others go through the palette: first by colour, then, when the colours are used up, by marker. With very many groups
(speakers) the legend names the largest and states how many more there are.
"""

import itertools
import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle

from src.visualize.style import (
    BLACK,
    BLUE,
    FIGURE_SIZE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    add_title,
    new_figure,
    require_finite,
)

UNKNOWN = "unknown"
MAX_LEGEND_ROWS = 20
MAX_LEGEND_COLUMNS = 2

_FIXED_COLORS = {"bona-fide": BLUE, "bona fide": BLUE, "spoof": VERMILION, UNKNOWN: GREY}
_COLORS = (GREEN, ORANGE, PURPLE, SKY, BLACK, BLUE, VERMILION)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "*", "h", "8", "d", "H")
_LEGEND_COLUMN_INCHES = 2.0
_MAX_NAME_LENGTH = 24


def scatter_figure(points: np.ndarray, groups: np.ndarray, *, title: str, legend_title: str) -> Figure:
    """Draw points coloured by group, with a legend that counts them.

    Parameters
    ----------
    points : np.ndarray, shape (n, 2)
        Positions, such as a projection returns them.
    groups : np.ndarray, shape (n,), of str
        The group of every point; an empty name is shown as "unknown".
    title : str
        What is shown: corpus, backbone, layer, number of clips. Long titles wrap.
    legend_title : str
        What the groups are: "label", "gender", "speaker", ...

    Raises
    ------
    ValueError
        When there are no points, a position is NaN or infinite, or the shapes do not fit.

    Examples
    --------
    >>> points = np.array([[0.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    >>> figure = scatter_figure(points, np.array(["F", "M", "M"]), title="three clips", legend_title="gender")
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['F (1)', 'M (2)']
    """
    points, groups = np.asarray(points, dtype=np.float64), np.asarray(groups, dtype=str)
    if points.ndim != 2 or points.shape[1] != 2 or groups.shape != points.shape[:1] or len(points) == 0:
        raise ValueError(
            f"Points must have shape (n, 2) and groups (n,), n >= 1; got {points.shape} and {groups.shape}."
        )
    require_finite(points, "coordinates")
    names, members = np.unique(np.where(groups == "", UNKNOWN, groups), return_inverse=True)
    counts = np.bincount(members)
    looks = _looks([str(name) for name in names])

    n_columns = min(math.ceil(len(names) / MAX_LEGEND_ROWS), MAX_LEGEND_COLUMNS)
    width, height = FIGURE_SIZE
    figure, axes = new_figure((width + _LEGEND_COLUMN_INCHES * (n_columns - 1), height))
    add_title(figure, title)
    _draw_points(axes, points, members, looks)

    listed = _listed(counts)
    handles = [_legend_handle(*looks[group]) for group in listed]
    texts = [f"{_shorten(str(names[group]))} ({counts[group]:,})" for group in listed]
    n_more = len(names) - len(listed)
    if n_more:
        handles.append(Line2D([], [], linestyle="none"))
        texts.append(f"and {n_more:,} more")
    legend = axes.legend(
        handles,
        texts,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        ncols=n_columns,
        title=legend_title,
        fontsize=8,
        frameon=False,
    )
    for text in (*legend.get_texts(), legend.get_title()):
        text.set_parse_math(False)
    return figure


def _looks(names: list[str]) -> list[tuple[str, str]]:
    """Return (colour, marker) of each name: the fixed ones, then colour by colour, marker by marker."""
    looks = {name: (_FIXED_COLORS[name], "o") for name in names if name in _FIXED_COLORS}
    free = [(color, marker) for marker in _MARKERS for color in _COLORS if (color, marker) not in looks.values()]
    looks.update(zip((name for name in names if name not in looks), itertools.cycle(free), strict=False))
    return [looks[name] for name in names]


def _draw_points(axes: Axes, points: np.ndarray, members: np.ndarray, looks: list[tuple[str, str]]) -> None:
    """Draw all points as one collection, in shuffled order, each with the look of its group."""
    n_points = len(points)
    order = np.random.default_rng(0).permutation(n_points)
    colors = to_rgba_array([color for color, _ in looks])[members[order]]
    # From 36 square points for few clips down to 8 for thousands.
    size = float(np.clip(40_000 / n_points, 8, 36))
    x, y = points[order].T
    collection = axes.scatter(x, y, s=size, c=colors, alpha=0.7, linewidths=0, rasterized=True)
    # scatter() takes one marker per call; a path for each point allows several in one shuffled order.
    styles = [MarkerStyle(marker) for _, marker in looks]
    paths = [style.get_path().transformed(style.get_transform()) for style in styles]
    collection.set_paths([paths[group] for group in members[order]])
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xticks=[], yticks=[])


def _listed(counts: np.ndarray) -> list[int]:
    """Return the groups that the legend names: all by name or, if there are too many, the largest ones by size."""
    n_rows = MAX_LEGEND_ROWS * MAX_LEGEND_COLUMNS
    if len(counts) <= n_rows:
        return list(range(len(counts)))
    return [int(group) for group in np.argsort(-counts, kind="stable")[: n_rows - 1]]


def _legend_handle(color: str, marker: str) -> Line2D:
    return Line2D([], [], color=color, marker=marker, linestyle="none", markersize=6, markeredgewidth=0)


def _shorten(name: str) -> str:
    """Cut the middle out of a long name, since its beginning and its end are the most informative."""
    if len(name) <= _MAX_NAME_LENGTH:
        return name
    half = _MAX_NAME_LENGTH // 2
    return f"{name[:half]}…{name[-half + 1 :]}"
