import itertools

import numpy as np
import pytest
from scipy.stats import norm

from src.metrics.eer import compute_eer, detection_error_curve
from src.visualize.curves import det_figure, loss_figure, roc_figure


def draw(figure):
    """Lay the figure out and draw all of it, so that extents are known and whatever breaks, breaks."""
    figure.draw_without_rendering()
    return figure


def normal_scores(n_bonafide=300, n_spoof=400, distance=2.0):
    rng = np.random.default_rng(0)
    y_true = np.repeat([1, 0], [n_bonafide, n_spoof])
    return y_true, np.concatenate([rng.normal(distance, size=n_bonafide), rng.normal(size=n_spoof)])


def line(figure, label_start):
    """The data of the one line whose label starts so, over all axes."""
    (found,) = [each for axes in figure.axes for each in axes.lines if each.get_label().startswith(label_start)]
    return found


def tick_texts(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_loss_figure_draws_what_it_is_given():
    train, val, eers = [0.9, 0.5, 0.3], [1.0, 0.6, 0.7], [0.3, 0.1, 0.2]
    figure = draw(loss_figure(train, val, eers))
    for label, values in (("training", train), ("validation loss", val), ("validation EER", [30, 10, 20])):
        np.testing.assert_array_equal(line(figure, label).get_xdata(), [1, 2, 3])
        np.testing.assert_allclose(line(figure, label).get_ydata(), values)
    assert line(figure, "validation EER").axes is not line(figure, "training").axes
    mark = line(figure, "lowest EER")
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (2, 10)
    assert mark.get_label() == "lowest EER: 10.00 % at epoch 2"


@pytest.mark.parametrize(
    ("val_losses", "eers", "epoch"),
    [
        ([3, 2, 1], [0.1, 0.1, 0.2], 2),  # of equal EERs, the lower loss
        ([1, 1, 1], [0.1, 0.1, 0.1], 1),  # of equals in both, the first
        ([np.nan, 1, 2], [0.1, 0.1, 0.1], 2),  # a loss that is no number is no lowest loss
    ],
)
def test_the_marked_epoch_follows_the_trainers_rule(val_losses, eers, epoch):
    figure = loss_figure([1, 1, 1], val_losses, eers)
    assert line(figure, "lowest EER").get_xdata()[0] == epoch


def test_the_epoch_whose_weights_are_kept_by_another_rate_is_marked_as_that():
    figure = loss_figure([3, 2, 1], [3, 2, 1], [0.3, 0.02, 0.2], kept=2)
    assert figure.legends[0].get_texts()[-1].get_text() == "EER of the weights kept: 20.00 % at epoch 3"


@pytest.mark.parametrize("n_epochs", [1, 2, 7, 300])
def test_epoch_ticks_are_whole_numbers_within_the_run(n_epochs):
    figure = draw(loss_figure(*np.linspace(1, 0.2, 3 * n_epochs).reshape(3, n_epochs)))
    ticks = [tick for tick in figure.axes[0].get_xticks() if 0.5 <= tick <= n_epochs + 0.5]
    assert ticks
    assert all(float(tick).is_integer() for tick in ticks)


def test_a_single_epoch_shows_three_separate_points():
    figure = draw(loss_figure([0.3], [0.5], [0.12]))
    marks = [line(figure, label) for label in ("training", "validation loss", "validation EER")]
    heights = []
    for mark in marks:
        _, pixel = mark.get_transform().transform((1, mark.get_ydata()[0]))
        heights.append(mark.axes.transAxes.inverted().transform((0, pixel))[1])
    assert all(mark.get_marker() == "o" for mark in marks)
    assert min(np.diff([0, *sorted(heights), 1])) > 0.03


def test_eers_of_zero_are_inside_the_frame():
    figure = draw(loss_figure([0.1, 0.1], [0.1, 0.1], [0, 0]))
    low, high = figure.axes[1].get_ylim()
    assert low < 0 < high


def test_a_diverged_run_is_still_drawn():
    draw(loss_figure([1, np.inf, np.nan], [1, np.nan, np.nan], [0.2, 0.5, 0.5]))
    figure = draw(loss_figure([np.nan], [np.nan], [0.2]))
    assert list(figure.axes[0].get_yticks()) == []


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (([], [], []), "n_epochs >= 1"),
        (([1], [1, 2], [0.1]), r"one shape \(n_epochs,\)"),
        (([1], [1], [np.nan]), "1 of 1 EERs are NaN"),
    ],
)
def test_losses_that_cannot_be_drawn_are_refused(arrays, message):
    with pytest.raises(ValueError, match=message):
        loss_figure(*arrays)


def test_roc_of_a_known_case():
    figure = draw(roc_figure([1, 1, 0, 0], [0.9, 0.4, 0.5, 0.1]))
    curve = line(figure, "AUC")
    assert list(zip(curve.get_xdata(), curve.get_ydata(), strict=True)) == [
        (0, 0),
        (0, 50),
        (50, 50),
        (50, 100),
        (100, 100),
    ]
    assert curve.get_label() == "AUC 0.7500"
    assert figure.axes[0].get_title() == "ROC: 2 bona fide, 2 spoof"


def test_roc_marks_the_eer_on_the_curve():
    y_true, y_scores = normal_scores()
    figure = draw(roc_figure(y_true, y_scores))
    eer, _ = compute_eer(y_true, y_scores)
    mark, curve = line(figure, "EER"), line(figure, "AUC")
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == pytest.approx((100 * eer, 100 * (1 - eer)))
    assert mark.get_label() == f"EER {100 * eer:.2f} %"
    gaps = np.hypot(curve.get_xdata() - mark.get_xdata(), curve.get_ydata() - mark.get_ydata())
    assert gaps.min() < 0.5


@pytest.mark.parametrize(("distance", "corner"), [(2.0, 4), (-2.0, 2)])
def test_the_roc_legend_leaves_the_curve_free(distance, corner):
    axes = draw(roc_figure(*normal_scores(distance=distance))).axes[0]
    assert axes.get_legend()._loc == corner


def test_det_draws_normal_deviates():
    y_true, y_scores = normal_scores()
    figure = draw(det_figure(y_true, y_scores))
    frr, far, _ = detection_error_curve(y_true, y_scores)
    x, y = figure.axes[0].lines[0].get_data()
    inside = (frr > 0.005) & (frr < 0.995) & (far > 0.005) & (far < 0.995)
    assert inside.sum() > 100
    np.testing.assert_allclose(x[inside], norm.ppf(far[inside]))
    np.testing.assert_allclose(y[inside], norm.ppf(frr[inside]))
    # A rate of 0 is drawn at half a trial.
    assert (x.min(), y.min()) == pytest.approx((norm.ppf(0.5 / 400), norm.ppf(0.5 / 300)))


def test_det_of_normal_scores_is_a_straight_line_of_slope_minus_one():
    # Evenly spaced quantiles instead of draws: no sampling noise, d' = 2.
    quantiles = norm.ppf((np.arange(4000) + 0.5) / 4000)
    figure = det_figure(np.repeat([1, 0], 4000), np.concatenate([quantiles + 2, quantiles]))
    x, y = figure.axes[0].lines[0].get_data()
    middle = (np.abs(x) < 2) & (np.abs(y) < 2)
    np.testing.assert_allclose(x[middle] + y[middle], -2, atol=0.02)


def test_det_marks_the_eer_where_compute_eer_says():
    y_true, y_scores = normal_scores()
    figure = det_figure(y_true, y_scores)
    eer, _ = compute_eer(y_true, y_scores)
    mark = line(figure, "EER")
    assert norm.cdf([mark.get_xdata()[0], mark.get_ydata()[0]]) == pytest.approx([eer, eer])
    assert mark.get_label() == f"EER {100 * eer:.2f} %"


def test_det_ticks_say_percent_at_their_deviates():
    axes = draw(det_figure(*normal_scores())).axes[0]
    for axis in (axes.xaxis, axes.yaxis):
        texts = tick_texts(axis)
        assert {"1", "5", "10", "20", "40"} <= set(texts)
        np.testing.assert_allclose(axis.get_ticklocs(), norm.ppf([float(text) / 100 for text in texts]))


@pytest.mark.parametrize("distance", [2.0, -2.0, 50.0])
@pytest.mark.parametrize("sizes", [(1, 1), (2, 3), (300, 400), (20_000, 20_000)])
def test_curves_of_any_size_have_a_visible_mark_and_free_ticks(distance, sizes):
    y_true, y_scores = normal_scores(*sizes, distance)
    draw(roc_figure(y_true, y_scores))
    figure = draw(det_figure(y_true, y_scores))
    axes, mark = figure.axes[0], line(figure, "EER")
    (low, high), x, y = axes.get_xlim(), mark.get_xdata()[0], mark.get_ydata()[0]
    assert np.isfinite(axes.lines[0].get_xydata()).all()
    assert low - 1e-9 <= min(x, y) <= max(x, y) <= high
    boxes = [label.get_window_extent() for label in axes.get_xticklabels()]
    assert len(boxes) >= 4
    assert all(left.x1 + 3 < right.x0 for left, right in itertools.pairwise(boxes))


def test_scores_all_equal_do_not_break_the_curves():
    draw(det_figure([1, 0, 1, 0], [0.5] * 4))
    figure = draw(roc_figure([1, 0, 1, 0], [0.5] * 4))
    assert line(figure, "AUC").get_label() == "AUC 0.5000"


@pytest.mark.parametrize("make", [roc_figure, det_figure])
def test_one_class_has_no_curve(make):
    with pytest.raises(ValueError, match="All 2 trials are bona fide"):
        make([1, 1], [0.1, 0.2])
