"""What a card says of the clips that a run learnt from, was chosen by, and was tested on.

Counts are those of the clips that were used: of training, the split as it is now, provided that it still is what the
run noted (by digest); of validation and test, the score files that the run left. Hours come from the durations in the
corpus's table. Whatever has changed or gone since is unknown, and nothing is taken from a corpus that is another one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from src.corpora.sources import SOURCES_TABLE
from src.experiments.corpus.splits import read_split
from src.experiments.inputs.contract import TEST, TRAIN, VAL
from src.experiments.report.files import exists, read_object
from src.experiments.runs.artefacts import SCORES, TEST_PROVENANCE, TEST_RESULTS, VAL_SCORES, read_scores
from src.experiments.runs.lineage import DERIVED_FROM
from src.experiments.training.trained import Trained
from src.utils.csv_tables import read_csv
from src.utils.dataset import read_files, read_rejected
from src.utils.embedding_store import split_digest
from src.utils.labels import BONAFIDE, parse_label
from src.visualize.pages.cells import Cell, Column, Table

UNKNOWN = "unknown"
ROLES = {TRAIN: "training", VAL: "validation", TEST: "test"}
_LICENCE_COLUMNS = ("licence", "license")
_MOST_LICENCES = 10


@dataclass(frozen=True)
class Clips:
    """The clips of a split; None where something is not known."""

    role: str
    clips: int | None = None
    bonafide: int | None = None
    spoof: int | None = None
    people: int | None = None
    women: int | None = None
    men: int | None = None
    hours: float | None = None
    systems: tuple[str, ...] | None = None


def clips_of(trained: Trained, parts: Sequence[Trained] = ()) -> list[Clips]:
    """Return what is known of the clips of training and validation and, where it was tested, of the usual test.

    Parameters
    ----------
    trained : Trained
    parts : sequence of Trained
        The runs that a fusion is made of, as far as they are here.
    """
    learnt = [replace(_training(part), role=f"training of {part.name}") for part in parts] or [_training(trained)]
    found = [*learnt, _scored(trained, VAL, VAL_SCORES, trained.provenance)]
    if not exists(trained.folder / TEST_RESULTS):
        return found
    return [*found, _scored(trained, TEST, SCORES, read_object(trained.folder / TEST_PROVENANCE, []))]


def clips_table(found: list[Clips]) -> Table:
    """Return a table with a row for each split.

    >>> [cell.text for cell in clips_table([Clips("training", 12, hours=0.5, systems=("xtts", "world"))]).rows[0]]
    ['training', '12', 'unknown', 'unknown', 'unknown', 'unknown', 'unknown', '0.50', 'xtts, world']
    """
    titles = ("clips", "bona fide", "spoofs", "people", "women", "men", "hours")
    columns = (Column("used for"), *(Column(title, True) for title in titles), Column("spoof systems"))
    return Table("Clips", columns, tuple(map(_row, found)))


def licences_of(dataset: Path) -> list[str]:
    """Return what the folder of a corpus says of its licence: a file of that name, a column of SOURCES.csv."""
    if not dataset.is_dir():
        return []
    files = [path.name for path in sorted(dataset.iterdir()) if path.stem.upper() in ("LICENSE", "LICENCE", "COPYING")]
    found = [f"the file {name} in its folder" for name in files]
    if not exists(dataset / SOURCES_TABLE):
        return found
    try:
        table = read_csv(dataset / SOURCES_TABLE, "save it as a CSV file")
    except (OSError, ValueError):
        return found
    named = [name for column in _LICENCE_COLUMNS if column in table for name in table[column].unique() if name]
    return found + named[:_MOST_LICENCES]


def steps_behind(dataset: Path) -> list[str]:
    """Return what was done to the recordings of a derived corpus, the last step first, each as its recipe says."""
    steps: list[str] = []
    seen: list[Path] = []
    while exists(dataset / DERIVED_FROM) and dataset not in seen:
        seen.append(dataset)
        recipe = read_object(dataset / DERIVED_FROM, [])
        settings = {key: value for key, value in recipe.items() if isinstance(value, str | int | float)}
        step = settings.pop("step", "derived")
        source = settings.pop("source", "")
        told = ", ".join(f"{key} {value}" for key, value in own_places(settings).items() if value != "")
        steps.append(f"{step}{f' ({told})' if told else ''}" + (f", of the corpus {source}" if source else ""))
        if not isinstance(source, str) or not source:
            break
        dataset = dataset.parent / source
    return steps


def own_places(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings without where folders lie on the machine that trained: of a path, its last part stays.

    >>> own_places({"model": "/home/ann/models/tiny", "C": 1.0})
    {'model': 'tiny', 'C': 1.0}
    """
    return {key: Path(value).name if _is_place(value) else value for key, value in values.items()}


def _is_place(value: Any) -> bool:
    return isinstance(value, str) and Path(value).is_absolute()


def _training(trained: Trained) -> Clips:
    """Return what is known of the training clips, at least how many people they are of."""
    people = trained.provenance["data"].get("people")
    known = people.get(TRAIN, []) if isinstance(people, Mapping) else []
    origin = _origin(trained.provenance, trained, TRAIN)
    rows = _same_split(trained, TRAIN, origin)
    if rows is None:
        return Clips(ROLES[TRAIN], _count(origin.get("clips")), people=len(known) or None)
    used = rows[~rows["file"].isin(read_rejected(trained.recipe.dataset).keys())]
    return _counted(ROLES[TRAIN], used, _hours(used, trained.recipe.dataset))


def _scored(trained: Trained, split: str, file: str, noted: Mapping[str, Any]) -> Clips:
    """Return what is known of clips that a run scored."""
    origin = _origin(noted, trained, split)
    try:
        rows = read_scores(trained.folder, file)
    except (OSError, ValueError):
        return Clips(ROLES[split], _count(origin.get("clips")))
    is_same = _same_split(trained, split, origin) is not None
    return _counted(ROLES[split], rows, _hours(rows, trained.recipe.dataset) if is_same else None)


def _same_split(trained: Trained, split: str, origin: Mapping[str, Any]) -> pd.DataFrame | None:
    """Return the rows of a split where they are still those that were noted, else None."""
    try:
        rows = read_split(trained.recipe.dataset, split)
    except (OSError, ValueError):
        return None
    return rows if split_digest(rows) == origin.get("split_digest") else None


def _counted(role: str, rows: pd.DataFrame, hours: float | None) -> Clips:
    people = rows[["speaker", "gender"]].drop_duplicates("speaker")
    is_bonafide = rows["label"].map(parse_label) == BONAFIDE
    return Clips(
        role,
        len(rows),
        int(is_bonafide.sum()),
        int((~is_bonafide).sum()),
        len(people),
        int((people["gender"] == "F").sum()),
        int((people["gender"] == "M").sum()),
        hours,
        tuple(sorted(set(rows.loc[~is_bonafide, "system"]) - {""})) or None,
    )


def _hours(rows: pd.DataFrame, dataset: Path) -> float | None:
    """Return how long clips are together; None where the table does not say it of all of them."""
    try:
        files = read_files(dataset)
    except (OSError, ValueError):
        return None
    if "duration" not in files:
        return None
    seconds = files.set_index("file")["duration"].reindex(rows["file"]).astype(float)
    return None if seconds.isna().any() else float(seconds.sum()) / 3600


def _origin(noted: Mapping[str, Any], trained: Trained, split: str) -> Mapping[str, Any]:
    """Return what a provenance says of a split that the run's input was read of."""
    data = noted.get("data")
    by_split = data.get(trained.recipe.input.kind) if isinstance(data, Mapping) else None
    origin = by_split.get(split) if isinstance(by_split, Mapping) else None
    return origin if isinstance(origin, Mapping) else {}


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _row(found: Clips) -> tuple[Cell, ...]:
    counts = (found.clips, found.bonafide, found.spoof, found.people, found.women, found.men)
    cells = [found.role, *(UNKNOWN if count is None else str(count) for count in counts)]
    cells.append(UNKNOWN if found.hours is None else f"{found.hours:.2f}")
    return tuple(map(Cell, [*cells, UNKNOWN if found.systems is None else ", ".join(found.systems)]))
