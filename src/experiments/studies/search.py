"""What a study searches, and the place where it is kept: its folder, and the storage of its trials.

A study that several machines share is known in the storage by its folder's name and a digest of what it searches, so
that two projects on one database do not meet, and two machines with the same search and number do.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.experiments.inputs.embeddings import identity_of
from src.experiments.runs.folders import existing_numbers, find_study, new_numbered_folder
from src.experiments.runs.provenance import without_password
from src.experiments.studies.storage import full_name, open_own_journal, open_shared
from src.utils.files import read_json, text_digest, write_json
from src.utils.paths import runs_folder

if TYPE_CHECKING:
    import optuna

STUDY = "study.json"
KEPT_IN = ("storage", "study_name")
"""What `study.json` says of a shared study beside what is searched."""
BEST_PERCENT = 25.0
"""A training goes on while its best EER so far is among these of the finished trials', at the same epoch."""


@dataclass(frozen=True)
class Search:
    """What a study looks for, and where."""

    dataset: Path
    backbone: str
    classifier: str
    layer: int | None = None
    """None: part of the search."""
    pooling: str = ""
    """Empty: part of the search."""
    seed: int = 7

    def describe(self, metas: Mapping[str, Any]) -> dict[str, Any]:
        """Return the search as `study.json` holds it; two studies with the same are the same study."""
        return {
            "corpus": self.dataset.name,
            "backbone": self.backbone,
            "classifier": self.classifier,
            "layer": self.layer,
            "pooling": self.pooling or None,
            "seed": self.seed,
            "data": identity_of(metas),
        }


@dataclass(frozen=True)
class StudyPlace:
    """Where a study is kept."""

    folder: Path
    storage: str = ""
    """Database URL or journal file that machines share; empty = a journal in the folder."""
    name: str = ""
    """In the shared storage."""

    def open(self) -> "optuna.Study":
        """Open the study for going on with it; the caller of one with its own journal must be alone."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        pruner = optuna.pruners.PercentilePruner(BEST_PERCENT, n_startup_trials=4)
        if self.storage:
            return optuna.load_study(study_name=self.name, storage=open_shared(self.storage), pruner=pruner)
        storage = open_own_journal(self.folder)
        name = self.folder.name
        return optuna.create_study(
            storage=storage, study_name=name, direction="minimize", load_if_exists=True, pruner=pruner
        )


def own_place(search: Search, wanted: Mapping[str, Any], root: Path, study_number: int, reuse: bool) -> StudyPlace:
    """Return the place of a study with a journal of its own: the one to go on with, or a new one.

    Parameters
    ----------
    search : Search
    wanted : mapping
        What `search.describe` says.
    root : Path
    study_number : int
        The study to go on with; -1 = a new one.
    reuse : bool
        Whether the newest study of exactly this search is gone on with, where there is one.
    """
    runs, prefix = runs_folder(root), f"{search.classifier}_study"
    if study_number >= 0:
        folder = find_study(root, search.classifier, study_number)
        _check_same_search(folder, wanted, storage="")
        return StudyPlace(folder)
    if reuse:
        for number in reversed(existing_numbers(runs, prefix)):
            note = runs / f"{prefix}{number}" / STUDY
            if note.is_file() and read_json(note) == wanted:
                return StudyPlace(note.parent)
    folder = new_numbered_folder(runs, prefix)
    write_json(folder / STUDY, wanted)
    return StudyPlace(folder)


def shared_place(search: Search, wanted: Mapping[str, Any], root: Path, study_number: int, storage: str) -> StudyPlace:
    """Return the place of a study in a storage that machines share: the one to join, or a new one.

    Raises
    ------
    FileNotFoundError
        When the storage holds no study of this number and search.
    ValueError
        When another machine began a study of this search and number at the same moment.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = full_name(storage)
    runs, prefix = runs_folder(root), f"{search.classifier}_study"
    digest = text_digest(json.dumps(wanted, sort_keys=True))[:8]
    opened = open_shared(storage)
    names = optuna.get_all_study_names(opened)
    if study_number >= 0:
        place = StudyPlace(runs / f"{prefix}{study_number}", storage, f"{prefix}{study_number}-{digest}")
        if place.name not in names:
            raise FileNotFoundError(
                f"{without_password(storage)} holds no study {study_number} of {search.classifier} that searches this "
                f"(same corpus, backbone, embeddings, layer, pooling, seed); without --study-number= a new one is made."
            )
        if place.folder.is_dir():
            _check_same_search(place.folder, wanted, without_password(storage))
        place.folder.mkdir(parents=True, exist_ok=True)
    else:
        taken = [int(match[1]) for name in names if (match := re.match(rf"{prefix}(\d+)-", name))]
        folder = new_numbered_folder(runs, prefix, above=max(taken, default=-1))
        place = StudyPlace(folder, storage, f"{folder.name}-{digest}")
        try:
            optuna.create_study(storage=opened, study_name=place.name, direction="minimize")
        except optuna.exceptions.DuplicatedStudyError:
            folder.rmdir()
            number = folder.name.removeprefix(prefix)
            raise ValueError(
                f"Another machine has just begun this study: join it with --study-number={number}."
            ) from None
    kept_in = {"storage": without_password(storage), "study_name": place.name}
    write_json(place.folder / STUDY, {**wanted, **kept_in})
    return place


def _check_same_search(folder: Path, wanted: Mapping[str, Any], storage: str) -> None:
    if not (folder / STUDY).is_file():
        raise FileNotFoundError(f"{folder} has no {STUDY}, so it cannot be gone on with; start a new study.")
    found = read_json(folder / STUDY)
    kept_in = found.get("storage", "")
    if kept_in != storage:
        there, flag = (kept_in, f"--storage={kept_in}") if kept_in else ("its own journal", "no --storage=")
        raise ValueError(f"{folder.name} is kept in {there}: go on with it with {flag}.")
    for key, value in wanted.items():
        if found.get(key) != value:
            shown = "other embeddings" if key == "data" else f"{key} {found.get(key)}, not {value}"
            raise ValueError(f"{folder.name} searches {shown}: resume it with its own flags, or start a new study.")
