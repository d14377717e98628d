"""What lies in `runs/`, sorted for review: runs, studies, comparisons of layers, and anything else.

Only names are listed: runs are read one by one, so that the pictures of hundreds are never in memory together.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from src.experiments.report.files import as_number, exists, folders, read_object, read_pictures, read_rows
from src.experiments.runs.names import RunName, StudyName, comparisons_in, single_runs_in, studies_in
from src.utils.paths import runs_folder
from src.visualize.pages.records import Estimate, LayerComparison

OUR_FILES = ("README.md", "index.html")


@dataclass(frozen=True)
class Contents:
    """The folders in `runs/`, by what they are; numbers in their order."""

    runs: tuple[RunName, ...]
    """Those of no study."""
    studies: tuple[StudyName, ...]
    comparisons: tuple[Path, ...]
    foreign: tuple[str, ...]
    """Names of everything else."""


def contents_of(root: Path) -> Contents:
    """Sort what lies in `runs/` by its names; hidden files are ignored."""
    parent = runs_folder(root)
    there = {folder.name for folder in folders(parent)}
    runs = tuple(run for run in single_runs_in(root) if str(run) in there)
    studies = tuple(study for study in studies_in(root) if str(study) in there)
    comparisons = tuple(folder for folder in comparisons_in(root) if folder.name in there)
    known = {*map(str, runs), *map(str, studies), *(folder.name for folder in comparisons), *OUR_FILES}
    names = sorted(path.name for path in parent.iterdir()) if parent.is_dir() else []
    foreign = tuple(name for name in names if name not in known and not name.startswith("."))
    return Contents(runs, studies, comparisons, foreign)


def read_comparison(folder: Path) -> LayerComparison:
    """Read a comparison of layers; never raises, whatever lies in the folder."""
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
