"""The results of a run as the hub's model index holds them: one entry for each metric of each test.

Rates are in [0, 1]. The bounds of a metric's interval are its arguments, beside what was resampled. A corpus is not a
data set of the hub, so `type` is its name made simple; the folder of the results within the run tells tests on corpora
of one name, and the protocols of a benchmark, apart (`config`).
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from src.metrics.table import METRICS
from src.visualize.pages.records import Estimate, Outcome, Run

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

TASK, TASK_NAME = "audio-classification", "Detection of spoofed speech"
KEPT = ("eer", "cue_baseline_eer", "min_dcf", "act_dcf", "cllr", "auc", "accuracy", "balanced_accuracy", "precision",
        "recall", "f1", "right")  # fmt: skip
"""Metrics of the model index; the tables of a card show all."""
_HUB = {"auc": "roc_auc"}
"""Our name of a metric -> the hub's, where it has one of its own."""


def results_of(run: Run) -> "list[EvalResult]":
    """Return every result of a run: of its usual test, its tests on other data, and its benchmark."""
    outcomes = [outcome for outcome in (run.outcome, *run.other_outcomes) if outcome]
    tested = [result for outcome in outcomes for result in _of(outcome, outcome.folder or None)]
    return tested + [result for outcome in run.benchmark for result in _of(outcome, f"benchmark/{outcome.folder}")]


def _of(outcome: Outcome, config: str | None) -> "Iterator[EvalResult]":
    from huggingface_hub import EvalResult

    corpus = str(outcome.about.get("corpus") or "unknown")
    split = outcome.about.get("split")
    for key in KEPT:
        if key not in outcome.metrics:
            continue
        yield EvalResult(
            task_type=TASK,
            task_name=TASK_NAME,
            dataset_type=simple(corpus),
            dataset_name=corpus,
            dataset_config=config,
            dataset_split=str(split) if split else None,
            metric_type=_HUB.get(key, key),
            metric_name=METRICS[key].title if key in METRICS else key,
            metric_value=outcome.metrics[key].value,
            metric_args=_arguments(outcome, outcome.metrics[key]),
        )


def _arguments(outcome: Outcome, estimate: Estimate) -> dict[str, Any] | None:
    """Return the bounds of an interval and what it is of; None where there is none."""
    if estimate.low is None or estimate.high is None:
        return None
    about = {key: outcome.about[key] for key in ("confidence", "resampled") if key in outcome.about}
    return {"low": estimate.low, "high": estimate.high, **about}


def simple(name: str) -> str:
    """Return a name as an identifier: small letters, digits and dashes.

    >>> simple("My corpus <1>"), simple("???")
    ('my-corpus-1', 'unknown')
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "unknown"
