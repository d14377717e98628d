"""What a study searches, and the place where it is kept: its folder, and the storage of its trials.

A study that several machines share is known in the storage by its folder's name and a digest of what it searches, so
that two projects on one database stay apart, and two machines with the same search and number share the study.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from src.experiments.inputs import Input
from src.experiments.inputs.contract import TRAIN, VAL, OpenInput
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.runs.folders import find_study, new_numbered_folder
from src.experiments.runs.names import StudyName, existing_numbers, numbered, studies_prefix
from src.experiments.runs.provenance import without_password
from src.experiments.studies.storage import full_name, open_own_journal, open_shared
from src.experiments.training.models import model_class
from src.experiments.training.recipe import HOLD_OUT
from src.models.contract import Config
from src.utils.files import read_json, text_digest, write_json
from src.utils.paths import runs_folder

if TYPE_CHECKING:
    import optuna

STUDY = "study.json"
KEPT_IN = ("storage", "study_name")
"""What `study.json` says of a shared study beside what is searched."""
FIXED = "fixed"
BEST_PERCENT = 25.0
"""A training is pruned unless its best EER so far is among this best share of the finished trials, at that epoch."""


@dataclass(frozen=True)
class Search:
    """What a study searches, and on which corpus."""

    dataset: Path
    input: Input
    """What it leaves open (None) is part of the search."""
    model: str
    """What is trained, by its name: mlp, svm, ..."""
    seed: int = 7
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Hyperparameters that are the same in all trials."""
    hold_out: str = ""
    """Which kinds of domains are left out to judge a trial by: system, corpus, or both with a comma; empty = none."""

    def describe(self, opened: OpenInput) -> dict[str, Any]:
        """Return the search as `study.json` holds it; two studies with the same are the same study."""
        return {
            "corpus": self.dataset.name,
            **({"input": self.input.kind} if self.input.kind != Embeddings.kind else {}),
            **self.input.as_json(),
            "classifier": self.model,
            **({FIXED: dict(self.fixed)} if self.fixed else {}),
            "seed": self.seed,
            **({HOLD_OUT: self.hold_out} if self.hold_out else {}),
            "data": opened.identity(TRAIN, VAL),
        }

    def first(self) -> dict[str, Any]:
        """Return the hyperparameters that are tried first: the defaults, of those that are searched.

        Raises
        ------
        ValueError
            When what is fixed is unknown or not allowed.
        """
        values = asdict(model_class(self.model).Config.from_mapping(self.fixed))
        return {name: value for name, value in values.items() if name not in self.fixed}

    def draw(self, trial: "optuna.Trial", n_clips: int) -> Config:
        """Let a trial choose all hyperparameters but those that are fixed; UnfitError where they do not go together."""
        drawn = model_class(self.model).Config.search_space(cast("optuna.Trial", _Partly(trial, self.fixed)), n_clips)
        try:
            return replace(drawn, **self.fixed)
        except ValueError as error:
            raise UnfitError(f"What a trial has drawn does not go with what is fixed: {error} Fix that too.") from None


class UnfitError(ValueError):
    """What a trial has drawn does not go with the hyperparameters that are fixed."""


class _Partly:
    """A trial that suggests what is fixed where it is asked for that, so that what depends on it is drawn to fit."""

    def __init__(self, trial: "optuna.Trial", fixed: Mapping[str, Any]) -> None:
        self._trial, self._fixed = trial, fixed

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._trial, name)
        if not name.startswith("suggest_"):
            return found
        return lambda parameter, *space, **options: (
            self._fixed[parameter] if parameter in self._fixed else found(parameter, *space, **options)
        )


@dataclass(frozen=True)
class StudyPlace:
    """Where a study is kept."""

    folder: Path
    storage: str | None = None
    """Database URL or journal file that machines share; None = a journal in the folder."""
    name: str | None = None
    """In the shared storage; None without one."""

    @property
    def study(self) -> StudyName:
        """The name of the study."""
        return StudyName.parse(self.folder.name)

    def open(self, jobs: int) -> "optuna.Study":
        """Open the study to add trials, `jobs` at a time; who opens one with its own journal must hold its lock."""
        import optuna

        from src.experiments.studies.pruner import EarlierTrialsPruner

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        if self.storage:
            pruner = optuna.pruners.PercentilePruner(BEST_PERCENT, n_startup_trials=4)
            return optuna.load_study(study_name=self.name, storage=open_shared(self.storage), pruner=pruner)
        storage = open_own_journal(self.folder)
        pruner = EarlierTrialsPruner(jobs, BEST_PERCENT, n_startup_trials=4)
        name = self.folder.name
        return optuna.create_study(
            storage=storage, study_name=name, direction="minimize", load_if_exists=True, pruner=pruner
        )


@dataclass(frozen=True)
class Wish:
    """Which study is to be resumed or made."""

    number: int | None = None
    """The study to resume; None = a new one."""
    storage: str | None = None
    """Database URL or journal file that several machines share; None = a journal in the study's folder."""
    reuse: bool = False
    """Whether the newest study of exactly this search is resumed, where there is one."""


def find_place(search: Search, wanted: Mapping[str, Any], root: Path, wish: Wish) -> StudyPlace:
    """Return the place of a study: the one to resume or to join, or a new one.

    Parameters
    ----------
    search : Search
    wanted : mapping
        What `search.describe` says.
    root : Path
    wish : Wish

    Raises
    ------
    FileNotFoundError
        When there is no such study.
    ValueError
        When it searches something else.
    """
    if wish.storage is None:
        return _own_place(search, wanted, root, wish)
    return _shared_place(search, wanted, root, wish.number, full_name(wish.storage))


def _own_place(search: Search, wanted: Mapping[str, Any], root: Path, wish: Wish) -> StudyPlace:
    """Return the place of a study with a journal of its own."""
    prefix = studies_prefix(search.model)
    if wish.number is not None:
        folder = find_study(root, StudyName(search.model, wish.number))
        _check_same_search(folder, wanted, storage=None)
        return StudyPlace(folder)
    if wish.reuse:
        for number in reversed(existing_numbers(runs_folder(root), prefix)):
            note = StudyName(search.model, number).folder(root) / STUDY
            if note.is_file() and read_json(note) == wanted:
                return StudyPlace(note.parent)
    folder = new_numbered_folder(runs_folder(root), prefix)
    write_json(folder / STUDY, wanted)
    return StudyPlace(folder)


def _shared_place(
    search: Search, wanted: Mapping[str, Any], root: Path, number: int | None, storage: str
) -> StudyPlace:
    """Return the place of a study in a storage that machines share."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    digest = text_digest(json.dumps(wanted, sort_keys=True))[:8]
    opened = open_shared(storage)
    names = optuna.get_all_study_names(opened)
    if number is not None:
        place = _place_in_storage(StudyName(search.model, number), root, storage, digest)
        if place.name not in names:
            raise FileNotFoundError(
                f"{without_password(storage)} holds no study {number} of {search.model} that searches this (same "
                f"corpus, backbone, embeddings, layer, pooling, seed); without `study_number` a new one is made."
            )
        if place.folder.is_dir():
            _check_same_search(place.folder, wanted, without_password(storage))
        place.folder.mkdir(parents=True, exist_ok=True)
    else:
        place = _new_in_storage(search, root, storage, digest, names)
    kept_in = {"storage": without_password(storage), "study_name": place.name}
    write_json(place.folder / STUDY, {**wanted, **kept_in})
    return place


def _new_in_storage(search: Search, root: Path, storage: str, digest: str, names: list[str]) -> StudyPlace:
    """Start a study under a number that is free here and in the storage."""
    import optuna

    prefix = studies_prefix(search.model)
    taken = [number for name in names if (number := numbered(name.rpartition("-")[0], prefix)) is not None]
    folder = new_numbered_folder(runs_folder(root), prefix, above=max(taken, default=None))
    place = _place_in_storage(StudyName.parse(folder.name), root, storage, digest)
    try:
        optuna.create_study(storage=open_shared(storage), study_name=place.name, direction="minimize")
    except optuna.exceptions.DuplicatedStudyError:
        folder.rmdir()
        raise ValueError(
            f"Another machine has just started this study: join it with `study_number={place.study.number}`."
        ) from None
    return place


def _place_in_storage(study: StudyName, root: Path, storage: str, digest: str) -> StudyPlace:
    return StudyPlace(study.folder(root), storage, f"{study}-{digest}")


def _check_same_search(folder: Path, wanted: Mapping[str, Any], storage: str | None) -> None:
    if not (folder / STUDY).is_file():
        raise FileNotFoundError(f"{folder} has no {STUDY}, so it cannot be resumed; start a new study.")
    found = read_json(folder / STUDY)
    kept_in = found.get("storage")
    if kept_in != storage:
        there, flag = (kept_in, f"with `storage={kept_in}`") if kept_in else ("its own journal", "without `storage`")
        raise ValueError(f"{folder.name} is kept in {there}: resume it {flag}.")
    earlier = {"input": wanted.get("input")}  # studies that were made before this was noted
    for key, value in {FIXED: None, HOLD_OUT: None, **wanted}.items():
        if found.get(key, earlier.get(key)) != value:
            kind = wanted.get("input", Embeddings.kind)
            shown = f"other {kind}" if key == "data" else f"{key} {found.get(key)}, not {value}"
            raise ValueError(f"{folder.name} searches {shown}: resume it with its own flags, or start a new study.")
