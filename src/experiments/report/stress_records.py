"""Reads the stress test of a run, complete or broken, into the record that its page shows."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from src.experiments.report.files import exists, finite, metrics_of, read_object, read_pictures
from src.experiments.runs.artefacts import STRESS_PICTURE, STRESS_RESULTS
from src.visualize.pages.records import Stress, StressPoint


def read_stress(run: Path) -> Stress | None:
    """Read the stress test of a run; None where it was not made. Never raises, whatever lies in the folder."""
    if not exists(run / STRESS_RESULTS):
        return None
    problems: list[str] = []
    results = read_object(run / STRESS_RESULTS, problems)
    about = results.get("about")
    points = results.get("points")
    rates = metrics_of(results)
    return Stress(
        about=about if isinstance(about, dict) else {},
        clean=rates.get("clean_eer"),
        mean=rates.get("mean_eer"),
        points=tuple(_points(points if isinstance(points, list) else [], problems)),
        pictures=read_pictures(run, (STRESS_PICTURE,), problems),
        problems=tuple(problems),
    )


def _points(rows: list[Any], problems: list[str]) -> Iterator[StressPoint]:
    for row in rows:
        point = row if isinstance(row, Mapping) else {}
        eer = metrics_of({"eer": point.get("eer")}).get("eer")
        if eer is None:
            problems.append(f"{STRESS_RESULTS}: a distortion has no EER")
            return
        errors = (finite(point.get(name)) for name in ("false_acceptance", "false_rejection"))
        yield StressPoint(str(point.get("effect", "")), str(point.get("strength", "")), eer, *errors)
