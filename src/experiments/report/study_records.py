"""Reads a study folder, complete or broken, into the record that its page shows, and its trials into Optuna's study.

Trials are read from the study's journal, or from the storage that `study.json` names. Where that cannot be read, they
are taken from the run folders. Nothing is written: a study may be running while it is read.
"""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.experiments.corpus.held_out_domains import differing_choice, domains_in_words
from src.experiments.report.files import exists, finite, folders, read_object, read_pictures
from src.experiments.report.run_records import url_of
from src.experiments.runs.artefacts import BEST
from src.experiments.runs.names import RunName, StudyName, trials_of
from src.experiments.runs.provenance import without_password
from src.experiments.studies.search import STUDY
from src.experiments.studies.storage import JOURNAL
from src.experiments.training.recipe import HOLD_OUT, OWN_KEYS
from src.visualize.pages.records import Run, Study, Trial

if TYPE_CHECKING:
    import optuna

PICTURES = ("optimization_history.png", "param_importances.png")
PATIENCE = 5
"""Seconds to wait for a database."""
_SEARCHED_BY_NONE = (*OWN_KEYS, "backbone", "model")
"""What `hyperparameters.json` holds that no study varies."""
_STATES = {
    "COMPLETE": "finished",
    "PRUNED": "stopped early",
    "FAIL": "failed",
    "RUNNING": "running",
    "WAITING": "waiting",
}


@dataclass(frozen=True)
class StudyNotes:
    """What the files of a study say, before its runs are read."""

    name: StudyName
    folder: Path
    search: dict[str, Any]
    best: int | None
    best_value: float | None
    problems: tuple[str, ...]


def read_notes(name: StudyName, root: Path) -> StudyNotes:
    """Read the small files of a study folder; never raises, whatever lies in it."""
    problems: list[str] = []
    folder = name.folder(root)
    search = read_object(folder / STUDY, problems)
    best = read_object(folder / BEST, problems, required=False)
    number = best.get("best_trial_number")
    value = finite(best.get("best_validation_eer"))
    if best and (type(number) is not int or value is None):
        problems.append(f"{BEST} names no best trial")
    return StudyNotes(name, folder, search, number if type(number) is int else None, value, tuple(problems))


def trials_in(name: StudyName, root: Path) -> list[RunName]:
    """Return the names of the run folders of a study, by number."""
    there = set(folders(name.folder(root)))
    return [run for run in trials_of(name, root) if run.folder(root) in there]


def read_study(notes: StudyNotes, runs: tuple[Run, ...]) -> "tuple[Study, optuna.Study | None]":
    """Return a study's record, with the runs that were read of it, and Optuna's study where it can be read."""
    problems = list(notes.problems)
    opened = _opened(notes, problems)
    trials = (
        [_trial(trial) for trial in opened.get_trials(deepcopy=False)] if opened else list(map(_trial_of_run, runs))
    )
    study = Study(
        str(notes.name),
        url_of(notes.name),
        _without_password(notes.search),
        notes.best,
        notes.best_value,
        tuple(trials),
        runs,
        read_pictures(notes.folder, PICTURES, problems),
        tuple(problems),
        *_choice(notes.search.get(HOLD_OUT), trials, runs),
    )
    return study, opened


def _choice(hold_out: Any, trials: list[Trial], runs: tuple[Run, ...]) -> tuple[str, str]:
    """Return what a study minimised, where domains were left out, and what validation in domain would have chosen."""
    try:
        what = domains_in_words(hold_out) if isinstance(hold_out, str) else ""
    except ValueError:  # of a damaged study
        what = ""
    if not what:
        return "", ""
    in_domain = {run.number: run.validation["eer"].value for run in runs if "eer" in run.validation}
    known = [(in_domain[trial.number], trial.number, trial.value) for trial in trials if trial.number in in_domain]
    candidates = [(eer, number, value) for eer, number, value in known if value is not None]
    return f"mean EER across {what}", differing_choice(candidates, hold_out, "trial") if candidates else ""


def _opened(notes: StudyNotes, problems: list[str]) -> "optuna.Study | None":
    """Return Optuna's study with its trials read, or None and the reason."""
    place = notes.search.get("storage")
    where = without_password(place) if isinstance(place, str) and place else JOURNAL
    if where == JOURNAL and not exists(notes.folder / JOURNAL):
        problems.append(f"{JOURNAL} is missing: what follows is from the run folders")
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _load(notes, place if where != JOURNAL else None)
    except Exception as error:  # damaged or unreachable, each storage and driver raises errors of its own
        reason = (str(error).splitlines() or [""])[0].replace(str(place), where) or type(error).__name__
        problems.append(f"{where} cannot be read ({reason}): what follows is from the run folders")
        return None


def _load(notes: StudyNotes, place: str | None) -> "optuna.Study":
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage: optuna.storages.BaseStorage
    if place and "://" in place:
        timeout = {} if place.startswith("sqlite") else {"connect_args": {"connect_timeout": PATIENCE}}
        storage = optuna.storages.RDBStorage(place.replace(":***@", "@"), timeout, skip_table_creation=True)
    else:
        journal = Path(place).expanduser() if place else notes.folder / JOURNAL
        if not exists(journal):
            raise FileNotFoundError("there is no such file")
        storage = optuna.storages.JournalStorage(JournalFileBackend(os.fspath(journal)))
    names = optuna.get_all_study_names(storage)
    wanted = notes.search.get("study_name", notes.folder.name)
    name = names[0] if len(names) == 1 and not place else wanted  # a renamed folder has its own journal
    if name not in names:
        raise ValueError(f"it holds no study {wanted}")
    study = optuna.load_study(study_name=name, storage=storage)
    study.get_trials(deepcopy=False)
    return study


def _trial(trial: "optuna.trial.FrozenTrial") -> Trial:
    value = finite(trial.value) if trial.state.name in ("COMPLETE", "PRUNED") else None
    return Trial(trial.number, _STATES[trial.state.name], value, dict(trial.params))


def _trial_of_run(run: Run) -> Trial:
    parameters = {key: value for key, value in run.hyperparameters.items() if key not in _SEARCHED_BY_NONE}
    eer = run.validation.get("eer")
    return Trial(run.number, run.state, eer.value if eer else None, parameters)


def _without_password(search: dict[str, Any]) -> dict[str, Any]:
    return {
        key: without_password(value) if key == "storage" and isinstance(value, str) else value
        for key, value in search.items()
    }
