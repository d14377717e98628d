import numpy as np
import pytest
from matplotlib.colors import to_rgb

from src.metrics.classification import confusion_matrix
from src.visualize.decisions import confusion_figure, score_histogram
from src.visualize.style import BLUE, VERMILION


def draw(figure):
    """Lay the figure out and draw all of it, so that extents are known and whatever breaks, breaks."""
    figure.draw_without_rendering()
    return figure


def legend_texts(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def areas(figure):
    """Bar heights of each class, from its outline, by colour."""
    return {patch.get_facecolor()[:3]: patch.get_path().vertices for patch in figure.axes[0].patches}


def test_histogram_counts_both_errors_by_the_rule_of_the_threshold():
    # A score equal to the threshold is called bona fide.
    figure = draw(score_histogram([1, 1, 1, 1, 0, 0], [0.5, 0.9, 0.4, 0.8, 0.5, 0.1], threshold=0.5))
    assert legend_texts(figure) == [
        "spoof (2): 50.00 % accepted",
        "bona fide (4): 25.00 % rejected",
        "threshold 0.5",
    ]
    (threshold,) = figure.axes[0].lines
    assert set(threshold.get_xdata()) == {0.5}


def test_the_legend_agrees_with_the_confusion_matrix():
    rng = np.random.default_rng(0)
    y_true, y_scores = rng.integers(0, 2, 500), rng.normal(size=500)
    matrix = confusion_matrix(y_true, y_scores, 0.3)
    shares = matrix / matrix.sum(axis=1, keepdims=True)
    spoof, bonafide, _ = legend_texts(score_histogram(y_true, y_scores, 0.3))
    assert spoof == f"spoof ({matrix[0].sum()}): {100 * shares[0, 1]:.2f} % accepted"
    assert bonafide == f"bona fide ({matrix[1].sum()}): {100 * shares[1, 0]:.2f} % rejected"


def test_heights_are_shares_of_the_class_whatever_the_mixture():
    scores = np.linspace(0, 1, 10)
    rare = score_histogram(np.repeat([1, 0], [10, 10]), np.tile(scores, 2), 0.5)
    common = score_histogram(np.repeat([1, 0], [10, 90]), np.tile(scores, 10), 0.5)
    for figure in (rare, common):
        outlines = areas(figure)
        assert set(outlines) == {to_rgb(BLUE), to_rgb(VERMILION)}
        for vertices in outlines.values():
            assert vertices[:, 1].max() == pytest.approx(10)
            assert (vertices[:, 0].min(), vertices[:, 0].max()) == (0, 1)


@pytest.mark.parametrize("scores", [[0.5, 0.5, 0.5], [1e-9, 0, -1e-9], [1e6, 0.1, 0.2], [-3.0, -2.0, -1.0]])
def test_odd_scores_and_far_thresholds_are_drawn(scores):
    figure = draw(score_histogram([1, 0, 1], scores, 9.0))
    low, high = figure.axes[0].get_xlim()
    assert low < min(scores) <= max(scores) < high
    assert low < 9 < high


def test_equal_scores_have_a_bar_around_them():
    for vertices in areas(score_histogram([1, 0, 1], [0.5, 0.5, 0.5], 0.5)).values():
        tall = vertices[vertices[:, 1] > 0, 0]
        assert tall.min() <= 0.5 < tall.max()


def test_histogram_says_what_is_wrong():
    with pytest.raises(ValueError, match="1 of 2 scores is NaN"):
        score_histogram([1, 0], [0.1, np.nan], 0.0)
    with pytest.raises(ValueError, match="1 of 1 thresholds are NaN or infinite"):
        score_histogram([1, 0], [0.1, 0.2], np.inf)


def test_confusion_shows_counts_and_row_percent():
    figure = draw(confusion_figure([[90, 10], [1, 3]], ["spoof", "bona fide"]))
    axes = figure.axes[0]
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert cells == {(0, 0): "90\n90.00 %", (1, 0): "10\n10.00 %", (0, 1): "1\n25.00 %", (1, 1): "3\n75.00 %"}
    assert [label.get_text() for label in axes.get_xticklabels()] == ["spoof", "bona fide"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["spoof\n(100)", "bona fide\n(4)"]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.9, 0.1], [0.25, 0.75]])
    assert {text.get_text(): text.get_color() for text in axes.texts}["90\n90.00 %"] == "white"
    # The first row is at the top.
    assert axes.yaxis_inverted()


def test_a_class_without_clips_has_no_percentages():
    figure = draw(confusion_figure([[0, 0], [1, 1]], ["spoof", "bona fide"]))
    assert [text.get_text() for text in figure.axes[0].texts][:2] == ["0\n–", "0\n–"]


@pytest.mark.parametrize(
    ("matrix", "names"), [([[1, 2]], ["a", "b"]), ([[1, 2], [3, 4]], ["a"]), ([], []), ([[1, -1], [0, 1]], ["a", "b"])]
)
def test_confusion_says_what_is_wrong(matrix, names):
    with pytest.raises(ValueError, match=r"counts >= 0 of shape \(k, k\)"):
        confusion_figure(matrix, names)
