"""The stress test of a run on its page: read whole, and told what is broken; nothing raises."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from src.experiments.report.run_records import read_run
from src.experiments.report.stress_records import read_stress
from src.experiments.runs.names import RunName
from src.visualize.pages.records import Estimate
from src.visualize.pages.rendering import run_page
from tests.experiments.report.test_review_of_runs import PNG
from tests.visualize.pages_to_read import Reader

RESULTS = {
    "clean_eer": {"value": 0.05, "low": 0.01, "high": 0.1},
    "mean_eer": {"value": 0.25, "low": 0.2, "high": 0.3},
    "points": [
        {
            "effect": "white",
            "strength": "snr 20 dB",
            "eer": {"value": 0.2, "low": None, "high": None},
            "false_acceptance": 0.5,
            "false_rejection": 0.125,
            "clips": 40,
        }
    ],
    "about": {"corpus": "mini", "seed": 7},
}


@pytest.fixture
def run(tmp_path: Path, write_run: Callable[..., Path]) -> Path:
    folder = write_run(tmp_path / "runs" / "run3")
    (folder / "stress_results.json").write_text(json.dumps(RESULTS))
    (folder / "stress.png").write_bytes(PNG)
    return folder


def test_it_is_read_and_shown(run: Path, tmp_path: Path) -> None:
    found = read_run(RunName.parse("run3"), tmp_path)
    assert found.stress is not None and found.stress.problems == ()
    assert (found.stress.clean, found.stress.mean) == (Estimate(0.05, 0.01, 0.1), Estimate(0.25, 0.2, 0.3))
    (point,) = found.stress.points
    assert (point.effect, point.strength, point.eer, point.false_acceptance) == (
        "white",
        "snr 20 dB",
        Estimate(0.2),
        0.5,
    )
    page = Reader(run_page(found))
    assert "Over 1 distortion the mean EER is 25.0 % (95 %: 20.0 % to 30.0 %); without any it is 5.0 %." in page.text
    assert "snr 20 dB" in page.text and "12.50 %" in page.text and "EER under distortions" in page.text
    assert ("a", {"href": "#stress"}) in page.elements


def test_without_one_the_page_says_nothing(tmp_path: Path, write_run: Callable[..., Path]) -> None:
    write_run(tmp_path / "runs" / "run3")
    found = read_run(RunName.parse("run3"), tmp_path)
    assert found.stress is None
    assert "istortion" not in Reader(run_page(found)).text


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"points": [3], "about": []}', '{"points": {"a": 1}}'])
def test_whatever_lies_there_a_page_is_made(run: Path, tmp_path: Path, content: str) -> None:
    (run / "stress_results.json").write_text(content)
    (run / "stress.png").write_bytes(b"no picture")
    stress = read_stress(run)
    assert stress is not None and stress.problems
    Reader(run_page(read_run(RunName.parse("run3"), tmp_path)))
