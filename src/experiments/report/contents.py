"""What lies in `runs/`, sorted for review: runs, studies, comparisons of layers, and anything else.

Only names are listed: runs are read one by one, so that the pictures of hundreds are never in memory together.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from src.experiments.corpus.held_out_domains import PLURALS, differing_choice
from src.experiments.report.files import as_number, exists, folders, read_object, read_pictures, read_rows
from src.experiments.runs.names import RunName, StudyName, comparisons_in, crosses_in, single_runs_in, studies_in
from src.experiments.training.layers import COLUMNS
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
    crosses: tuple[RunName, ...]
    """Cross-validations."""
    foreign: tuple[str, ...]
    """Names of everything else."""


def contents_of(root: Path) -> Contents:
    """Sort what lies in `runs/` by its names; hidden files are ignored."""
    parent = runs_folder(root)
    there = {folder.name for folder in folders(parent)}
    runs = tuple(run for run in single_runs_in(root) if str(run) in there)
    studies = tuple(study for study in studies_in(root) if str(study) in there)
    comparisons = tuple(folder for folder in comparisons_in(root) if folder.name in there)
    crosses = tuple(cross for cross in crosses_in(root) if str(cross) in there)
    known = {*map(str, (*runs, *crosses)), *map(str, studies), *(folder.name for folder in comparisons), *OUR_FILES}
    names = sorted(path.name for path in parent.iterdir()) if parent.is_dir() else []
    foreign = tuple(name for name in names if name not in known and not name.startswith("."))
    return Contents(runs, studies, comparisons, crosses, foreign)


def read_comparison(folder: Path) -> LayerComparison:
    """Read a comparison of layers; never raises, whatever lies in the folder."""
    problems: list[str] = []
    inputs = read_object(folder / "layers.json", problems)
    rows = list(_layers(folder / "layers.csv", problems))
    unheard: dict[str, dict[int, Estimate]] = {}
    for layer, _, across in rows:
        for by, eer in across.items():
            unheard.setdefault(by, {})[layer] = eer
    pictures = read_pictures(folder, ("eer_by_layer.png",), problems)
    return LayerComparison(
        folder.name,
        inputs,
        tuple((layer, eer) for layer, eer, _ in rows),
        next(iter(pictures), None),
        tuple(problems),
        {PLURALS[by]: eers for by, eers in unheard.items()},
        _differing(rows, ",".join(unheard)),
    )


def _differing(rows: Sequence[tuple[int, Estimate, Mapping[str, Estimate]]], hold_out: str) -> str:
    """Say what validation in domain would choose otherwise than the domains that were left out."""
    judged = [(eer.value, layer, [mean.value for mean in across.values()]) for layer, eer, across in rows if across]
    return (
        differing_choice([(eer, layer, sum(of) / len(of)) for eer, layer, of in judged], hold_out, "layer")
        if judged
        else ""
    )


def _layers(path: Path, problems: list[str]) -> Iterator[tuple[int, Estimate, dict[str, Estimate]]]:
    """Yield every layer with its EER, and with the mean EER across each kind of domain that was left out."""
    if not exists(path):
        problems.append(f"{path.name} is missing")
        return
    columns = ("layer", "eer", "low", "high", *(name for names in COLUMNS.values() for name in names))
    for layer, *texts in read_rows(path, columns, problems, required=2):
        eer, low, high, *others = map(as_number, texts)
        if eer is None or not re.fullmatch(r"[0-9]{1,6}", layer):
            problems.append(f"{path.name}: a row holds no layer and EER")
            return
        across = {by: others[3 * place : 3 * place + 3] for place, by in enumerate(COLUMNS)}
        known = {by: Estimate(mean, *bounds) for by, (mean, *bounds) in across.items() if mean is not None}
        yield int(layer), Estimate(eer, low, high), known
