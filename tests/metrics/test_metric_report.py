import json
import warnings

import numpy as np
import pytest

from src.metrics.calibration import compute_cllr
from src.metrics.classification import decision_metrics
from src.metrics.dcf import compute_act_dcf, compute_min_dcf
from src.metrics.eer import compute_eer, doubt
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


@pytest.mark.parametrize(("y_scores", "said"), [([0.0, 0.0, 0.0, 0.0], "only 1 distinct"), ([1, 2, 3, 4], "100.00 %")])
def test_a_doubtful_eer_is_computed_without_a_warning_and_doubted_on_request(y_scores, said):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        report = evaluate([1, 1, 0, 0], y_scores, 0.0, asv=ASV)
        assert said in doubt([1, 1, 0, 0], y_scores)
    assert caught == []
    assert report["eer"] == 1.0
    assert doubt([1, 0, 1, 0], [3.0, 2.0, 1.0, 0.0]) == ""


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
        "Spoof clips             589212",
    ]


def test_table_stays_aligned_for_wide_numbers():
    report = {"eer": 0.5, "eer_threshold": -1234567.0, "n_spoof": 10**12, "false_bonafide": 10**20}
    rows = format_table(report, {"eer": (0.25, 0.75)}).split("\n")[1:]
    assert [len(row.split("   25")[0]) for row in rows] == [30, 30, 30, 30]
    assert [row.split()[-1] for row in rows] == ["%", "-1234567.0000", "1000000000000", "1e+20"]
    assert format_table({"eer_threshold": -123456789.0}).endswith(" -1.235e+08")


def test_table_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="no metric named 'err'; known are eer, "):
        format_table({"err": 0.1})
