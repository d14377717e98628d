"""Names in any script: by a font that has them, or as escapes; never a row of empty boxes."""

import logging
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.figure import Figure

from src.visualize import fonts
from src.visualize.agreement import agreement_figure
from src.visualize.counts import counts_figure
from src.visualize.dots import dots_figure
from src.visualize.fonts import legible
from src.visualize.scatter import scatter_figure
from src.visualize.waveforms import waveforms_figure

NAMES = ("佐藤 花子", "สมชาย", "नेहा", "김민준", "قاسم", "Łódź", "a\udce9b", "tab\there", "\U0001f600", "\ue000")
CACHES = (fonts._families_for, fonts._letters_of, fonts._own_letters, fonts._warn_once)


@pytest.fixture(autouse=True)
def only_own_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let matplotlib find the fonts that come with it and no other, whatever is installed here."""
    manager = font_manager.fontManager
    own = [font for font in manager.ttflist if "mpl-data" in font.fname]
    monkeypatch.setattr(manager, "ttflist", own)
    forget()
    yield
    forget()


def forget() -> None:
    font_manager.fontManager._findfont_cached.cache_clear()  # type: ignore[attr-defined]
    for cache in CACHES:
        cache.cache_clear()


def make_font(path: Path, letters: str, family: str) -> None:
    """Write a font in which every letter is a full square, and make it known as an installed one."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 800), (800, 800), (800, 0)):
        pen.lineTo(corner)
    pen.closePath()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "square"])
    builder.setupCharacterMap({ord(letter): "square" for letter in letters})
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "square": pen.glyph()})
    builder.setupHorizontalMetrics({".notdef": (900, 0), "square": (900, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    font_manager.fontManager.addfont(path)
    forget()


def drawn(figure: Figure) -> Figure:
    """Draw a figure: a letter that no font has would be warned of, and a warning is an error here."""
    figure.savefig(BytesIO(), format="png")
    return figure


def figures(name: str) -> list[Figure]:
    labels, scores = [1, 0, 0], [2.0, -1.0, 1.0]
    return [
        scatter_figure(np.eye(2), np.array([name, "b"]), title=f"UMAP: {name}, 2 clips", legend_title=name),
        counts_figure([name, "b"], {name: [3, 4], "other": [1, 1]}, xlabel=name),
        dots_figure([name, "b"], {name: np.array([[0.1, 0.0, 0.2], [0.2, 0.1, 0.3]])}, xlabel=name),
        agreement_figure(labels, (scores, scores), (0.0, 0.0), (name, "run1")),
        waveforms_figure({name: np.linspace(-0.5, 0.5, 8000)}, rate=16_000),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_no_picture_has_a_letter_that_its_font_lacks(name: str) -> None:
    for figure in figures(name):
        drawn(figure)


def test_what_the_own_font_has_stays_as_it_is() -> None:
    for name in ("Łódź", "قاسم", "Ελένη", "Ольга", "$x_1$ a|b [c]", "two\nlines"):
        assert legible(name) == name


def test_without_a_font_names_are_escaped_and_stay_distinct_and_short() -> None:
    assert legible("佐藤 x") == "\\u4f50\\u85e4 x"
    assert legible("สมชาย (12)") == "\\u0e2a…\\u0e22 (12)"
    assert legible("a\udce9b\x00") == "a\\udce9b\\x00"
    people = ["佐藤 花子", "鈴木 一郎", "高橋 恵子"]
    assert len(set(map(legible, people))) == 3
    figure = drawn(counts_figure(people, {"F": [1, 2, 3]}, xlabel="clips"))
    texts = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert texts == [legible(f"{name} ({n})") for n, name in enumerate(people, start=1)]


def test_with_a_font_names_are_drawn_by_it(tmp_path: Path) -> None:
    make_font(tmp_path / "squares.ttf", "佐藤花子", "Squares")
    assert legible("佐藤 花子") == "佐藤 花子"
    figure = drawn(counts_figure(["佐藤 花子", "b"], {"F": [1, 2]}, xlabel="花"))
    first, second = figure.axes[0].get_yticklabels()
    assert (first.get_text(), first.get_fontfamily()[-1]) == ("佐藤 花子 (1)", "Squares")
    assert second.get_fontfamily()[-1] != "Squares"
    other = drawn(counts_figure(["b", "b"], {"F": [1, 2]}, xlabel="b"))
    assert first.get_window_extent().width > other.axes[0].get_yticklabels()[0].get_window_extent().width


def test_several_fonts_serve_one_name_and_only_the_rest_is_escaped(tmp_path: Path) -> None:
    make_font(tmp_path / "one.ttf", "佐藤", "One")
    make_font(tmp_path / "two.ttf", "花子", "Two")
    assert legible("佐藤 花子") == "佐藤 花子"
    assert legible("佐藤 花子 ส") == "佐藤 花子 \\u0e2a"


def test_that_a_font_is_missing_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for name in ("佐藤", "สมชาย", "佐藤"):
            legible(name)
    assert len(caplog.messages) == 1


def test_a_long_title_of_broad_letters_is_wrapped_sooner(tmp_path: Path) -> None:
    make_font(tmp_path / "squares.ttf", "佐", "Squares")
    figure = drawn(scatter_figure(np.eye(2), np.array(["a", "b"]), title="佐佐佐佐 " * 16, legend_title="x"))
    box = figure.get_suptitle(), figure._suptitle.get_window_extent()  # type: ignore[attr-defined]
    assert box[0].count("\n") >= 1
    assert box[1].x0 >= 0 and box[1].x1 <= figure.bbox.width
