"""The table of a benchmark: a row for each corpus, then one for each of its spoof systems, for screen, CSV and JSON."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from src.experiments.evaluation.benchmark import Judged
from src.experiments.evaluation.cue_verdict import KEY
from src.metrics.conformal import COVERAGE, DECIDED_ERROR
from src.metrics.error_rates import FALSE_ACCEPTANCE, FALSE_REJECTION, RIGHT
from src.metrics.table import written, written_bounds
from src.metrics.verdict import Metric

OF_CORPUS = {FALSE_REJECTION: "FR", RIGHT: "right", COVERAGE: "decided", DECIDED_ERROR: "wrong"}
"""What a corpus has and its systems have not: of spoofs, what concerns bona fide clips stands in the corpus's row."""
COLUMNS = {"eer": "EER", KEY: "cues alone", FALSE_ACCEPTANCE: "FA", **OF_CORPUS}
"""Metric -> title; false acceptance, false rejection and right decisions are those at the threshold; with rejection
some clips are decided, and some of these wrongly."""


def rows_of(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Return every number of a benchmark, a row for each corpus and each of its systems; rates in [0, 1]."""
    rows = []
    for one in judged:
        told = {key: one.about[key] for key in ("corpus", "path", "protocol")}
        for system, metrics in [("", one.metrics), *one.breakdowns["system"].items()]:
            row: dict[str, Any] = {**told, "system": system}
            row |= {} if system else {key: one.about[key] for key in ("clips", "unusable", "n_people")}
            for key in ("eer", "min_dcf", *list(COLUMNS)[1:]):
                metric = metrics.get(key)
                row |= {key: metric and metric["value"]}
                row |= {f"{key}_{end}": metric and metric[end] for end in ("low", "high")}
            row |= {key: one.about[key] for key in ("threshold", "threshold_from", "reject")}
            rows.append(row | {"remarks": "" if system else "; ".join(one.about["remarks"])})
    return rows


def as_text(judged: Sequence[Judged]) -> str:
    """Return the table as plain text, and below it what is to be said of each corpus."""
    rows = [cells for one in judged for cells in _cells(one)]
    titles = ["corpus", "protocol", "clips", "people", "EER", "95 %", "min DCF", *list(COLUMNS.values())[1:]]
    table = pd.DataFrame(rows, columns=titles)
    if not any(one.about["remarks"] for one in judged):
        return table.to_string(index=False)
    said = [f"{one.about['corpus']}: {'; '.join(one.about['remarks'])}." for one in judged if one.about["remarks"]]
    return "\n".join([table.to_string(index=False), *said])


def _cells(one: Judged) -> Iterator[list[str]]:
    about = one.about
    own = [about["corpus"], about["protocol"], str(about["clips"]), str(about["n_people"])]
    yield [*own, *_values(one.metrics)]
    for system, metrics in one.breakdowns["system"].items():
        yield [f"  {system}", "", "", "", *_values(metrics)[: -len(OF_CORPUS)], *[""] * len(OF_CORPUS)]


def _values(metrics: Mapping[str, Metric]) -> list[str]:
    eer, dcf = metrics.get("eer"), metrics.get("min_dcf")
    low, high = (eer["low"], eer["high"]) if eer else (None, None)
    bounds = "" if low is None or high is None else written_bounds(low, high, "rate")
    first = [_rate(eer), bounds, written(dcf["value"], "number") if dcf else ""]
    return [*first, *(_rate(metrics.get(key)) for key in list(COLUMNS)[1:])]


def _rate(metric: Metric | None) -> str:
    return written(metric["value"], "rate") if metric else ""
