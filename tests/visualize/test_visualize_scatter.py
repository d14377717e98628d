import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba

from src.visualize.scatter import scatter_figure
from src.visualize.style import BLUE, GREY, VERMILION


def draw(groups, title="corpus", points=None):
    groups = np.asarray(groups)
    if points is None:
        points = np.random.default_rng(0).normal(size=(len(groups), 2))
    return scatter_figure(points, groups, title=title, legend_title="label")


def legend_texts(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def looks_of_points(figure):
    """(colour, outline) of every point, in the order of drawing."""
    collection = figure.axes[0].collections[0]
    outlines = [path.vertices.round(6).tobytes() for path in collection.get_paths()]
    return [(tuple(color[:3]), outline) for color, outline in zip(collection.get_facecolors(), outlines, strict=True)]


def png(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=50)
    return buffer.getvalue()


def test_labels_have_their_colours_and_counts():
    figure = draw(["spoof"] * 7 + ["bona-fide"] * 5 + [""] * 2)
    assert legend_texts(figure) == ["bona-fide (5)", "spoof (7)", "unknown (2)"]
    colors = [color for color, _ in looks_of_points(figure)]
    assert [colors.count(to_rgba(color)[:3]) for color in (BLUE, VERMILION, GREY)] == [5, 7, 2]
    handles = figure.axes[0].get_legend().legend_handles
    assert [handle.get_color() for handle in handles] == [BLUE, VERMILION, GREY]


def test_every_point_keeps_its_place_and_group():
    groups = np.array(["spoof", "bona-fide"] * 50)
    points = np.random.default_rng(2).normal(size=(100, 2))
    figure = draw(groups, points=points)
    drawn = figure.axes[0].collections[0].get_offsets().data
    assert not np.array_equal(drawn, points)
    color_at = {tuple(place): color for place, (color, _) in zip(drawn, looks_of_points(figure), strict=True)}
    names = {"spoof": to_rgba(VERMILION)[:3], "bona-fide": to_rgba(BLUE)[:3]}
    assert all(color_at[tuple(place)] == names[group] for place, group in zip(points, groups, strict=True))


def test_no_class_is_drawn_under_the_other():
    figure = draw(["bona-fide"] * 500 + ["spoof"] * 500)
    is_blue = [color == to_rgba(BLUE)[:3] for color, _ in looks_of_points(figure)]
    # Of 500 places in each half a fair shuffle puts 250 +- 11 of one class.
    assert 200 < sum(is_blue[:500]) < 300


def test_other_groups_do_not_look_like_labels():
    colors = {color for color, _ in looks_of_points(draw(["F", "M"] * 4))}
    assert len(colors) == 2
    assert not colors & {to_rgba(BLUE)[:3], to_rgba(VERMILION)[:3]}


@pytest.mark.parametrize("n_groups", [1, 7, 8, 40, 101])
def test_every_group_has_its_own_look(n_groups):
    figure = draw([f"speaker {k:03d}" for k in range(n_groups)] + ["bona-fide", ""])
    assert len(set(looks_of_points(figure))) == n_groups + 2


@pytest.mark.parametrize(("n_groups", "n_columns", "n_entries"), [(20, 1, 20), (21, 2, 21), (40, 2, 40), (41, 2, 40)])
def test_a_long_legend_goes_into_columns(n_groups, n_columns, n_entries):
    figure = draw([f"{k}" for k in range(n_groups)])
    assert figure.axes[0].get_legend()._ncols == n_columns
    assert len(legend_texts(figure)) == n_entries


def test_the_legend_names_the_largest_groups_and_counts_the_others():
    groups = [f"speaker {k:03d}" for k in range(101) for _ in range(1 + (k == 77) + 2 * (k == 50))]
    texts = legend_texts(draw(groups))
    assert texts[:3] == ["speaker 050 (3)", "speaker 077 (2)", "speaker 000 (1)"]
    assert texts[-1] == "and 62 more"


def test_points_and_legend_say_the_same():
    figure = draw([f"{k:02d}" for k in range(30)])
    legend = figure.axes[0].get_legend()
    drawn = {look[0] for look in looks_of_points(figure)}
    assert {to_rgba(handle.get_color())[:3] for handle in legend.legend_handles} == drawn


def overlap(first, second):
    return first.overlaps(second) and min(first.x1, second.x1) - max(first.x0, second.x0) > 1


@pytest.mark.parametrize("n_groups", [2, 19, 60])
def test_nothing_overlaps_and_nothing_is_cut_off(n_groups):
    names = [f"A rather long speaker's name {k:03d}" for k in range(n_groups)]
    figure = draw(names * 3, title="corpus, backbone, layer 6 of 12, 5,000 of 46,184 clips, " * 4)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    boxes = [axes.get_legend().get_window_extent(), figure._suptitle.get_window_extent(), axes.bbox]
    assert not any(overlap(a, b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])
    page = figure.bbox.padded(1)
    assert all(page.x0 <= box.x0 and page.y0 <= box.y0 and box.x1 <= page.x1 and box.y1 <= page.y1 for box in boxes)
    assert axes.bbox.width > 0.4 * figure.bbox.width


def test_long_titles_wrap_and_long_names_are_cut_in_the_middle():
    figure = draw(["tts_models/multilingual/multi-dataset/xtts_v2"], title="word " * 60)
    lines = figure.get_suptitle().splitlines()
    assert len(lines) == 4
    assert " ".join(lines).split() == ["word"] * 60
    assert legend_texts(figure) == ["tts_models/m…set/xtts_v2 (1)"]


def test_signs_in_names_are_no_formulas():
    # As formulas, these would be errors.
    figure = draw(["$a_{$", "_hidden"], title=r"50 $\frac$")
    png(figure)
    assert legend_texts(figure) == ["$a_{$ (1)", "_hidden (1)"]


def test_no_ticks_one_scale_no_state():
    before = plt.get_fignums()
    axes = draw(["a", "b"]).axes[0]
    assert list(axes.get_xticks()) == list(axes.get_yticks()) == []
    assert axes.get_aspect() == 1.0
    assert plt.get_fignums() == before


def test_same_input_same_picture():
    groups = [f"{k % 9}" for k in range(200)]
    assert png(draw(groups)) == png(draw(groups))


def test_a_single_point_is_a_picture():
    png(draw([""]))


@pytest.mark.parametrize(
    ("points", "groups", "message"),
    [
        (np.zeros((0, 2)), [], "n >= 1"),
        (np.zeros((3, 3)), ["a"] * 3, r"got \(3, 3\)"),
        (np.zeros((3, 2)), ["a"] * 2, r"and \(2,\)"),
        (np.array([[0.0, np.nan]]), ["a"], "1 of 2 coordinates are NaN"),
    ],
)
def test_what_cannot_be_drawn_is_refused(points, groups, message):
    with pytest.raises(ValueError, match=message):
        draw(groups, points=points)
