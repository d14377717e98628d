"""The picture of the models: every box and arrow is drawn, within the picture, and none covers another."""

from itertools import combinations
from pathlib import Path

import pytest

from benchmarks.family_tree import ARROWS, PICTURE, boxes, main
from src.backbones import BACKBONES
from src.detectors import DETECTORS
from src.detectors.heads import HEADS
from src.models import CLASSIFIERS, FUSIONS
from src.visualize.family_tree import Box, tree_figure

ROOM = (10.0, 4.0)
PAIR = {"a": Box("waveform", ("16 kHz",), 0.5, 2, "#000000", width=3), "b": Box("$d$", (), 6, 2, "#999999", width=3)}


def test_boxes_hold_their_names_and_arrows_their_shapes() -> None:
    figure = tree_figure(PAIR, [("a", "b", "(b, n)")], size=ROOM)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["waveform", "16 kHz", "$d$", "", "(b, n)"]
    assert len(axes.patches) == 2
    assert axes.texts[3].arrow_patch is not None
    figure.draw_without_rendering()


def test_an_arrow_to_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="There is no box 'c'; there are a, b"):
        tree_figure(PAIR, [("a", "c", "")], size=ROOM)


def test_every_model_is_in_a_box_and_no_box_covers_another() -> None:
    names = [name for box in boxes().values() for name in box.members]
    for registry in (BACKBONES, CLASSIFIERS, DETECTORS, HEADS, FUSIONS):
        assert set(registry) <= set(names)
    for one, other in combinations(boxes().values(), 2):
        beside = one.x + one.width < other.x or other.x + other.width < one.x
        assert beside or abs(one.y - other.y) > (one.height + other.height) / 2, f"{one.title}, {other.title}"


def test_the_picture_is_the_one_that_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.family_tree.PICTURE", tmp_path / "models.svg")
    main()
    drawn = (tmp_path / "models.svg").read_text(encoding="utf-8")
    for box in boxes().values():
        for text in (box.title, *box.members):
            assert f">{text}<" in drawn
            assert f">{text}<" in PICTURE.read_text(encoding="utf-8"), "draw it: python -m benchmarks.family_tree"
    assert all(f">{label}<" in drawn for _, _, label in ARROWS)
