import numpy as np
import pytest
from matplotlib.colors import to_rgba

from src.visualize.counts import counts_figure
from src.visualize.dots import dots_figure
from src.visualize.style import BLUE, VERMILION


def test_parts_are_as_long_as_their_counts_and_follow_each_other():
    figure = counts_figure(["train", "test"], {"F": [6, 3], "M": [5, 4]}, xlabel="people")
    figure.draw_without_rendering()
    women, men = figure.axes[0].containers
    assert [(bar.get_x(), bar.get_width()) for bar in women] == [(0, 6), (0, 3)]
    assert [(bar.get_x(), bar.get_width()) for bar in men] == [(6, 5), (3, 4)]
    assert [text.get_text() for text in figure.axes[0].texts] == ["6", "3", "5", "4"]
    assert figure.axes[0].yaxis_inverted()


def test_labels_keep_their_colours_whatever_their_order():
    figure = counts_figure(["a"], {"other": [1], "spoof": [2], "bona-fide": [3]}, xlabel="clips")
    colors = {text.get_text(): handle.get_facecolor() for text, handle in legend(figure)}
    assert colors["bona-fide"] == pytest.approx(to_rgba(BLUE))
    assert colors["spoof"] == pytest.approx(to_rgba(VERMILION))
    assert len(set(colors.values())) == 3


def legend(figure):
    return zip(figure.legends[0].get_texts(), figure.legends[0].legend_handles, strict=True)


def test_a_part_too_narrow_for_its_number_has_none_and_zeros_are_drawn():
    figure = counts_figure(["a", "b"], {"few": [10, 0], "many": [10_000, 0]}, xlabel="clips")
    figure.draw_without_rendering()
    assert [text.get_text() for text in figure.axes[0].texts] == ["", "", "10,000", ""]
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["a (10,010)", "b (0)"]
    counts_figure(["a"], {"F": [0]}, xlabel="people").draw_without_rendering()


@pytest.mark.parametrize(("bars", "parts"), [([], {"F": []}), (["a"], {}), (["a"], {"F": [1, 2]})])
def test_counts_that_do_not_fit_are_refused(bars, parts):
    with pytest.raises(ValueError, match=f"for each of {len(bars)} bars"):
        counts_figure(bars, parts, xlabel="people")


@pytest.mark.parametrize("count", [-1, np.nan])
def test_counts_below_zero_are_refused(count):
    with pytest.raises(ValueError, match="0 or more"):
        counts_figure(["a"], {"F": [count]}, xlabel="people")


NAN = np.nan


def test_dots_and_intervals_are_at_their_rates_in_percent():
    rates = [[0.1, 0.05, 0.2], [0.3, NAN, NAN], [NAN, NAN, NAN]]
    figure = dots_figure(["F", "M", "$x_1$"], {"run0": rates}, xlabel="EER")
    figure.draw_without_rendering()
    (dots,) = figure.axes[0].lines
    np.testing.assert_allclose(dots.get_xdata(), [10, 30, NAN])
    np.testing.assert_allclose(dots.get_ydata(), [0, 1, 2])
    bars = [path.vertices for path in figure.axes[0].collections[0].get_paths()]
    np.testing.assert_allclose(bars[0], [[5, 0], [20, 0]])
    assert not np.isfinite(np.concatenate(bars[1:])[:, 0]).any()
    assert figure.axes[0].yaxis_inverted()


def test_series_are_side_by_side_in_the_row_of_their_group():
    rates = [[0.1, 0.0, 0.2], [0.2, 0.1, 0.3]]
    figure = dots_figure(["F", "M"], {"a": rates, "b": rates, "c": rates}, xlabel="EER")
    figure.draw_without_rendering()
    rows = np.array([line.get_ydata() for line in figure.axes[0].lines])
    bars = [[path.vertices[:, 1] for path in bars.get_paths()] for bars in figure.axes[0].collections]
    np.testing.assert_array_equal(bars, np.repeat(rows[:, :, None], 2, axis=2))  # each interval through its own dot
    assert (np.abs(rows - [0, 1]) < 0.5).all()
    assert (np.diff(rows, axis=0) > 0.1).all()
    assert len({line.get_marker() for line in figure.axes[0].lines}) == 3
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b", "c"]


def test_a_reference_is_a_line_and_zero_is_within_the_frame():
    figure = dots_figure(["duration"], {"a": [0.0]}, xlabel="EER", references={"chance": 0.5})
    figure.draw_without_rendering()
    assert set(figure.axes[0].lines[1].get_xdata()) == {50}
    left, right = figure.axes[0].get_xlim()
    assert left < 0 < 50 < right
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "chance"]


@pytest.mark.parametrize(("groups", "series"), [([], {"a": []}), (["F"], {}), (["F"], {"a": [[0.1, 0.2]]})])
def test_rates_that_do_not_fit_are_refused(groups, series):
    with pytest.raises(ValueError, match=f"for each of {len(groups)} groups"):
        dots_figure(groups, series, xlabel="EER")
