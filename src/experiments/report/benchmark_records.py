"""Reads what a run achieves on corpora from elsewhere, complete or broken, into the records that its page shows."""

from pathlib import Path
from typing import Any

from src.experiments.report.files import cues_of, folders, metrics_of, read_object
from src.experiments.runs.artefacts import BENCHMARK, BENCHMARK_RESULTS
from src.visualize.pages.records import Outcome


def read_benchmark(run: Path) -> tuple[Outcome, ...]:
    """Return one outcome for each corpus and protocol, by the names of their folders; never raises."""
    return tuple(_read(folder) for folder in folders(run / BENCHMARK))


def _read(folder: Path) -> Outcome:
    problems: list[str] = []
    results = read_object(folder / BENCHMARK_RESULTS, problems)
    about, breakdowns = (_mapping(results.pop(key, {})) for key in ("about", "breakdowns"))
    systems = {
        str(name): metrics_of(metrics)
        for name, metrics in _mapping(breakdowns.get("system")).items()
        if isinstance(metrics, dict)
    }
    cues = cues_of(results.pop("cues", {}))
    return Outcome(folder.name, about, metrics_of(results), {"system": systems}, problems=tuple(problems), cues=cues)


def _mapping(content: Any) -> dict[str, Any]:
    return content if isinstance(content, dict) else {}
