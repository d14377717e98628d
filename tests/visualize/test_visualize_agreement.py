import numpy as np
import pytest
from matplotlib.colors import to_rgba

from src.visualize.agreement import agreement_figure
from src.visualize.style import BLUE, VERMILION

NAMES = ("run0", "$run_1$")


def test_every_clip_is_at_its_two_scores_in_the_colour_of_its_class():
    rng = np.random.default_rng(0)
    labels, first, second = rng.integers(0, 2, 50), rng.normal(size=50), rng.normal(size=50)
    figure = agreement_figure(labels, (first, second), (0.0, 0.0), NAMES)
    figure.draw_without_rendering()
    (points,) = figure.axes[0].collections
    drawn = {
        tuple(place): tuple(color[:3])
        for place, color in zip(points.get_offsets().data, points.get_facecolors(), strict=True)
    }
    expected = {
        (x, y): to_rgba(BLUE if label else VERMILION)[:3] for label, x, y in zip(labels, first, second, strict=True)
    }
    assert drawn == expected
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == [f"spoof ({(labels == 0).sum()})", f"bona fide ({(labels == 1).sum()})", "thresholds"]


def test_decisions_are_counted_by_the_rule_of_the_threshold():
    # A score equal to the threshold is called bona fide; only the third clip is decided differently.
    scores = ([0.5, 0.1, 0.5, 0.9], [2.0, 1.0, 1.9, 3.0])
    figure = agreement_figure([1, 0, 0, 1], scores, (0.5, 2.0), NAMES)
    assert figure.axes[0].get_title() == "decided differently: 1 of 4 clips (25.00 %)"
    vertical, horizontal = figure.axes[0].lines
    assert (set(vertical.get_xdata()), set(horizontal.get_ydata())) == ({0.5}, {2.0})
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("score by run0", "score by $run_1$")


def test_scores_that_cannot_be_compared_are_refused():
    with pytest.raises(ValueError, match="1 of 2 scores is NaN"):
        agreement_figure([1, 0], ([0.1, 0.2], [0.1, np.nan]), (0.0, 0.0), NAMES)
    with pytest.raises(ValueError, match="3"):
        agreement_figure([1, 0], ([0.1, 0.2], [0.1, 0.2, 0.3]), (0.0, 0.0), NAMES)
