import numpy as np
import pytest

from src.metrics.calibration import compute_cllr
from src.metrics.checks import check_class_scores, check_positive, check_scores, split_classes
from src.metrics.classification import confusion_matrix, decision_metrics
from src.metrics.dcf import compute_act_dcf, compute_min_dcf
from src.metrics.eer import compute_eer, detection_error_curve
from src.metrics.report import evaluate
from src.metrics.roc import compute_auc, roc_curve
from src.metrics.tandem import AsvScores, min_tdcf_2019, min_tdcf_2021

ASV = AsvScores(target=[3, 4, 5], nontarget=[0, 1, 2], spoof=[1, 4])
METRICS = [
    detection_error_curve,
    compute_eer,
    roc_curve,
    compute_auc,
    compute_min_dcf,
    compute_act_dcf,
    compute_cllr,
    lambda y_true, y_scores: confusion_matrix(y_true, y_scores, 0.0),
    lambda y_true, y_scores: decision_metrics(y_true, y_scores, 0.0),
    lambda y_true, y_scores: min_tdcf_2019(y_true, y_scores, ASV),
    lambda y_true, y_scores: min_tdcf_2021(y_true, y_scores, ASV),
    evaluate,
]
BAD = [
    ([], [], "are empty"),
    ([1, 0, 1], [0.1, 0.2], "3 labels but 2 scores"),
    ([1, 0], [[0.1], [0.2]], r"`y_scores` .*\(2, 1\)"),
    ([[1, 0]], [0.1, 0.2], r"`y_true` .*\(1, 2\)"),
    ([1, 1, 1], [0.1, 0.2, 0.3], "All 3 trials are bona fide"),
    ([0, 0], [0.1, 0.2], "All 2 trials are spoof"),
    ([1, 0, 2, -1], [0.1, 0.2, 0.3, 0.4], r"must be 1 \(bona fide\) or 0 \(spoof\): 2 of 4 are not, the first is 2 at"),
    ([1, 0, 0.5], [0.1, 0.2, 0.3], "the first is 0.5 at index 2"),
    ([1, 0, np.nan], [0.1, 0.2, 0.3], "the first is nan at index 2"),
    (["spoof", "bonafide"], [0.1, 0.2], "the first is 'spoof' at index 0"),
    ([1, 0], ["a", "b"], "`y_scores` .*'a'"),
    ([1, 0, 0], [0.1, np.nan, np.inf], "2 of 3 scores are NaN or infinite, the first at index 1"),
    ([1, 0, 0], [-np.inf, 0.1, 0.2], "1 of 3 scores is NaN or infinite, the first at index 0"),
]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("y_true", "y_scores", "message"), BAD)
def test_every_metric_refuses_bad_input_in_one_line(metric, y_true, y_scores, message):
    with pytest.raises(ValueError, match=message) as caught:
        metric(y_true, y_scores)
    assert "\n" not in str(caught.value)


def test_first_file_with_a_bad_score_is_named():
    with pytest.raises(ValueError, match=r"2 of 4 scores are NaN or infinite, the first for b\.wav"):
        check_scores([1, 0, 1, 0], [0.1, np.nan, 0.2, np.inf], files=["a.wav", "b.wav", "c.wav", "d.wav"])
    with pytest.raises(ValueError, match="1 file names but 2 scores"):
        check_scores([1, 0], [0.1, 0.2], files=["a.wav"])


@pytest.mark.parametrize("kind", [list, tuple, np.array, lambda values: np.array(values, dtype=np.float32)])
def test_labels_and_scores_of_any_kind_give_the_same_arrays(kind):
    labels, scores = check_scores(kind([1, 0, 1]), kind([0.5, -1.0, 2.0]))
    assert labels.dtype == np.int64
    assert scores.dtype == np.float64
    np.testing.assert_array_equal(labels, [1, 0, 1])
    np.testing.assert_array_equal(scores, [0.5, -1.0, 2.0])


def test_input_is_left_as_it_was():
    labels, scores = np.array([True, False, True]), np.array([3.0, 1.0, 2.0])
    evaluate(labels, scores, 0.0, asv=ASV)
    np.testing.assert_array_equal(labels, [True, False, True])
    np.testing.assert_array_equal(scores, [3.0, 1.0, 2.0])


def test_classes_are_split_in_order():
    bonafide, spoof = split_classes([0, 1, 0, 1], [4.0, 3.0, 2.0, 1.0])
    np.testing.assert_array_equal(bonafide, [3.0, 1.0])
    np.testing.assert_array_equal(spoof, [4.0, 2.0])


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_costs_must_be_positive_numbers(value):
    with pytest.raises(ValueError, match=f"`c_fa` .*not {value}"):
        check_positive(c_miss=1.0, c_fa=value)


def test_scores_of_a_class_must_be_there_and_finite():
    with pytest.raises(ValueError, match="There are no ASV target scores"):
        check_class_scores([], "ASV target")
    with pytest.raises(ValueError, match="1 of 2 ASV spoof scores is NaN or infinite, the first at index 1"):
        check_class_scores([0.0, np.nan], "ASV spoof")
    with pytest.raises(ValueError, match="the ASV spoof scores must have one dimension"):
        check_class_scores([[0.0]], "ASV spoof")
