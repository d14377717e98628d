"""The picture of the EERs by layer: percent, intervals where there are some, and a ring around the lowest."""

import numpy as np
import pytest
from matplotlib.collections import FillBetweenPolyCollection
from matplotlib.figure import Figure

from src.visualize.layers import layer_figure, weights_figure


def draw(figure: Figure) -> Figure:
    """Lay the figure out and draw all of it, so that whatever breaks, breaks."""
    figure.draw_without_rendering()
    return figure


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def band(figure: Figure) -> FillBetweenPolyCollection:
    (found,) = [each for each in figure.axes[0].collections if isinstance(each, FillBetweenPolyCollection)]
    return found


def test_every_layer_is_drawn_in_percent_with_its_bounds() -> None:
    figure = draw(layer_figure([0, 1, 2], [0.3, 0.05, 0.2], [0.2, 0.01, 0.15], [0.4, 0.1, 0.22]))
    curve, best = figure.axes[0].lines
    np.testing.assert_allclose(curve.get_xydata(), [[0, 30], [1, 5], [2, 20]])
    np.testing.assert_allclose(best.get_xydata(), [[1, 5]])
    corners = {(x, round(y, 9)) for x, y in band(figure).get_paths()[0].vertices}
    assert corners == {(0, 20), (0, 40), (1, 1), (1, 10), (2, 15), (2, 22)}
    assert legend(figure) == ["validation EER", "95 % interval", "lowest: 5.00 % at layer 1"]
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("hidden layer", "EER (%)")


def test_of_equal_layers_the_first_is_ringed_and_layers_left_out_keep_their_place() -> None:
    figure = draw(layer_figure([2, 6, 12], [0.2, 0.1, 0.1], [0.1, 0.0, 0.0], [0.3, 0.2, 0.2]))
    assert figure.axes[0].lines[1].get_xdata().tolist() == [6]
    assert figure.axes[0].lines[0].get_xdata().tolist() == [2, 6, 12]


@pytest.mark.parametrize("n_layers", [1, 2, 13, 25])
def test_everything_is_inside_and_ticks_are_layers(n_layers: int) -> None:
    layers, eers = np.arange(n_layers), np.linspace(0.5, 0.0, n_layers)
    axes = draw(layer_figure(layers, eers, eers / 2, np.minimum(1, eers * 2))).axes[0]
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    assert left < layers[0] <= layers[-1] < right
    assert low < 0
    assert high > 100
    assert all(float(tick).is_integer() for tick in axes.get_xticks())


def test_a_single_layer_shows_its_interval_as_a_line() -> None:
    figure = draw(layer_figure([4], [0.2], [0.1], [0.4]))
    (line,) = [each for each in figure.axes[0].collections if not isinstance(each, FillBetweenPolyCollection)]
    np.testing.assert_allclose(line.get_segments()[0], [[4, 10], [4, 40]])


def test_without_any_bounds_no_interval_is_promised() -> None:
    nothing = [np.nan, np.nan]
    assert legend(draw(layer_figure([0, 1], [0.3, 0.1], nothing, nothing))) == [
        "validation EER",
        "lowest: 10.00 % at layer 1",
    ]
    draw(layer_figure([0], [0.3], [np.nan], [np.nan]))


def test_a_perfect_layer_is_drawn() -> None:
    low, high = draw(layer_figure([0, 1], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0])).axes[0].get_ylim()
    assert low < 0 < high


@pytest.mark.parametrize(
    ("layers", "eers", "lows", "highs", "message"),
    [
        ([], [], [], [], "n >= 1"),
        ([0, 1], [0.1], [0.0], [0.2], r"got \(2,\), \(1,\) and \(1,\)"),
        ([0, 1], [0.1, 0.2], [0.0], [0.2], r"got \(2,\), \(2,\) and \(1,\)"),
        ([[0], [1]], [[0.1], [0.2]], [[0.0], [0.0]], [[0.3], [0.3]], "one shape"),
        ([0, 1], [0.1, np.nan], [0.0, 0.0], [0.3, 0.3], "1 of 2 EERs are NaN"),
        ([0, 1], [0.1, np.inf], [0.0, 0.0], [0.3, 0.3], "1 of 2 EERs are NaN or infinite"),
    ],
)
def test_what_cannot_be_drawn_is_refused(layers: list, eers: list, lows: list, highs: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layer_figure(layers, eers, lows, highs)


def test_the_eer_of_a_mix_is_a_line_across_and_lies_inside() -> None:
    figure = draw(layer_figure([0, 1], [0.1, 0.2], [np.nan] * 2, [np.nan] * 2, mix=0.3))
    assert "mix of all layers: 30.00 %" in legend(figure)
    assert 30 in figure.axes[0].lines[1].get_ydata()
    assert figure.axes[0].get_ylim()[1] > 30


@pytest.mark.parametrize("n_layers", [1, 13, 25])
def test_weights_are_drawn_in_percent_beside_equal_ones(n_layers: int) -> None:
    weights = np.arange(1, n_layers + 1) / np.arange(1, n_layers + 1).sum()
    figure = draw(weights_figure(np.arange(n_layers), weights))
    axes = figure.axes[0]
    np.testing.assert_allclose([bar.get_height() for bar in axes.patches], 100 * weights)
    np.testing.assert_allclose([bar.get_x() + bar.get_width() / 2 for bar in axes.patches], np.arange(n_layers))
    np.testing.assert_allclose(axes.lines[0].get_ydata(), 100 / n_layers)
    assert legend(figure) == ["weight", f"equal weights: {100 / n_layers:.2f} %"]
    assert all(float(tick).is_integer() for tick in axes.get_xticks())


@pytest.mark.parametrize(
    ("layers", "weights", "line"),
    [
        ([], [], "must have one shape"),
        ([0, 1], [1.0], "must have one shape"),
        ([0, 1], [0.5, 0.6], "sum to 1, not 1.1"),
        ([0, 1], [1.5, -0.5], "not be negative"),
        ([0, 1], [np.nan, 1.0], "weights"),
    ],
)
def test_weights_that_are_none_are_refused(layers: list[int], weights: list[float], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        weights_figure(layers, weights)
