"""The picture of a stress test: one panel a distortion, each from the clean EER on, all on one scale."""

import numpy as np
import pytest

from src.visualize.stress import COLUMNS, StressCurve, stress_figure

NAN = float("nan")


def curve(effect: str = "noise", k: int = 3, eers: object = None) -> StressCurve:
    rates = np.linspace(0.1, 0.4, k) if eers is None else eers
    return StressCurve(effect, [f"{number} dB" for number in range(k)], rates, np.full(k, 0.05), np.full(k, 0.6))


def test_a_curve_begins_at_the_clean_eer_and_has_its_intervals() -> None:
    figure = stress_figure([curve()], clean=0.02)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    drawn = next(line for line in axes.lines if len(line.get_xdata()) == 4)
    np.testing.assert_allclose(drawn.get_xydata(), [[0, 2], [1, 10], [2, 25], [3, 40]])
    (bars,) = axes.collections
    np.testing.assert_allclose([segment[:, 1] for segment in bars.get_segments()], [[5, 60]] * 3)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["none", "0 dB", "1 dB", "2 dB"]


@pytest.mark.parametrize("n_curves", [1, COLUMNS, COLUMNS + 1])
def test_every_distortion_has_a_panel_and_all_share_one_scale(n_curves: int) -> None:
    figure = stress_figure([curve(f"effect {number}", k=1 + number % 3) for number in range(n_curves)], clean=0.1)
    figure.draw_without_rendering()
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in shown] == [f"effect {number}" for number in range(n_curves)]
    assert len({axes.get_ylim() for axes in shown}) == 1
    assert shown[0].get_ylim()[1] > 60  # the highest bound


def test_unknown_intervals_are_not_drawn_and_impossible_curves_refused() -> None:
    unknown = StressCurve("mp3", ["64 kb/s"], [0.2], [NAN], [NAN])
    stress_figure([unknown], clean=0.1).draw_without_rendering()
    with pytest.raises(ValueError, match="no distortion"):
        stress_figure([], clean=0.1)
    with pytest.raises(ValueError, match="of noise must have one shape"):
        stress_figure([curve(eers=[0.1])], clean=0.1)
    with pytest.raises(ValueError, match="1 of 3 EERs are NaN"):
        stress_figure([curve(eers=[0.1, NAN, 0.2])], clean=0.1)
