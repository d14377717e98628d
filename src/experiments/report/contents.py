"""Everything in `runs/`, for people who review it: what is finished, what broke, what never ended.

Runs are handed out one by one, so that the pictures of hundreds need not be in memory together.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from src.experiments.report.files import as_number, exists, folders, read_object, read_pictures, read_rows
from src.utils.paths import runs_folder
from src.visualize.pages.records import Estimate, LayerComparison

OUR_FILES = ("README.md", "index.html")
_RUN, _STUDY, _LAYERS = (re.compile(pattern) for pattern in (r"run[0-9]+", r".+_study[0-9]+", r"layers[0-9]+"))


@dataclass(frozen=True)
class Contents:
    """The folders in `runs/`, by what they are; numbers in their order."""

    runs: tuple[Path, ...]
    studies: tuple[Path, ...]
    comparisons: tuple[Path, ...]
    foreign: tuple[str, ...]
    """Names of what is none of these."""


def contents_of(root: Path) -> Contents:
    """Sort what lies in `runs/` by its names; hidden files are nobody's business."""
    parent = runs_folder(root)
    there = sorted(folders(parent), key=_by_number)
    kinds = {
        pattern: tuple(path for path in there if pattern.fullmatch(path.name)) for pattern in (_RUN, _STUDY, _LAYERS)
    }
    known = {path.name for paths in kinds.values() for path in paths} | set(OUR_FILES)
    names = sorted(path.name for path in parent.iterdir()) if parent.is_dir() else []
    foreign = tuple(name for name in names if name not in known and not name.startswith("."))
    return Contents(kinds[_RUN], kinds[_STUDY], kinds[_LAYERS], foreign)


def read_comparison(folder: Path) -> LayerComparison:
    """Read a comparison of layers; never raises on account of what lies in the folder."""
    problems: list[str] = []
    inputs = read_object(folder / "layers.json", problems)
    layers = tuple(_layers(folder / "layers.csv", problems))
    pictures = read_pictures(folder, ("eer_by_layer.png",), problems)
    return LayerComparison(folder.name, inputs, layers, next(iter(pictures), None), tuple(problems))


def _layers(path: Path, problems: list[str]) -> Iterator[tuple[int, Estimate]]:
    if not exists(path):
        problems.append(f"{path.name} is missing")
        return
    for layer, *texts in read_rows(path, ("layer", "eer", "low", "high"), problems, required=2):
        eer, low, high = map(as_number, texts)
        if eer is None or not re.fullmatch(r"[0-9]{1,6}", layer):
            problems.append(f"{path.name}: a row holds no layer and EER")
            return
        yield int(layer), Estimate(eer, low, high)


def _by_number(path: Path) -> tuple[str, int, str]:
    stem = path.name.rstrip("0123456789")
    number = path.name[len(stem) :]
    return stem, int(number[:18] or 0), path.name
