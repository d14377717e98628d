import numpy as np
import pytest

from src.visualize.waveforms import FLOOR_DB, waveforms_figure

RATE = 16_000


def tone(hertz, seconds=0.5, amplitude=0.5):
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)


def power(figure, column, n_columns):
    return np.asarray(figure.axes[n_columns + column].images[0].get_array())


@pytest.mark.parametrize("hertz", [400, 1000, 5200])
def test_a_tone_is_at_its_frequency(hertz):
    figure = waveforms_figure({"tone": tone(hertz)}, RATE)
    rows, columns = power(figure, 0, 1).shape
    *_, bottom, top = figure.axes[1].images[0].get_extent()
    loudest = int(power(figure, 0, 1)[:, columns // 2].argmax())
    assert bottom + (loudest + 0.5) / rows * (top - bottom) == pytest.approx(hertz / 1000, abs=0.001)


def test_a_click_is_at_its_time_in_both_panels():
    waveform = np.zeros(RATE)
    waveform[4800] = 0.9
    figure = waveforms_figure({"click": waveform}, RATE)
    x, y = figure.axes[0].lines[0].get_data()
    assert x[np.argmax(y)] == pytest.approx(0.3)
    left, right, *_ = figure.axes[1].images[0].get_extent()
    columns = power(figure, 0, 1).shape[1]
    loudest = int(power(figure, 0, 1)[10].argmax())
    assert left + (loudest + 0.5) / columns * (right - left) == pytest.approx(0.3, abs=0.006)


def test_clips_share_their_scales_so_that_a_quieter_one_looks_quieter():
    loud, quiet = tone(1000), tone(1000, amplitude=0.05)
    figure = waveforms_figure({"loud": loud, "quiet": quiet}, RATE)
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    assert power(figure, 0, 2).max() == 0
    assert power(figure, 1, 2).max() == pytest.approx(-20)
    assert {image.get_clim() for axes in figure.axes[2:4] for image in axes.images} == {(FLOOR_DB, 0)}


def test_clips_of_other_lengths_share_the_axis_of_time():
    figure = waveforms_figure({"short": tone(500, 0.2), "long": tone(500, 0.7)}, RATE)
    assert [tuple(axes.get_xlim()) for axes in figure.axes[:4]] == [(0, 0.7)] * 4


@pytest.mark.parametrize("waveform", [np.zeros(5000), np.array([0.5]), np.zeros(3)])
def test_silence_and_very_short_clips_are_drawn(waveform):
    waveforms_figure({"a $b$ c": waveform}, RATE).draw_without_rendering()


def test_it_says_what_is_wrong():
    with pytest.raises(ValueError, match="give at least one"):
        waveforms_figure({}, RATE)
    with pytest.raises(ValueError, match=r"that of 'a' has \(2, 3\)"):
        waveforms_figure({"a": np.zeros((2, 3))}, RATE)
    with pytest.raises(ValueError, match=r"that of 'a' has \(0,\)"):
        waveforms_figure({"a": np.zeros(0)}, RATE)
    with pytest.raises(ValueError, match="1 of 2 samples of 'a' are NaN"):
        waveforms_figure({"a": np.array([0, np.nan])}, RATE)
