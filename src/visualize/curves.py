"""Curves of a run: losses and EER by epoch, and the trade-off between both errors of its scores (ROC, DET).

Conventions: label 1 is bona fide, 0 is spoof, a higher score is more bona fide; rates are shown in percent. The numbers
come from `src.metrics`, so a picture never contradicts the table beside it.

A DET curve (Martin et al., 1997, "The DET curve in assessment of detection task performance") shows both error rates on
normal-deviate axes: x = probit(FAR), y = probit(FRR). Scores that are normal within each class give a straight line,
and good systems spread out instead of crowding in the corner of a ROC. The probit of 0 is minus infinity: a rate of 0
is drawn at half a trial, the resolution of the data, but between 0.01 % (the frame) and 0.5 %.
"""

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy.special import ndtri

from src.metrics.checks import split_classes
from src.metrics.eer import detection_error_curve, eer_of, equal_error_point
from src.metrics.roc import compute_auc, roc_curve
from src.visualize.style import (
    BLACK,
    GREY,
    SQUARE_SIZE,
    TRAINING_COLOR,
    VALIDATION_COLOR,
    new_figure,
    percent,
    require_finite,
    ring,
)

_MANY_EPOCHS = 40  # with more, dots at every epoch overlap
_ZERO_RANGE = (1e-4, 5e-3)
_HIGHEST_RATE = 0.6
_DET_TICKS = (0.01, 0.1, 0.5, 1, 2, 5, 10, 20, 40, 60)  # %
_WIDE_DET_TICKS = (0.01, 0.1, 1, 5, 20, 50, 80, 95, 99, 99.9)  # %


def loss_figure(
    train_losses: npt.ArrayLike, val_losses: npt.ArrayLike, val_eers: npt.ArrayLike, *, kept: int | None = None
) -> Figure:
    """Draw losses (left axis) and validation EER (right axis) by epoch, and mark the epoch that the trainer keeps.

    Parameters
    ----------
    train_losses, val_losses : array-like, shape (n_epochs,)
        NaN and infinite losses leave a gap: a run that diverged is worth seeing.
    val_eers : array-like, shape (n_epochs,)
        In [0, 1].
    kept : int, optional
        The epoch whose weights are kept, from 0. By default that of the lowest EER; among equal ones, that of the
        lowest validation loss. One that is trained to find spoofed spans is judged by another rate.

    Returns
    -------
    matplotlib.figure.Figure
        Epochs count from 1. A classifier that is fitted without epochs has a single one.

    Raises
    ------
    ValueError
        When there is no epoch, the lengths differ, or an EER is NaN or infinite.

    Examples
    --------
    >>> figure = loss_figure([0.7, 0.4, 0.2], [0.8, 0.5, 0.6], [0.30, 0.10, 0.15])
    >>> figure.legends[0].get_texts()[-1].get_text()
    'lowest EER: 10.00 % at epoch 2'
    """
    losses = {"training loss": np.asarray(train_losses, float), "validation loss": np.asarray(val_losses, float)}
    eers = np.asarray(val_eers, float)
    shapes = [values.shape for values in (*losses.values(), eers)]
    if eers.ndim != 1 or len(eers) == 0 or len(set(shapes)) > 1:
        raise ValueError(f"Losses and EERs must have one shape (n_epochs,), n_epochs >= 1; got {shapes}.")
    require_finite(eers, "EERs")
    epochs = np.arange(1, len(eers) + 1)
    lowest = int(np.lexsort((losses["validation loss"], eers))[0])
    chosen = lowest if kept is None else kept
    marker = "o" if len(epochs) <= _MANY_EPOCHS else ""

    figure, loss_axes = new_figure()
    eer_axes = loss_axes.twinx()
    for (name, values), color in zip(losses.items(), (TRAINING_COLOR, VALIDATION_COLOR), strict=True):
        finite = np.where(np.isfinite(values), values, np.nan)
        loss_axes.plot(epochs, finite, color=color, marker=marker, markersize=5, label=name)
    eer_axes.plot(epochs, 100 * eers, color=BLACK, linestyle="--", marker=marker, markersize=4, label="validation EER")
    what = "lowest EER" if chosen == lowest else "EER of the weights kept"
    label = f"{what}: {percent(eers[chosen])} at epoch {epochs[chosen]}"
    ring(eer_axes, epochs[chosen], 100 * eers[chosen], label)
    loss_axes.axvline(epochs[chosen], color=GREY, linestyle=":", zorder=0)
    loss_axes.set(xlabel="epoch", ylabel="loss")
    loss_axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    loss_axes.set_xlim(0.5, len(epochs) + 0.5)
    if not np.isfinite(list(losses.values())).any():
        loss_axes.set_yticks([])
    # Some room below zero, so that an EER of 0 is not hidden by the frame. A single epoch's EER is at two thirds of
    # the height, where neither of the two losses is.
    top = max(100 * eers.max() * (1.08 if len(epochs) > 1 else 1.5), 1.0)
    eer_axes.set(ylabel="validation EER (%)", ylim=(-0.03 * top, top))
    handles = [handle for axes in (loss_axes, eer_axes) for handle in axes.get_legend_handles_labels()[0]]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    return figure


def roc_figure(y_true: npt.ArrayLike, y_scores: npt.ArrayLike) -> Figure:
    """Draw the receiver operating characteristic: bona fide accepted against spoof accepted.

    Labels and scores have shape (n,): 1 is bona fide and 0 spoof, and a higher score is more bona fide. Others are
    refused with a ValueError of `src.metrics.checks.check_scores`.

    Examples
    --------
    >>> figure = roc_figure([1, 1, 0, 0], [0.9, 0.4, 0.5, 0.1])
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['AUC 0.7500', 'EER 50.00 %', 'chance']
    """
    fpr, tpr, _ = roc_curve(y_true, y_scores)
    eer = eer_of(y_true, y_scores)
    auc = compute_auc(y_true, y_scores)
    n_bonafide, n_spoof = (len(scores) for scores in split_classes(y_true, y_scores))
    figure, axes = new_figure(SQUARE_SIZE)
    axes.plot(100 * fpr, 100 * tpr, color=BLACK, label=f"AUC {auc:.4f}")
    _mark_eer(axes, 100 * eer, 100 * (1 - eer), eer)
    axes.plot([0, 100], [0, 100], color=GREY, linestyle=":", zorder=0, label="chance")
    axes.set(xlabel="spoof accepted (%)", ylabel="bona fide accepted (%)", title=_counts("ROC", n_bonafide, n_spoof))
    axes.set(xlim=(-2, 102), ylim=(-2, 102), aspect="equal")
    # The corner that the curve does not pass through.
    axes.legend(loc="lower right" if auc >= 0.5 else "upper left")
    return figure


def det_figure(y_true: npt.ArrayLike, y_scores: npt.ArrayLike) -> Figure:
    """Draw the detection error trade-off on normal-deviate axes: bona fide rejected against spoof accepted.

    A ValueError refuses labels (n,) that are not 1 for bona fide and 0 for spoof, or scores (n,) that are not finite;
    higher scores are more bona fide.

    Returns
    -------
    matplotlib.figure.Figure
        The data of its lines are normal deviates; its ticks are in percent.

    Examples
    --------
    >>> figure = det_figure([1, 1, 0, 0], [0.9, 0.4, 0.5, 0.1])
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['EER 50.00 %']
    """
    frr, far, thresholds = detection_error_curve(y_true, y_scores)
    eer, _ = equal_error_point(frr, far, thresholds)
    n_bonafide, n_spoof = (len(scores) for scores in split_classes(y_true, y_scores))
    zero_frr, zero_far = np.clip([0.5 / n_bonafide, 0.5 / n_spoof], *_ZERO_RANGE)

    figure, axes = new_figure(SQUARE_SIZE)
    axes.plot(_deviates(far, zero_far), _deviates(frr, zero_frr), color=BLACK)
    _mark_eer(axes, float(_deviates(eer, zero_far)), float(_deviates(eer, zero_frr)), eer)
    lowest = max(0.7 * min(zero_far, zero_frr), _ZERO_RANGE[0])
    # The curve of a useful system stays below 60 %; that of scores of the wrong direction lies entirely above.
    _deviate_axes(axes, lowest, _HIGHEST_RATE if eer < 0.4 else 1 - lowest)
    axes.set(xlabel="spoof accepted: FAR (%)", ylabel="bona fide rejected: FRR (%)")
    axes.set_title(_counts("DET", n_bonafide, n_spoof))
    axes.legend(loc="upper right")
    return figure


def _deviates(rates: npt.ArrayLike, zero: float) -> np.ndarray:
    """Return the probits of rates, with 0 and 1 replaced by `zero` and 1 - `zero`."""
    return np.asarray(ndtri(np.clip(rates, zero, 1 - zero)))


def _deviate_axes(axes: Axes, lowest: float, highest: float) -> None:
    """Limit both axes to two rates, in normal deviates, with ticks in percent."""
    limits = ndtri([lowest, highest])
    ticks = _DET_TICKS if highest <= _HIGHEST_RATE else _WIDE_DET_TICKS
    shown = [tick for tick in ticks if lowest <= tick / 100 <= highest]
    places, names = ndtri(np.array(shown) / 100), [f"{tick:g}" for tick in shown]
    axes.set_xticks(places, names)
    axes.set_yticks(places, names)
    axes.plot(limits, limits, color=GREY, linestyle=":", zorder=0)
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    axes.grid(alpha=0.3)


def _mark_eer(axes: Axes, x: float, y: float, eer: float) -> None:
    label = f"EER {percent(eer)}"
    axes.plot(x, y, color=BLACK, marker="o", markersize=7, linestyle="none", clip_on=False, label=label)


def _counts(curve: str, n_bonafide: int, n_spoof: int) -> str:
    return f"{curve}: {n_bonafide:,} bona fide, {n_spoof:,} spoof"
