"""Reads what `fab ExplainRun` left in a run's folder, complete or broken, into the record that its page shows."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from src.experiments.evaluation.explanation import CUES_PICTURE, EXPLANATION, FEATURES_PICTURE, IMPORTANCE_PICTURE
from src.experiments.report.files import exists, finite, metrics_of, read_object, read_pictures
from src.visualize.pages.explanations import Compared, Explanation, Part

PICTURES = (IMPORTANCE_PICTURE, CUES_PICTURE, FEATURES_PICTURE)
_WORDS = ("kind", "name", "by", "first", "second")


def read_explanation(folder: Path) -> Explanation | None:
    """Return what was found of a run; None where it was not explained. Never raises, whatever the files hold."""
    if not exists(folder / EXPLANATION):
        return None
    problems: list[str] = []
    content = read_object(folder / EXPLANATION, problems)
    about = content.get("about")
    parts, compared = tuple(_parts(content.get("groups"))), tuple(_compared(content.get("comparisons")))
    if content and not parts:
        problems.append(f"{EXPLANATION} holds no parts of the input")
    pictures = read_pictures(folder, PICTURES, problems)
    return Explanation(about if isinstance(about, Mapping) else {}, parts, compared, pictures, tuple(problems))


def _objects(content: Any, words: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield those entries of a list that are objects with these words."""
    for entry in content if isinstance(content, list) else ():
        if isinstance(entry, dict) and all(isinstance(entry.get(word), str) for word in words):
            yield entry


def _parts(content: Any) -> Iterator[Part]:
    for entry in _objects(content, _WORDS[:2]):
        rises = metrics_of(entry)
        if {"eer", "cllr"} <= rises.keys():
            yield Part(entry["kind"], entry["name"], rises["eer"], rises["cllr"])


def _compared(content: Any) -> Iterator[Compared]:
    for entry in _objects(content, _WORDS):
        auc = metrics_of({"auc": entry.get("auc")}).get("auc")
        if auc is not None:
            words = {word: entry[word] for word in _WORDS}
            yield Compared(**words, auc=auc, p=finite(entry.get("p_corrected")))
