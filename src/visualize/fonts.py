"""Names in any script on pictures: drawn in an installed font that has their letters, else as escapes.

The font of the pictures has Latin, Greek, Cyrillic, Arabic and some other letters, but no Chinese, Japanese, Korean,
Thai or Devanagari. A letter that a font lacks is drawn as an empty box, and ten speakers whose names are empty boxes
cannot be distinguished. So letters that the font lacks are taken from other installed fonts; what none of them has is
written as escapes, a long run of letters by its first and its last: `\\u0e2a…\\u0e22`.
"""

import logging
import re
from functools import lru_cache
from typing import Any

from matplotlib import font_manager
from matplotlib.artist import Artist
from matplotlib.axis import Axis
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.text import Text

_log = logging.getLogger(__name__)
_NO_FONTS = ("Last Resort", "STIXNonUnicode", "cmb10", "cmex10", "cmmi10", "cmr10", "cmss10", "cmsy10", "cmtt10")
"""Fonts of matplotlib that are no help: empty boxes, and formulas in their own encodings."""


class LegibleFigure(Figure):
    """A figure that makes all of its texts legible whenever it is drawn."""

    def draw(self, renderer: RendererBase) -> None:
        """Draw the figure; matplotlib calls this."""
        make_legible(self)
        super().draw(renderer)


def make_legible(figure: Figure) -> None:
    """Give every text of a figure the fonts that have its letters, and escape what no font has."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            _escape_ticks(axis)
    for text in figure.findobj(_is_text):
        assert isinstance(text, Text)
        text.set_text(legible(text.get_text()))
        families = text.get_fontfamily()
        more = [family for family in _families_for(_missing(text.get_text())) if family not in families]
        if more:
            text.set_fontfamily([*families, *more])


def legible(text: str) -> str:
    """Return a text with escapes in place of the letters that no installed font has.

    >>> legible("Łódź, قاسم"), legible("a" + chr(0xE000) + chr(0xDCE9))
    ('Łódź, قاسم', 'a\\\\ue000\\\\udce9')
    """
    missing = _missing(text)
    without = missing - frozenset().union(*map(_letters_of, _families_for(missing)))
    if not without:
        return text
    _warn_once()
    runs = f"[{re.escape(''.join(sorted(without)))}]+"
    return re.sub(runs, lambda run: _shortened(run[0]), text)


def _is_text(artist: Artist) -> bool:
    return isinstance(artist, Text) and bool(artist.get_text())


def _escape_ticks(axis: Axis) -> None:
    """Escape the tick labels of an axis, which matplotlib makes again at every drawing."""
    labels = [label.get_text() for label in axis.get_ticklabels()]
    escaped = [legible(label) for label in labels]
    if escaped != labels:
        options: dict[str, Any] = {"parse_math": False}
        axis.set_ticks(axis.get_ticklocs(), escaped, **options)


def _missing(text: str) -> frozenset[str]:
    """Return the letters of a text that the font of the pictures lacks."""
    return frozenset() if text.isascii() and text.isprintable() else frozenset(text) - _own_letters() - {"\n"}


@lru_cache(maxsize=512)
def _families_for(letters: frozenset[str]) -> tuple[str, ...]:
    """Return a font that has all of the letters, or several that together have as many as possible."""
    if not letters:
        return ()
    families = _families()
    for family in families:
        if letters <= _letters_of(family):
            return (family,)
    found = []
    for family in families:
        if letters & _letters_of(family):
            found.append(family)
            letters -= _letters_of(family)
    return tuple(found)


def _families() -> list[str]:
    """Return the upright fonts of usual weight that are installed, those without serifs first."""
    entries = [font for font in font_manager.fontManager.ttflist if font.style == "normal"]
    names = {font.name for font in entries if font.weight in (400, "normal", "regular", "book")}
    names = {name for name in names if not name.startswith(_NO_FONTS)}
    return sorted(names, key=lambda name: ("Sans" not in name, "Mono" in name, name))


@lru_cache(maxsize=1)
def _own_letters() -> frozenset[str]:
    return _letters_in(font_manager.findfont(font_manager.FontProperties()))


@lru_cache(maxsize=512)
def _letters_of(family: str) -> frozenset[str]:
    return _letters_in(font_manager.findfont(font_manager.FontProperties(family=[family]), fallback_to_default=False))


def _letters_in(path: str) -> frozenset[str]:
    try:
        return frozenset(map(chr, font_manager.get_font(path).get_charmap()))
    except (OSError, RuntimeError):  # listed, but missing or corrupt
        return frozenset()


def _shortened(run: str) -> str:
    return _escaped(run) if len(run) < 3 else f"{_escaped(run[0])}…{_escaped(run[-1])}"


def _escaped(letters: str) -> str:
    return letters.encode("unicode_escape").decode("ascii")


@lru_cache(maxsize=1)
def _warn_once() -> None:
    """Warn once that letters are missing."""
    _log.warning(
        "Some names have letters that no installed font has; they are drawn as escapes. "
        "Install a font that has them, such as one of the Noto fonts."
    )
