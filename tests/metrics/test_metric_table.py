"""One table defines every metric; everything that shows metrics reads it."""

import numpy as np
import pytest

from src.metrics.bootstrap import Trials
from src.metrics.classification import decision_metrics
from src.metrics.report import evaluate, format_table
from src.metrics.table import EVERYWHERE, METRICS, Metric, shown_in
from src.metrics.tandem import AsvScores
from src.metrics.verdict import break_down

LABELS = np.array([1, 1, 0, 0])
SCORES = np.array([2.0, -1.0, 0.0, -2.0])


def test_a_metric_that_gets_a_row_is_computed_and_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    gap = Metric("gap", "Gap of the means", "number", "higher", EVERYWHERE, compute=lambda y, s: s[y == 1].mean())
    monkeypatch.setitem(METRICS, "gap", gap)
    report = evaluate(LABELS, SCORES)
    assert report["gap"] == 0.5
    assert format_table(report).endswith("\nGap of the means        0.5000")
    trials = Trials(LABELS, np.array(["ann", "bob", "ann", "bob"]))
    parts = break_down(trials, SCORES, 0.0, {"everybody": LABELS < 2})
    assert parts["everybody"]["gap"] == {"value": 0.5, "low": None, "high": None}


def test_every_metric_of_a_report_has_a_row_and_every_row_is_of_use() -> None:
    asv = AsvScores(target=[3, 4, 5], nontarget=[0, 1, 2], spoof=[1, 4])
    report = evaluate(LABELS, SCORES, 0.0, asv=asv)
    of_frames = {*(f"segment_eer_{resolution}" for resolution in (20, 160, 640)), "range_eer", "frame_threshold"}
    of_rejection = {"coverage", "decided_error"}
    across = {f"{cues}eer_across_{domain}" for cues in ("", "cue_baseline_") for domain in ("system", "corpus")}
    assert set(METRICS) - set(report) == {"best_epoch", "cue_baseline_eer", *of_rejection} | of_frames | across
    assert set(report) <= set(METRICS)
    assert set(decision_metrics(LABELS, SCORES, 0.0)) <= set(METRICS)
    assert all(key == metric.key and metric.title and metric.shown for key, metric in METRICS.items())
    assert len({metric.title for metric in METRICS.values()}) == len(METRICS)


def test_rates_lie_between_0_and_1_and_the_direction_is_that_of_better_scores() -> None:
    better, worse = (evaluate(LABELS, scores, 0.5) for scores in (np.array([3.0, 1.0, 0.0, -2.0]), SCORES))
    for metric in METRICS.values():
        if metric.key not in worse:
            continue
        if metric.unit == "rate":
            assert 0 <= worse[metric.key] <= 1
        if metric.better:
            low, high = sorted((better[metric.key], worse[metric.key]))
            assert better[metric.key] == (low if metric.better == "lower" else high), metric.key


def test_places_keep_the_order_of_the_table() -> None:
    assert [metric.key for metric in shown_in("leaderboard")] == ["eer", "min_dcf", "cllr"]
    assert [metric.key for metric in shown_in("comparison")] == ["eer", "min_dcf", "act_dcf", "cllr"]
    parts = ["eer", "cue_baseline_eer", "min_dcf", "act_dcf", "cllr", "accuracy", "n_bonafide", "n_spoof"]
    assert [metric.key for metric in shown_in("breakdowns")] == parts
