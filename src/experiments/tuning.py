"""One tuner for all classifiers: an Optuna study that can be repeated, killed and resumed.

A study folder `runs/<classifier>_study<k>` holds a run folder for each trial, `study.json` (what is searched),
the journal, `best_hyperparameters.json` and pictures. The objective is the validation EER of the weights that the trial
saved.

Repeatable: the sampler is seeded anew for every trial from the study's seed and the trial's number, so trial m depends
on the trials before it and on nothing else. Resumable: after each trial the journal's length is noted; what a kill left
behind it is cut off at the next start, and that trial is drawn again, the same.
"""

import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from tqdm import tqdm

from src.experiments.runs import find_study, new_numbered_folder, save_figure
from src.experiments.training import (
    Recipe,
    Run,
    TrainingData,
    read_training_data,
    require_unchanged_recordings,
    train_run,
)
from src.models import classifier_class
from src.utils.embeddings import POOLINGS
from src.utils.files import read_json, write_json, write_text
from src.utils.paths import runs_folder

if TYPE_CHECKING:
    import optuna

DEFAULT_TRIALS = {"mlp": 100, "svm": 30, "rf": 30}
SEARCHED_POOLINGS = ("mean", "mean+std")
BEST = "best_hyperparameters.json"
JOURNAL, FINISHED_BYTES = "journal.log", "journal.finished"


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
        data = {
            split: {key: meta[key] for key in ("digest", "precision", "corpus_digest", "split_digest")}
            for split, meta in metas.items()
        }
        return {
            "corpus": self.dataset.name,
            "backbone": self.backbone,
            "classifier": self.classifier,
            "layer": self.layer,
            "pooling": self.pooling or None,
            "seed": self.seed,
            "data": data,
        }


@dataclass(frozen=True)
class StudyResult:
    """What a study found."""

    folder: Path
    n_trials: int
    n_new: int
    best_trial: int
    best_eer: float

    @property
    def outcome(self) -> str:
        """What came of it, without the place."""
        best = f"best validation EER {self.best_eer:.2%} in trial {self.best_trial}"
        return f"{self.n_trials} trials, {self.n_new} new; {best}"

    def __str__(self) -> str:
        return f"{self.folder}: {self.outcome}"


def optimize_hyperparameters(
    search: Search, *, root: Path, trials: int = 0, study_number: int = -1, reuse: bool = False
) -> StudyResult:
    """Run a study until it has `trials` finished trials.

    Parameters
    ----------
    search : Search
    root : Path
        Holds `embeddings/` and `runs/`.
    trials : int
        In all, those of earlier starts included; 0 = 100 for mlp, 30 for svm and rf.
    study_number : int
        The study to go on with; -1 = a new one.
    reuse : bool
        Whether a study of exactly this search is gone on with, where there is one.
    """
    classifier_class(search.classifier)  # refuses an unknown name
    if trials < 0:
        raise ValueError(f"--trials must be 0 (the default) or more, not {trials}.")
    if search.pooling and search.pooling not in POOLINGS:
        raise ValueError(f"Unknown pooling '{search.pooling}'; allowed: {', '.join(POOLINGS)}.")
    trials = trials or DEFAULT_TRIALS.get(search.classifier, 30)
    require_unchanged_recordings(root, search.dataset, search.backbone, "downstream_train", "downstream_val")
    read = lru_cache(maxsize=4)(partial(read_training_data, root, search.dataset, search.backbone))
    metas = read(-1 if search.layer is None else search.layer, search.pooling or "mean").metas
    layers = metas["downstream_train"]["layers"]
    folder = _study_folder(search, search.describe(metas), root, study_number, reuse)
    with _alone(folder):
        study = _open_journal(folder)
        done = len(study.trials)
        if done:
            _note_best(study, folder)  # a kill may have come between the end of a trial and its note
        bar = tqdm(total=max(trials, done), initial=done, desc=folder.name, unit="trial", disable=None)
        for number in range(done, trials):
            run = _run_trial(study, number, search, layers, read, folder, root)
            _note_best(study, folder)
            bar.set_postfix_str(f"EER {run.metrics['eer']:.2%}, best {study.best_value:.2%}")
            bar.update()
        bar.close()
        _save_pictures(study, folder)
        return StudyResult(
            folder, len(study.trials), max(0, trials - done), study.best_trial.number, float(study.best_value)
        )


def _run_trial(
    study: "optuna.Study",
    number: int,
    search: Search,
    layers: Sequence[int],
    read: Callable[[int, str], TrainingData],
    folder: Path,
    root: Path,
) -> Run:
    """Draw, train and record trial `number`."""
    study.sampler = _sampler(search.seed, number)
    trial = study.ask()
    layer = search.layer
    if layer is None:
        layer = _suggest_layer(trial, layers)
    pooling = search.pooling or trial.suggest_categorical("pooling", SEARCHED_POOLINGS)
    config = classifier_class(search.classifier).Config.search_space(trial)
    recipe = Recipe(search.dataset, search.backbone, search.classifier, config, layer, pooling, search.seed)
    run_folder = folder / f"run{number}"
    shutil.rmtree(run_folder, ignore_errors=True)  # of a trial that was killed
    run_folder.mkdir()
    run = train_run(recipe, read(layer, pooling), run_folder, root=root)
    study.tell(trial, run.metrics["eer"])
    write_text(folder / FINISHED_BYTES, str((folder / JOURNAL).stat().st_size))
    return run


def _suggest_layer(trial: "optuna.Trial", layers: Sequence[int]) -> int:
    """Draw one of the layers that the store holds."""
    if len(layers) == 1:
        return layers[0]
    if list(layers) == list(range(layers[0], layers[-1] + 1)):
        return trial.suggest_int("layer", layers[0], layers[-1])
    return int(trial.suggest_categorical("layer", list(layers)))


def _sampler(seed: int, number: int) -> "optuna.samplers.BaseSampler":
    import optuna

    return optuna.samplers.TPESampler(seed=(seed * 1_000_003 + number) % 2**32)


def _study_folder(search: Search, wanted: dict[str, Any], root: Path, study_number: int, reuse: bool) -> Path:
    """Return the folder of the study to go on with, or a new one that says what it searches."""
    if study_number >= 0:
        folder = find_study(root, search.classifier, study_number)
        _check_same_search(folder, wanted)
        return folder
    runs = runs_folder(root)
    if reuse:
        same = [
            note.parent
            for note in sorted(runs.glob(f"{search.classifier}_study*/study.json"))
            if read_json(note) == wanted
        ]
        if same:
            return same[-1]
    folder = new_numbered_folder(runs, f"{search.classifier}_study")
    write_json(folder / "study.json", wanted)
    return folder


def _check_same_search(folder: Path, wanted: dict[str, Any]) -> None:
    if not (folder / "study.json").is_file():
        raise FileNotFoundError(f"{folder} has no study.json, so it cannot be gone on with; start a new study.")
    found = read_json(folder / "study.json")
    for key, value in wanted.items():
        if found.get(key) != value:
            shown = "other embeddings" if key == "data" else f"{key} {found.get(key)}, not {value}"
            raise ValueError(f"{folder.name} searches {shown}: resume it with its own flags, or start a new study.")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the study for this process."""
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise ValueError(
            f"Another process is running {folder.name}; wait for it to end, or start a new study."
        ) from None


def _open_journal(folder: Path) -> "optuna.Study":
    """Open the study's journal, cut back to its finished trials."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    journal = folder / JOURNAL
    (folder / f"{JOURNAL}.lock").unlink(missing_ok=True)  # of a process that was killed; we are alone
    if journal.is_file():
        with journal.open("r+b") as file:
            file.truncate(_finished_bytes(folder))
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(journal)))
    return optuna.create_study(storage=storage, study_name=folder.name, direction="minimize", load_if_exists=True)


def _finished_bytes(folder: Path) -> int:
    """Return how much of the journal belongs to finished trials; none of it before the first has ended."""
    note = folder / FINISHED_BYTES
    text = note.read_text().strip() if note.is_file() else ""
    if text.isdecimal():
        return int(text)
    if text or (folder / "run1").is_dir():  # a second trial begins only when the first is noted
        raise ValueError(f"{note} is damaged, so {folder.name} cannot be gone on with; start a new study.")
    return 0


def _note_best(study: "optuna.Study", folder: Path) -> None:
    best = study.best_trial
    hyperparameters = read_json(folder / f"run{best.number}" / "hyperparameters.json")
    write_json(
        folder / BEST,
        {
            "best_trial_number": best.number,
            "best_validation_eer": study.best_value,
            "best_hyperparameters": hyperparameters,
        },
    )


def _save_pictures(study: "optuna.Study", folder: Path) -> None:
    """Draw the history and, where several values were tried, which hyperparameters mattered."""
    import optuna

    from src.visualize.study import history_figure, importance_figure

    values = [float(trial.value or 0.0) for trial in study.trials]
    save_figure(folder / "optimization_history.png", history_figure(range(len(values)), values))
    if len(set(values)) < 2:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its evaluator is marked experimental
        importances = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
        )
    save_figure(folder / "param_importances.png", importance_figure(list(importances), list(importances.values())))
