"""The picture of a prediction shows every window's score on the side of the threshold where it lies."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from src.visualize.prediction import Heard, prediction_figure
from src.visualize.style import LABEL_COLORS

WINDOWS = np.array([[0.0, 2.0], [1.0, 3.0], [2.0, 4.0]])
HEARD = Heard(
    4.0, np.tile([-0.5, 0.5], (8, 1)), np.vstack([np.zeros((4, 5)), np.ones((4, 5))]), 16_000, WINDOWS, np.zeros(3)
)


def test_windows_lie_at_their_middles_in_the_colour_of_their_decision() -> None:
    heard = Heard(4.0, HEARD.extremes, HEARD.powers, 16_000, WINDOWS, np.array([1.0, np.nan, -1.0]))
    figure = prediction_figure(heard, 0.5, title="a.wav: spoof")
    above, middle, below = figure.axes
    assert figure.get_suptitle() == "a.wav: spoof"
    shown = {to_hex(line.get_color()): line.get_xydata().tolist() for line in below.lines if line.get_marker() == "."}
    assert shown == {LABEL_COLORS[1].lower(): [[1.0, 1.0]], LABEL_COLORS[0].lower(): [[3.0, -1.0]]}
    assert above.get_xlim() == (0, 4)
    assert middle.get_ylim() == (0, 8)
    picture = middle.images[0].get_array()
    assert picture.shape == (5, 8)
    assert picture[:, :4].max() == -80
    assert picture[:, 4:].min() == 0


def test_digital_silence_is_black_and_nothing_to_draw_is_an_error() -> None:
    silent = Heard(4.0, np.zeros((8, 2)), np.zeros((8, 5)), 16_000, WINDOWS, np.full(3, np.nan))
    assert prediction_figure(silent, 0.0).axes[1].images[0].get_array().max() == -80
    with pytest.raises(ValueError, match="a column and a window"):
        prediction_figure(Heard(0.0, np.empty((0, 2)), np.empty((0, 5)), 16_000, WINDOWS, np.zeros(3)), 0.0)
