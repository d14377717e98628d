"""Boxes and arrows: which families of models there are, and what passes from one to the next.

Boxes stand in columns, in which data flow from left to right; a box has a title and the names of its members. Arrows
carry the shape of what passes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from src.visualize.style import BLACK, GREY, new_figure

LINE = 0.42
"""Height of a line of text, in units of the axes (of which 1 is about 0.4 inches)."""
MARGIN = 0.25
INCHES = 0.4
ARROW = {"arrowstyle": "-|>", "color": BLACK, "shrinkA": 0, "shrinkB": 0, "linewidth": 1.0}


@dataclass(frozen=True)
class Box:
    """A family of models."""

    title: str
    members: tuple[str, ...]
    x: float
    """Left edge."""
    y: float
    """Of its middle; 0 is the top, and y grows downwards."""
    color: str
    width: float = 4.6

    @property
    def height(self) -> float:
        """Room for title and members."""
        return LINE * (1 + len(self.members)) + 2 * MARGIN


def tree_figure(
    boxes: Mapping[str, Box], arrows: Sequence[tuple[str, str, str]], *, size: tuple[float, float]
) -> Figure:
    """Draw boxes and the arrows between them.

    Parameters
    ----------
    boxes : mapping
        Key -> box.
    arrows : sequence of (from, to, label)
        Keys of boxes, and what passes; an arrow leaves a box on its right and enters the other on its left.
    size : tuple of float
        Width and height of the picture in the units of the boxes.

    Raises
    ------
    ValueError
        When an arrow names a box that is not there.

    Examples
    --------
    >>> boxes = {"a": Box("waveform", (), 0, 1, "#999999"), "b": Box("detector", ("lcnn",), 8, 1, "#999999")}
    >>> figure = tree_figure(boxes, [("a", "b", "(b, n)")], size=(13, 2))
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['waveform', 'detector', 'lcnn', '', '(b, n)']
    """
    figure, axes = new_figure((INCHES * size[0], INCHES * size[1]))
    axes.set(xlim=(0, size[0]), ylim=(size[1], 0))
    axes.set_axis_off()
    for box in boxes.values():
        _draw(axes, box)
    for start, end, label in arrows:
        missing = [key for key in (start, end) if key not in boxes]
        if missing:
            raise ValueError(f"There is no box '{missing[0]}'; there are {', '.join(boxes)}.")
        _connect(axes, boxes[start], boxes[end], label)
    return figure


def _draw(axes: Axes, box: Box) -> None:
    top = box.y - box.height / 2
    shape = "round,pad=0,rounding_size=0.2"
    axes.add_patch(
        FancyBboxPatch(
            (box.x, top), box.width, box.height, boxstyle=shape, facecolor="white", edgecolor=box.color, lw=1.8
        )
    )
    middle = box.x + box.width / 2
    for line, text in enumerate((box.title, *box.members)):
        weight = "normal" if line else "bold"
        y = top + MARGIN + (line + 0.5) * LINE
        axes.text(middle, y, text, ha="center", va="center", fontsize=8, fontweight=weight, parse_math=False)


def _connect(axes: Axes, start: Box, end: Box, label: str) -> None:
    tail, head = (start.x + start.width, start.y), (end.x, end.y)
    axes.annotate("", head, tail, arrowprops=ARROW)
    middle = ((tail[0] + head[0]) / 2, (tail[1] + head[1]) / 2)
    background = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
    axes.text(*middle, label, ha="center", va="center", fontsize=7, color=GREY if not label else BLACK, bbox=background)
