import numpy as np
import pytest

from src.visualize.slices import slice_figure
from src.visualize.study import history_figure, importance_figure


def draw(figure):
    """Lay the figure out and draw all of it, so that extents are known and whatever breaks, breaks."""
    figure.draw_without_rendering()
    return figure


def test_history_in_percent_in_order_of_trial():
    figure = draw(history_figure([3, 0, 7, 1], [0.05, 0.30, 0.08, 0.40]))
    trials, best_so_far, best = figure.axes[0].lines
    assert trials.get_xdata().tolist() == best_so_far.get_xdata().tolist() == [0, 1, 3, 7]
    np.testing.assert_allclose(trials.get_ydata(), [30, 40, 5, 8])
    np.testing.assert_allclose(best_so_far.get_ydata(), [30, 30, 5, 5])
    assert best.get_xdata()[0] == 3
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "trial",
        "best so far",
        "best: trial 3, 5.00 %",
    ]
    assert figure.axes[0].get_ylabel() == "validation EER (%)"


def test_the_order_of_the_trials_does_not_matter():
    numbers, values = np.arange(50), np.random.default_rng(0).random(50)
    shuffled = np.random.default_rng(1).permutation(50)
    one = history_figure(numbers, values).axes[0].lines[1].get_xydata()
    other = history_figure(numbers[shuffled], values[shuffled]).axes[0].lines[1].get_xydata()
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("values", [[0.1], [0.0, 0.0], [0.5] * 100])
def test_short_flat_and_long_studies(values):
    axes = draw(history_figure(np.arange(len(values)), values)).axes[0]
    low, high = axes.get_ylim()
    assert low < 100 * min(values) <= 100 * max(values) < high
    assert all(float(tick).is_integer() for tick in axes.get_xticks())


@pytest.mark.parametrize(
    ("numbers", "values", "message"),
    [
        ([], [], "finish a trial first"),
        ([1, 2], [0.1], r"got \(2,\) and \(1,\)"),
        ([1, 2], [0.1, np.nan], "1 of 2 values are NaN"),
    ],
)
def test_history_says_what_is_wrong(numbers, values, message):
    with pytest.raises(ValueError, match=message):
        history_figure(numbers, values)


def test_importances_fall_from_top_to_bottom():
    figure = draw(importance_figure(["dropout", "learning_rate", "$n_{$"], [0.1, 0.75, 0.15]))
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["learning_rate", "$n_{$", "dropout"]
    assert [bar.get_width() for bar in axes.patches] == [0.75, 0.15, 0.1]
    assert [text.get_text() for text in axes.texts] == ["0.75", "0.15", "0.10"]
    assert axes.yaxis_inverted()


def test_many_bars_make_a_higher_picture():
    heights = [importance_figure([f"{k}" for k in range(n)], np.ones(n) / n).get_figheight() for n in (1, 5, 20)]
    assert heights == sorted(heights)
    assert heights[0] < heights[2]


def test_the_longest_bars_number_stays_inside():
    figure = draw(importance_figure(["a_very_long_name_of_some_hyperparameter", "C"], [0.9, 0.1]))
    axes = figure.axes[0]
    assert all(text.get_window_extent().x1 < axes.bbox.x1 for text in axes.texts)


def test_no_importance_at_all_is_drawn():
    draw(importance_figure(["C"], [0.0]))


@pytest.mark.parametrize(
    ("names", "shares", "message"),
    [
        ([], [], "k >= 1"),
        (["a"], [0.1, 0.2], "1 names"),
        (["a"], [-0.1], ">= 0"),
        (["a"], [np.nan], "1 of 1 importances are NaN"),
    ],
)
def test_importance_says_what_is_wrong(names, shares, message):
    with pytest.raises(ValueError, match=message):
        importance_figure(names, shares)


def test_a_slice_shows_every_finished_trial_of_numbers_and_of_names() -> None:
    import optuna

    study = optuna.create_study()
    for number, kernel in enumerate(("rbf", "linear", "rbf")):
        parameters = {"C": 10.0**number, "kernel": kernel}
        distributions = {
            "C": optuna.distributions.FloatDistribution(0.1, 1000, log=True),
            "kernel": optuna.distributions.CategoricalDistribution(["rbf", "linear"]),
        }
        study.add_trial(optuna.trial.create_trial(params=parameters, distributions=distributions, value=number / 10))
    study.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState.FAIL))
    numbers, names = (slice_figure(study, parameter).axes[0] for parameter in ("C", "kernel"))
    assert numbers.collections[0].get_offsets().tolist() == [[1.0, 0.0], [10.0, 10.0], [100.0, 20.0]]
    assert numbers.get_xscale() == "log"
    assert names.collections[0].get_offsets().tolist() == [[1.0, 0.0], [0.0, 10.0], [1.0, 20.0]]
    assert [label.get_text() for label in names.get_xticklabels()] == ["linear", "rbf"]
    assert slice_figure(study, "C", "mean EER across systems").axes[0].get_ylabel() == "mean EER across systems (%)"
    with pytest.raises(ValueError, match="No finished trial has the hyperparameter 'gamma'"):
        slice_figure(study, "gamma")
