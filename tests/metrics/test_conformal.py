"""p-values are valid, and decisions with rejection keep their promise in about 95 % of splits."""

import math

import numpy as np
import pytest
from scipy.stats import binom, norm

from src.metrics.bootstrap import Trials
from src.metrics.conformal import (
    COVERAGE,
    DECIDED_ERROR,
    Rejection,
    check_error,
    fit_rejection,
    least_clips,
    p_values,
    rejection_rates,
)
from src.metrics.eer import operating_threshold

N_SPLITS, N_DRAWS, N_CLIPS = 200, 600, 500
DISTANCE = 2.6
"""Of the classes, in deviations: an EER of 9.7 %."""


def draw(n: int, share: float, distance: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    labels = (rng.random(n) < share).astype(int)
    return labels, rng.standard_normal(n) + distance * (labels - 0.5)


def true_rates(rejection: Rejection, share: float, distance: float) -> tuple[float, float]:
    """Return the error among the decisions on infinitely many clips, and the share that is decided."""
    high, low = rejection.threshold + rejection.margin, rejection.threshold - rejection.margin
    right = share * norm.sf(high - distance / 2) + (1 - share) * norm.cdf(low + distance / 2)
    wrong = share * norm.cdf(low - distance / 2) + (1 - share) * norm.sf(high + distance / 2)
    return (wrong / (right + wrong) if right + wrong else 0.0), right + wrong


def test_the_promised_error_holds_in_about_95_percent_of_200_splits() -> None:
    """A pool of made-up scores is split into validation and the rest, whose error among the decided clips counts."""
    rng = np.random.default_rng(0)
    labels, scores = draw(20_000, 0.5, DISTANCE, rng)
    kept, decided = [], []
    for _ in range(N_SPLITS):
        chosen = np.zeros(len(labels), dtype=bool)
        chosen[rng.choice(len(labels), N_CLIPS, replace=False)] = True
        threshold = operating_threshold(labels[chosen], scores[chosen])
        rejection = fit_rejection(labels[chosen], scores[chosen], threshold, 0.05)
        beyond = np.abs(scores - threshold)[~chosen] >= rejection.margin
        wrong = ((scores >= threshold) != (labels == 1))[~chosen][beyond]
        kept.append(not len(wrong) or wrong.mean() <= 0.05)
        decided.append(beyond.mean())
    assert 0.93 <= np.mean(kept) <= 0.97
    assert np.mean(decided) > 0.6  # and not by leaving everything undecided


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_the_promise_is_neither_broken_nor_far_exceeded_on_infinitely_many_clips(share: float) -> None:
    rng = np.random.default_rng(7)
    kept = []
    for _ in range(N_DRAWS):
        labels, scores = draw(N_CLIPS, share, DISTANCE, rng)
        rejection = fit_rejection(labels, scores, operating_threshold(labels, scores), 0.05)
        kept.append(true_rates(rejection, share, DISTANCE)[0] <= 0.05)
    assert 0.94 <= np.mean(kept) <= 0.97


def test_the_promise_holds_whatever_scores_are_like() -> None:
    """Also where errors are as frequent everywhere: no margin helps, and none may be believed to."""
    rng = np.random.default_rng(1)
    broken = 0
    for _ in range(400):
        labels, scores = draw(300, 0.5, 40.0, rng)
        labels = np.where(rng.random(300) < 0.06, 1 - labels, labels)  # 6 % of the labels are wrong
        broken += math.isfinite(fit_rejection(labels, scores, 0.0, 0.05).margin)
    assert broken / 400 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 400)


def test_the_margin_is_the_smallest_that_passes_all_tests_on_the_way() -> None:
    labels, scores = draw(500, 0.5, 2.0, np.random.default_rng(2))
    rejection = fit_rejection(labels, scores, 0.0, 0.1)
    order = np.argsort(-np.abs(scores))
    wrong = ((scores >= 0) != (labels == 1))[order]
    passes = [binom.cdf(wrong[:n].sum(), n, 0.1) <= 0.05 for n in range(125, 501)]
    last = 125 + passes.index(False) - 1
    assert rejection.margin == np.abs(scores)[order][last - 1]
    assert (rejection.decide(scores) != "uncertain").sum() == last


def test_clips_of_equal_score_are_decided_together() -> None:
    labels = np.r_[np.ones(200, int), np.zeros(200, int), np.tile([0, 1], 50)]
    scores = np.r_[np.full(200, 3.0), np.full(200, -3.0), np.full(100, 1.0)]
    rejection = fit_rejection(labels, scores, 0.0, 0.05)
    assert rejection.margin == 3.0
    assert fit_rejection(labels, scores, 0.0, 0.2).margin == 0.0


def test_what_cannot_be_promised_is_said() -> None:
    few = fit_rejection(np.tile([0, 1], 29), np.tile([-1.0, 1.0], 29), 0.0, 0.05)
    assert math.isinf(few.margin) and "59 validation clips, and there are 58" in few.note
    assert least_clips(0.05) == 59 and (1 - 0.05) ** 59 <= 0.05 < (1 - 0.05) ** 58
    worse = fit_rejection(*draw(400, 0.5, 0.1, np.random.default_rng(3)), 0.0, 0.05)
    assert "have more errors" in worse.note
    assert set(worse.decide([-9.0, 9.0]).tolist()) == {"uncertain"}
    for error in (0.0, 0.5, -1.0, 5.0, float("nan")):
        with pytest.raises(ValueError, match="`reject` is the error rate"):
            check_error(error)


def test_p_values_are_valid_for_each_class() -> None:
    rng = np.random.default_rng(4)
    labels, scores = draw(400, 0.3, 1.0, rng)
    new_labels, new_scores = draw(20_000, 0.7, 1.0, rng)  # another share of bona fide clips changes nothing
    found = p_values(labels, scores, new_scores)
    for label in (0, 1):
        own = found[new_labels == label, label]
        for level in (0.05, 0.2, 0.5):
            assert (own <= level).mean() == pytest.approx(level, abs=0.06)
    assert p_values([1, 0], [1.0, 0.0], [1.0, 0.0]).tolist() == [[0.5, 1.0], [1.0, 0.5]]


def test_rates_of_a_test_are_counted_with_intervals() -> None:
    labels, scores = draw(400, 0.5, 2.0, np.random.default_rng(5))
    rejection = Rejection(0.0, 0.8, 0.05, 400)
    found = rejection_rates(Trials(labels, np.arange(400) // 10), scores, rejection)
    decided = np.abs(scores) >= 0.8
    assert found[COVERAGE]["value"] == pytest.approx(decided.mean())
    assert found[DECIDED_ERROR]["value"] == pytest.approx(((scores >= 0) != (labels == 1))[decided].mean())
    for metric in found.values():
        assert metric["low"] is not None and metric["high"] is not None
        assert metric["low"] < metric["value"] < metric["high"]
    nothing = rejection_rates(Trials(labels, np.arange(400)), scores, Rejection(0.0, math.inf, 0.05, 400))
    assert nothing == {COVERAGE: {"value": 0.0, "low": None, "high": None}}
