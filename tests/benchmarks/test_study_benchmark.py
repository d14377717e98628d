"""The benchmark of studies measures what it says, on a few clips."""

import argparse
from pathlib import Path

import pytest

from benchmarks import study

pytestmark = pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only")


@pytest.mark.parametrize("classifier", ["mlp", "svm"])
def test_both_ways_learn_the_same_drawn_classes(
    classifier: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study, "PLAIN_EPOCHS", 5)
    study.write_project(tmp_path, 240, 64)
    found = {}
    for way in study.WAYS:
        options = argparse.Namespace(measure=way, classifier=classifier, folder=tmp_path, trials=2, jobs=1)
        found[way] = study.measure(options)
        assert found[way]["seconds"] > 0
        assert 0 < found[way]["eer"] < 0.4, "far better than chance, and not perfect"
    assert len(list((tmp_path / "runs" / f"{classifier}_study0").glob("run*/metrics.json"))) == 2


def test_a_line_holds_ratio_and_growth() -> None:
    small = [{"seconds": 10.0, "eer": 0.05}, {"seconds": 5.0, "eer": 0.05}]
    large = [{"seconds": 90.0, "eer": 0.03}, {"seconds": 15.0, "eer": 0.02}]
    line = study.table_line("svm", 6_000, large, (2_000, small))
    assert line.split() == ["svm", "6,000", "90.0", "s", "15.0", "s", "6.0", "3.00%", "2.00%", "2.00", "/", "1.00"]
