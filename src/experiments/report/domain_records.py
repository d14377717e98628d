"""Reads what a run, or a comparison of layers, found across the domains that were left out of its training."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from src.experiments.corpus.held_out_domains import PLURALS, disagreement, too_few_to_choose_by
from src.experiments.report.files import as_number, exists, read_rows
from src.experiments.runs.artefacts import HELD_OUT
from src.experiments.training.across_domains import MEANS
from src.visualize.pages.records import Estimate, Metrics, Unheard


def read_unheard(run: Path, problems: list[str]) -> tuple[Unheard, ...]:
    """Return how a run did on every domain that was left out; nothing where none was."""
    if not exists(run / HELD_OUT):
        return ()
    found = []
    for by, domain, *texts in read_rows(
        run / HELD_OUT, ("by", "domain", "clips", "eer", "low", "high"), problems, required=4
    ):
        clips, eer, low, high = map(as_number, texts)
        if eer is None or clips is None:
            problems.append(f"{HELD_OUT}: {domain} has no EER")
            continue
        found.append(Unheard(PLURALS.get(by, by), domain, int(clips), Estimate(eer, low, high)))
    return tuple(found)


def too_few(unheard: Sequence[Unheard]) -> str:
    """Return a warning where there were too few domains of a kind to choose by; else nothing.

    >>> too_few([Unheard("systems", "xtts", 40, Estimate(0.3))]).partition(":")[0]
    'Only 1 system was left out to choose by'
    """
    counts = Counter(found.kind for found in unheard)
    told = [too_few_to_choose_by(counts[kind], by) for by, kind in PLURALS.items() if kind in counts]
    return " ".join(filter(None, told))


def means_across(metrics: Metrics) -> dict[str, Estimate]:
    """Return the mean EERs across what was left out: systems or corpora -> mean.

    >>> means_across({"eer": Estimate(0.1), "eer_across_system": Estimate(0.3)})
    {'systems': Estimate(value=0.3, low=None, high=None)}
    """
    return {PLURALS[by]: metrics[key] for by, key in MEANS.items() if key in metrics}


def doubt_of(metrics: Metrics) -> str:
    """Return a warning where a run is better in domain than across what was left out; else nothing."""
    across: Mapping[str, Estimate] = {by: metrics[key] for by, key in MEANS.items() if key in metrics}
    if "eer" not in metrics:
        return ""
    return disagreement(metrics["eer"].value, {by: (eer.value, eer.low, eer.high) for by, eer in across.items()})
