"""Phrases of the pages: metrics, estimates, verdicts and counts in words."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from src.metrics.table import METRICS, Metric, shown_in, written_bounds
from src.visualize.pages.records import Estimate, Metrics, Outcome

UNREADABLE = "\ufffd"
RANDOM_WEIGHTS = "Random weights: for trying things out, not a result."
_NO_TEXT = re.compile("[\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")


def metric(key: str) -> Metric:
    """Return a metric of the table; an unknown one is shown as a number under its key.

    >>> metric("eer").better, metric("own_metric").title
    ('lower', 'own_metric')
    """
    return METRICS.get(key, Metric(key, key))


def glossary() -> list[Metric]:
    """Return the metrics of pages that have an entry in the glossary, in the order in which they are shown.

    >>> [entry.title for entry in glossary()][:2]
    ['EER', 'EER across systems']
    """
    return [entry for entry in shown_in("page") if entry.glossary]


def which_is_better(metrics: Iterable[Metric]) -> str:
    """Return which direction is better, metrics of one direction together.

    >>> which_is_better([METRICS["eer"], METRICS["cllr"], METRICS["auc"], METRICS["n_spoof"]])
    'EER, Cllr (bits): lower is better; AUC: higher is better'
    """
    found: dict[str, list[str]] = {}
    for entry in metrics:
        if entry.better:
            found.setdefault(entry.better, []).append(entry.title)
    return "; ".join(f"{', '.join(titles)}: {better} is better" for better, titles in found.items())


def size(provenance: Mapping[str, Any]) -> str:
    """Return how many parameters a model has, as its provenance notes it; empty where it does not.

    >>> size({"parameters": 94_000_000, "trained_parameters": 1_538})
    '94,000,000 parameters, of which 1,538 were trained'
    >>> size({"parameters": 1_538, "trained_parameters": 1_538}), size({})
    ('1,538 parameters', '')
    """
    count, trained = provenance.get("parameters"), provenance.get("trained_parameters")
    if not isinstance(count, int):
        return ""
    part = isinstance(trained, int) and trained != count
    return f"{count:,} parameters" + (f", of which {trained:,} were trained" if part else "")


def readable(text: str) -> str:
    """Replace what HTML cannot hold: control characters and surrogates (bytes that are no UTF-8).

    >>> readable("a" + bytes([0xE9]).decode("utf-8", "surrogateescape")).encode()
    b'a\\xef\\xbf\\xbd'
    """
    return _NO_TEXT.sub(UNREADABLE, text)


def plain(value: Any) -> str:
    """Format any value of a JSON file, nested or not, in one line.

    >>> plain(0.1), plain([1, None]), plain(True), plain({"a": "b"})
    ('0.1', '1, none', 'yes', 'a: b')
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {plain(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def interval(estimate: Estimate, unit: str) -> str:
    """Format the bounds of an estimate, with the unit once; empty where it has none.

    >>> interval(Estimate(0.032, 0.019, 0.05), "rate")
    '1.90 to 5.00 %'
    """
    if estimate.low is None or estimate.high is None:
        return ""
    return written_bounds(estimate.low, estimate.high, unit)


def rough(rate: float) -> str:
    """Format a rate for a sentence: one decimal, two below 1 %.

    >>> rough(0.0321), rough(0.0032), rough(0.0)
    ('3.2 %', '0.32 %', '0.0 %')
    """
    return f"{100 * rate:.{2 if 0 < abs(rate) < 0.01 else 1}f} %"


def verdict(outcome: Outcome) -> str:
    """Return the EER of a test with its interval and the number of people; empty without an EER.

    >>> about = {"n_people": 12, "confidence": 0.95}
    >>> verdict(Outcome("", about, {"eer": Estimate(0.032, 0.019, 0.05)}))
    '3.2 % (95 %: 1.9 to 5.0 %), 12 people'
    """
    eer = outcome.metrics.get("eer")
    if eer is None:
        return ""
    return rough(eer.value) + _in_brackets(certainty(outcome)) + _after_comma(people(outcome))


def certainty(outcome: Outcome) -> str:
    """Return the confidence and the bounds of the EER of a test; empty where it has no interval.

    >>> certainty(Outcome("", {}, {"eer": Estimate(0.032, 0.009, 0.05)}))
    '95 %: 0.90 to 5.0 %'
    """
    eer = outcome.metrics.get("eer")
    if eer is None or eer.low is None or eer.high is None:
        return ""
    return f"{confidence(outcome.about)}: {rough(eer.low).removesuffix(' %')} to {rough(eer.high)}"


def confidence(about: Mapping[str, Any]) -> str:
    """Return the confidence of a test's intervals; 95 % where it is not recorded.

    >>> confidence({"confidence": 0.9}), confidence({"confidence": "much"})
    ('90 %', '95 %')
    """
    given = about.get("confidence")
    share = given if isinstance(given, float) and 0 < given < 1 else 0.95
    return f"{100 * share:.4g} %"


def people(outcome: Outcome) -> str:
    """Return the number of people of a test, in words; empty where it is not recorded.

    >>> people(Outcome("", {"n_people": 1}))
    '1 person'
    """
    n_people = outcome.about.get("n_people")
    if type(n_people) is not int:
        return ""
    return "1 person" if n_people == 1 else f"{n_people} people"


def made_of(inputs: Mapping[str, Any]) -> str:
    """Return the inputs of a run or a study in words, without unknown ones; a study searches those that are null.

    >>> made_of({"classifier": "svm", "backbone": "lfcc", "layer": None, "corpus": "mini"})
    'svm, backbone lfcc, any layer, corpus mini'
    >>> made_of({"classifier": "lcnn", "augment": "field"}), made_of({"classifier": "lcnn", "augment": ""})
    ('lcnn, augmented by field', 'lcnn')
    """
    keys = [key for key in ("classifier", "runs", "backbone", "layer", "pooling", "corpus") if key in inputs]
    words = [f"any {key}" if inputs[key] is None else f"{key} {plain(inputs[key])}" for key in keys]
    if isinstance(recipe := inputs.get("augment"), str) and recipe:
        words.append(f"augmented by {'a recipe of its own' if recipe.startswith('[') else recipe}")
    return ", ".join(words).removeprefix("classifier ")


def random_weights(*records: Any) -> str:
    """Return a warning when what is recorded of a run or a study names a model of random weights; else nothing.

    It looks at every depth: a run names its model, a study the digests of its data, a fusion those of its parts.

    >>> random_weights({"model": "random:base"}), random_weights({"model": "openai/whisper-base"})
    ('Random weights: for trying things out, not a result.', '')
    """
    return RANDOM_WEIGHTS if any(map(_is_random, records)) else ""


def _is_random(record: Any) -> bool:
    if isinstance(record, list | tuple):
        return any(map(_is_random, record))
    if not isinstance(record, Mapping):
        return False
    named = str(record.get("model", "")).startswith("random:") or str(record.get("digest", "")).startswith("random w")
    return named or record.get("random") is True or any(map(_is_random, record.values()))


def in_order(names: Metrics) -> list[str]:
    """Return the metrics that a run's page shows, in the order of the table, unknown ones last.

    >>> in_order({"own": Estimate(1), "auc": Estimate(1), "eer": Estimate(0)})
    ['eer', 'auc', 'own']
    """
    known = [entry.key for entry in shown_in("page") if entry.key in names]
    return known + [name for name in names if name not in METRICS]


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun in the right form.

    >>> counted(1, "run"), counted(2, "run"), counted(0, "study", "studies")
    ('1 run', '2 runs', '0 studies')
    """
    return f"{number} {one if number == 1 else many or one + 's'}"


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""


def _after_comma(text: str) -> str:
    return f", {text}" if text else ""
