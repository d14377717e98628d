"""The picture of one clip: what is drawn lies at its time, whatever the lengths."""

import numpy as np
import pytest

from src.visualize.spans import spans_figure
from src.visualize.style import LABEL_COLORS

RATE = 16_000


def draw(**changes):
    given = {
        "waveform": np.linspace(-0.5, 0.5, 2 * RATE),
        "frames": (np.arange(100) - 50.0, 0.02, 0.25),
        "spans": ([(0.5, 1.25), (1.5, 2.0)], [(0.4, 1.3)]),
    } | changes
    return spans_figure(given["waveform"], RATE, given["frames"], given["spans"], title="a $b$ c")


def bars(figure, row):
    paths = figure.axes[2].collections[row].get_paths()
    return [(path.vertices[:, 0].min(), path.vertices[:, 0].max()) for path in paths]


def test_truth_and_found_are_at_their_times():
    figure = draw()
    assert bars(figure, 0) == [pytest.approx((0.4, 1.3))]
    assert bars(figure, 1) == [pytest.approx((0.5, 1.25)), pytest.approx((1.5, 2.0))]
    assert [label.get_text() for label in figure.axes[2].get_yticklabels()] == ["found", "truth"]
    shaded = [patch.get_x() for patch in figure.axes[0].patches]
    assert shaded == [0.5, 1.5]


def test_scores_stand_for_their_frames_and_the_threshold_is_drawn():
    middle = draw().axes[1]
    values, edges, _ = middle.patches[0].get_data()
    np.testing.assert_allclose(values, np.arange(100) - 50.0)
    np.testing.assert_allclose(edges, np.arange(101) * 0.02)
    assert list(middle.lines[0].get_ydata()) == [0.25, 0.25]


def test_spoof_has_the_colour_that_it_has_everywhere():
    from matplotlib.colors import to_rgba

    assert to_rgba(LABEL_COLORS[0]) == tuple(draw().axes[2].collections[0].get_facecolor()[0])


def test_all_panels_share_the_time_of_the_clip():
    figure = draw(waveform=np.zeros(3 * RATE + 77))
    assert {tuple(axes.get_xlim()) for axes in figure.axes} == {(0, 3 + 77 / RATE)}


def test_no_peak_of_a_long_clip_is_lost():
    waveform = np.zeros(60 * RATE)
    waveform[123_456], waveform[654_321] = 0.9, -0.8
    drawn = draw(waveform=waveform).axes[0].lines[0].get_data()
    assert len(drawn[0]) <= 8000
    assert drawn[0][np.argmax(drawn[1])] == pytest.approx(123_456 / RATE, abs=0.02)
    assert drawn[1].min() == -0.8


@pytest.mark.parametrize("spans", [([], []), ([(0, 2)], []), ([], [(0, 0.1)])])
def test_nothing_spoofed_and_all_spoofed_are_drawn(spans):
    draw(spans=spans).draw_without_rendering()
    draw(spans=spans, waveform=[0.5], frames=([1.0], 0.02, 0.0)).draw_without_rendering()


def test_it_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"The samples of a clip must have one dimension .* not the shape \(0,\)"):
        draw(waveform=[])
    with pytest.raises(ValueError, match=r"The scores of a clip must have one dimension .* not the shape \(1, 1\)"):
        draw(frames=([[1.0]], 0.02, 0.0))
    with pytest.raises(ValueError, match="1 of 2 scores are NaN or infinite"):
        draw(frames=([1.0, np.nan], 0.02, 0.0))
