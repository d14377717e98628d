"""The newest test is found, groups keep their intervals, and the worst mistakes come first."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from src.experiments.evaluation.results import most_wrong, names_of_tested_runs, rates_of_groups, wrong_side


def write_test(root: Path, name: str, tested: str) -> None:
    folder = root / "runs" / name
    folder.mkdir(parents=True)
    (folder / "test_results.json").write_text(json.dumps({"about": {"tested": tested}}))


def test_the_newest_test_comes_first_wherever_it_lies(tmp_path: Path) -> None:
    write_test(tmp_path, "run0", "2026-11-02T10:00:00+00:00")
    write_test(tmp_path, "svm_study1/run12", "2026-11-03T10:00:00+00:00")
    write_test(tmp_path, "mlp_study0/run3", "2026-11-01T10:00:00+00:00")
    write_test(tmp_path, "run0/test-other-downstream_test", "2026-11-09T10:00:00+00:00")
    (tmp_path / "runs" / "run1").mkdir()
    assert names_of_tested_runs(tmp_path) == ["svm_study1/run12", "run0", "mlp_study0/run3"]


@pytest.mark.parametrize("made", [False, True])
def test_where_nothing_was_tested_the_line_says_what_makes_a_run(tmp_path: Path, made: bool) -> None:
    if made:
        (tmp_path / "runs" / "run0").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"No run in .*runs was tested: fab Demo .* fab TestModel"):
        names_of_tested_runs(tmp_path)


def metric(value: float, low: float | None = None, high: float | None = None) -> dict[str, float | None]:
    return {"value": value, "low": low, "high": high}


def test_groups_keep_their_intervals_and_those_without_the_metric_are_left_out() -> None:
    results = {
        "eer": metric(0.1, 0.05, 0.2),
        "breakdowns": {
            "gender": {"F": {"eer": metric(0.0), "accuracy": metric(1.0)}, "M": {"accuracy": metric(1.0)}},
            "system": {"xtts": {"eer": metric(0.2, 0.1, 0.3)}},
        },
    }
    rates = rates_of_groups(results)
    assert list(rates) == ["all", "gender F", "system xtts"]
    np.testing.assert_array_equal(list(rates.values()), [[0.1, 0.05, 0.2], [0.0, np.nan, np.nan], [0.2, 0.1, 0.3]])
    assert list(rates_of_groups(results, "accuracy")) == ["gender F", "gender M"]


def test_a_test_without_breakdowns_has_one_row() -> None:
    assert list(rates_of_groups({"eer": metric(0.1)})) == ["all"]


def test_the_worst_mistakes_come_first_and_what_is_right_does_not_come() -> None:
    labels = ["bona-fide", "spoof", "bona-fide", "spoof", "spoof", "bona-fide"]
    scores = pd.DataFrame({"file": list("abcdef"), "label": labels, "score": [-3.0, 2.0, 4.0, -4.0, 0.5, 0.4]})
    wrong = most_wrong(scores, 0.5)
    # A spoof whose score equals the threshold counts as bona fide: it is wrong, by nothing.
    assert dict(zip(wrong["file"], wrong["margin"], strict=True)) == {
        "a": 3.5,
        "b": 1.5,
        "f": pytest.approx(0.1),
        "e": 0,
    }
    assert most_wrong(scores, 0.5, n=2)["file"].tolist() == ["a", "b"]
    assert most_wrong(scores, 9.0)["label"].tolist() == ["bona-fide"] * 3


def test_what_is_equally_wrong_comes_in_the_order_of_the_rows() -> None:
    bonafide, scores = np.array([True, False, True, False]), np.array([0.0, 1.0, 0.0, 1.0])
    order, margins = wrong_side(bonafide, scores, 0.5)
    assert (order.tolist(), margins.tolist()) == ([0, 1, 2, 3], [0.5] * 4)
    assert [part.tolist() for part in wrong_side(bonafide[:0], scores[:0], 0.5)] == [[], []]
