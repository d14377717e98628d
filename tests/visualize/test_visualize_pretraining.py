"""Pictures of pretraining: panels for the signs that there are, lines where the numbers are, refusals in one line."""

import numpy as np
import pytest

from src.visualize.pretraining import changes_figure, signs_figure
from src.visualize.probe import ProbeCurve, probe_figure

NAN = float("nan")


def test_only_signs_that_were_measured_have_a_panel() -> None:
    figure = signs_figure(
        {"hours_seen": [1, 2, 3], "loss": [3, 2, 1], "held_out_loss": [3, NAN, 2], "perplexity": [NAN] * 3}
    )
    (axes,) = (axes for axes in figure.axes if axes.get_visible())
    assert [line.get_label() for line in axes.lines] == ["training", "held out"]
    assert axes.lines[1].get_xdata().tolist() == [1, 3]


def test_shares_are_drawn_in_percent_beside_chance() -> None:
    figure = signs_figure({"hours_seen": [1, 2], "accuracy": [0.1, 0.2], "chance": [0.05, 0.05]})
    accuracy, chance = figure.axes[0].lines
    assert accuracy.get_ydata() == pytest.approx([10, 20])
    assert chance.get_ydata() == pytest.approx([5, 5])
    assert chance.get_linestyle() == "--"


@pytest.mark.parametrize("signs", [{"hours_seen": []}, {"loss": [1.0]}, {"hours_seen": [1.0, 2.0], "loss": [1.0]}])
def test_signs_without_hours_are_refused(signs: dict[str, list[float]]) -> None:
    with pytest.raises(ValueError, match="hours_seen"):
        signs_figure(signs)


def test_no_sign_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="no sign"):
        signs_figure({"hours_seen": [1.0], "step": [1.0]})


def test_changes_of_a_model_that_has_not_moved_can_be_drawn() -> None:
    axes = changes_figure([0, 1], [0.0, 0.0], [0.0, NAN]).axes[0]
    assert axes.get_ylim()[1] > 0
    with pytest.raises(ValueError, match="one shape"):
        changes_figure([0, 1], [0.0], [0.0, 0.1])


def test_a_probe_has_a_panel_for_each_way_of_judging_on_one_scale() -> None:
    rng = np.random.default_rng(0)
    curves = [
        ProbeCurve("lfcc", [0], [0.4], [NAN], [NAN], 0),
        *(ProbeCurve(name, range(3), rng.random(3) / 2, [0, 0, 0], [0.6, 0.5, 0.5], 1) for name in ("start", "model")),
    ]
    figure = probe_figure({"in domain": curves, "left out": curves[:2]})
    first, second = figure.axes
    assert first.get_ylim() == second.get_ylim()
    assert first.get_ylim()[1] == pytest.approx(63)
    assert len(first.collections) == 2  # the bands of start and model
    labels = [text.get_text() for text in first.get_legend().get_texts()]
    assert labels[0] == "lfcc: 40.00 %"
    assert labels[2].endswith("at layer 1")


def test_a_probe_shows_each_system_that_was_left_out_of_the_last_model() -> None:
    systems = {"vits": [0.9, 0.9], "hifigan": [0.1, 0.2], "tacotron": [0.1, 0.2]}
    start, model = (ProbeCurve(name, [0, 1], [0.4, 0.5], [0, 0], [1, 1], 1, systems) for name in ("start", "model"))
    axes = probe_figure({"left out": [start, model]}).axes[0]
    thin = [line.get_ydata().tolist() for line in axes.lines if line.get_linewidth() < 1]
    assert thin == [pytest.approx(100 * np.array(eers)) for eers in systems.values()]  # once: not of the start
    assert axes.get_ylim()[1] > 90
    places = {text.get_text(): text.get_position()[1] for text in axes.texts}
    assert places.keys() == systems.keys() and len(set(places.values())) == 3  # no name on top of another


def test_a_probe_without_models_or_with_unknown_eers_is_refused() -> None:
    with pytest.raises(ValueError, match="no model"):
        probe_figure({"in domain": []})
    with pytest.raises(ValueError, match="NaN"):
        probe_figure({"in domain": [ProbeCurve("a", [0, 1], [NAN, 0.1], [0, 0], [1, 1], 1)]})


def test_gradients_that_vanish_are_drawn_without_a_warning() -> None:
    axes = signs_figure({"hours_seen": [1, 2], "gradient_norm": [0.0, 0.0]}).axes[0]
    assert axes.get_yscale() == "linear"  # no logarithm of 0
