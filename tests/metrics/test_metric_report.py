import json
import warnings

import numpy as np
import pytest

from src.metrics.calibration import compute_cllr
from src.metrics.classification import decision_metrics
from src.metrics.dcf import compute_act_dcf, compute_min_dcf
from src.metrics.eer import compute_eer
from src.metrics.report import evaluate, format_table
from src.metrics.roc import compute_auc
from src.metrics.tandem import AsvScores, min_tdcf_2019, min_tdcf_2021

ALWAYS = ["eer", "eer_threshold", "auc", "min_dcf", "act_dcf", "cllr", "n_bonafide", "n_spoof"]
DECISIONS = ["threshold", "accuracy", "balanced_accuracy", "precision", "recall", "f1"]
COUNTS = ["true_bonafide", "false_bonafide", "false_spoof", "true_spoof"]
TANDEM = ["asv_eer", "min_tdcf_2019", "min_tdcf_2021"]
ASV = AsvScores(target=[3, 4, 5], nontarget=[0, 1, 2], spoof=[1, 4])


@pytest.fixture
def trials():
    rng = np.random.default_rng(9)
    y_true = np.repeat([1, 0], [40, 60])
    return y_true, rng.normal(size=100) + 2 * y_true - 1


def test_keys_follow_what_was_given(trials):
    assert sorted(evaluate(*trials)) == sorted(ALWAYS)
    assert sorted(evaluate(*trials, 0.0)) == sorted(ALWAYS + DECISIONS + COUNTS)
    assert sorted(evaluate(*trials, asv=ASV)) == sorted(ALWAYS + TANDEM)
    assert sorted(evaluate(*trials, 0.0, asv=ASV)) == sorted(ALWAYS + DECISIONS + COUNTS + TANDEM)


def test_every_value_is_that_of_its_own_function(trials):
    report = evaluate(*trials, 0.25, asv=ASV)
    assert (report["eer"], report["eer_threshold"]) == compute_eer(*trials)
    assert report["auc"] == compute_auc(*trials)
    assert report["min_dcf"] == compute_min_dcf(*trials)
    assert report["act_dcf"] == compute_act_dcf(*trials)
    assert report["cllr"] == compute_cllr(*trials)
    assert report["min_tdcf_2019"] == min_tdcf_2019(*trials, ASV)
    assert report["min_tdcf_2021"] == min_tdcf_2021(*trials, ASV)
    assert report.items() >= decision_metrics(*trials, 0.25).items()
    assert (report["threshold"], report["n_bonafide"], report["n_spoof"], report["asv_eer"]) == (0.25, 40, 60, 0.0)


def test_report_survives_json(trials):
    report = evaluate(*trials, np.float32(0.5), asv=ASV)
    assert json.loads(json.dumps(report, allow_nan=False)) == report


@pytest.mark.parametrize("y_scores", [[0.0, 0.0, 0.0, 0.0], [1.0, 2.0, 3.0, 4.0]])
def test_a_doubtful_eer_is_warned_of_once(y_scores):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        evaluate([1, 1, 0, 0], y_scores, 0.0, asv=ASV)
    assert len(caught) == 1
    assert "The EER is" in str(caught[0].message) or "distinct" in str(caught[0].message)


def test_table_is_aligned_and_says_the_direction(trials):
    report = evaluate(*trials, 0.0, asv=ASV)
    header, *rows = format_table(report).split("\n")
    assert header == "score: higher = more bona fide"
    assert len(rows) == len(report)
    assert len({len(row) for row in rows}) == 1
    assert format_table(evaluate(*trials)).count("\n") == len(ALWAYS)


def test_table_gives_rates_in_percent_and_names_the_year_of_the_tdcf():
    table = format_table({"eer": 0.12345, "min_tdcf_2019": 0.5, "min_tdcf_2021": 0.25, "n_spoof": 589212})
    assert table.split("\n")[1:] == [
        "EER                    12.35 %",
        "min t-DCF (2019)        0.5000",
        "min t-DCF (2021)        0.2500",
        "Spoof trials            589212",
    ]


def test_table_stays_aligned_for_wide_numbers():
    rows = format_table({"eer": 0.5, "eer_threshold": -123456789.0, "n_spoof": 3}).split("\n")[1:]
    assert [len(row) for row in rows] == [30, 30, 30]
    assert "-123456789.0000" in rows[1]
    assert [len(row) for row in format_table({"eer": 0.5, "eer_threshold": 1e20}).split("\n")[1:]] == [41, 41]


def test_table_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="no metric named 'err'; known are eer, "):
        format_table({"err": 0.1})
