"""One tuner for all classifiers: an Optuna study that can be repeated, killed, resumed and shared.

A study folder `runs/<classifier>_study<k>` holds a run folder for each trial, `study.json` (what is searched),
the journal, `best_hyperparameters.json` and pictures. The objective is the validation EER of the weights that the trial
saved. Weights are kept of the best trials only, hyperparameters and metrics of all.

The first trial takes the classifier's built-in hyperparameters: the search begins at a sensible guess.

Repeatable: the sampler is seeded anew for every trial from the study's seed and the trial's number, so trial m depends
on the trials before it and on nothing else; with several jobs it depends on which of them had ended as well. A training
without hope is stopped: one whose best EER so far is not among the best quarter of the finished ones', at that epoch.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from shlex import quote
from time import monotonic
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from src.experiments.inputs.embeddings import read_training_data, require_unchanged_recordings
from src.experiments.runs.folders import BEST, LOSS_PLOT, METRICS, WEIGHTS, alone, read_hyperparameters
from src.experiments.studies.pictures import save_pictures
from src.experiments.studies.search import Search, StudyPlace, own_place, shared_place
from src.experiments.studies.storage import (
    WORKER,
    give_up_dead_trials,
    is_at_work,
    note_finished,
    this_worker,
)
from src.experiments.studies.workers import Job, Outcome, forget_data, train_all
from src.experiments.training.trainer import Recipe, draw_losses
from src.models import classifier_class
from src.utils.embeddings import POOLINGS
from src.utils.files import write_json

if TYPE_CHECKING:
    import optuna

DEFAULT_TRIALS = {"mlp": 100, "svm": 30, "rf": 30, "lr": 30}
SEARCHED_POOLINGS = ("mean", "mean+std")
MOST_LOST = 3


@dataclass(frozen=True)
class Effort:
    """How much is searched, by how many processes, and what is kept of it."""

    trials: int = 0
    """In all, those of earlier starts included; 0 = 100 for mlp, 30 for the others."""
    jobs: int = 1
    """Processes; 1 = this one."""
    timeout: float = 0.0
    """Seconds after which no trial is begun; 0 = none."""
    keep: int = 5
    """Trials whose weights are kept."""

    def __post_init__(self) -> None:
        for flag, value, least in (("trials", self.trials, 0), ("jobs", self.jobs, 1), ("keep", self.keep, 1)):
            if value < least:
                raise ValueError(f"--{flag} must be {least} or more, not {value}.")
        if not 0 <= self.timeout < float("inf"):
            raise ValueError(f"--timeout must be a number of seconds (0 = none), not {self.timeout:g}.")


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
    search: Search,
    effort: Effort | None = None,
    *,
    root: Path,
    study_number: int = -1,
    storage: str = "",
    reuse: bool = False,
) -> StudyResult:
    """Run a study until it has as many finished trials as asked for.

    Parameters
    ----------
    search : Search
    effort : Effort, optional
    root : Path
        Holds `embeddings/` and `runs/`.
    study_number : int
        The study to go on with; -1 = a new one.
    storage : str
        Database URL or journal file that several machines share; empty = a journal in the study's folder.
    reuse : bool
        Whether a study of exactly this search is gone on with, where there is one.
    """
    effort = effort or Effort()
    classifier_class(search.classifier)  # refuses an unknown name
    if search.pooling and search.pooling not in POOLINGS:
        raise ValueError(f"Unknown pooling '{search.pooling}'; allowed: {', '.join(POOLINGS)}.")
    require_unchanged_recordings(root, search.dataset, search.backbone, "downstream_train", "downstream_val")
    layer, pooling = -1 if search.layer is None else search.layer, search.pooling or "mean"
    metas = read_training_data(root, search.dataset, search.backbone, layer, pooling).metas  # refuses bad input
    wanted = search.describe(metas)
    if storage:
        place = shared_place(search, wanted, root, study_number, storage)
    else:
        place = own_place(search, wanted, root, study_number, reuse)
    forget_data()
    with nullcontext() if storage else alone(place.folder):
        return _Tuner(search, effort, root, place, metas["downstream_train"]).run()


class _Tuner:
    """A study under way in this process."""

    def __init__(self, search: Search, effort: Effort, root: Path, place: StudyPlace, meta: Mapping[str, Any]) -> None:
        import optuna

        from src.experiments.studies.sampler import PerTrialSampler

        self.search, self.effort, self.root, self.folder = search, effort, root, place.folder
        self.layers, self.n_clips = meta["layers"], meta["clips"]
        self.shared, self.n_lost = bool(place.storage), 0
        self.wanted = effort.trials or DEFAULT_TRIALS.get(search.classifier, 30)
        self.deadline = monotonic() + effort.timeout if effort.timeout else float("inf")
        self.states = optuna.trial.TrialState
        self.study = place.open()
        self.study.sampler = PerTrialSampler(search.seed)

    def run(self) -> StudyResult:
        """Train until there are enough trials; a stop by Ctrl-C says how to go on."""
        give_up_dead_trials(self.study, alone=not self.shared)
        if not self.study.get_trials(deepcopy=False):
            self.study.enqueue_trial(asdict(classifier_class(self.search.classifier).Config()))
        done = self.n_finished()
        if done:
            self.keep_finalists()  # a kill may have come between the end of a trial and this
            self.note_best()
        with tqdm(total=max(self.wanted, done), initial=done, desc=self.folder.name, unit="trial", disable=None) as bar:
            try:
                for outcome in train_all(self.ask, self.effort.jobs):
                    self.tell(outcome)
                    if outcome.metrics:
                        bar.set_postfix_str(f"EER {outcome.metrics['eer']:.2%}, best {self.best_eer():.2%}")
                        bar.update()
            except KeyboardInterrupt:
                raise KeyboardInterrupt(self.how_to_go_on("stopped")) from None
        return self.result(done)

    def ask(self) -> Job | None:
        """Draw the next trial, or none when enough are finished or under way, or the time is up."""
        if monotonic() > self.deadline or self.n_counted() >= self.wanted:
            return None
        trial = self.study.ask()
        trial.set_user_attr(WORKER, this_worker())
        if self.n_counted(below=trial.number) >= self.wanted:  # another machine asked at the same time
            self.study.tell(trial, state=self.states.FAIL)
            return None
        search = self.search
        layer = _suggest_layer(trial, self.layers) if search.layer is None else search.layer
        pooling = search.pooling or trial.suggest_categorical("pooling", SEARCHED_POOLINGS)
        try:
            config = classifier_class(search.classifier).Config.search_space(trial, self.n_clips)
        except ValueError as error:  # Optuna's, of values that it saw others of
            raise ValueError(
                f"{self.folder.name} searches as another version did ({error}): start a new one."
            ) from None
        recipe = Recipe(search.dataset, search.backbone, search.classifier, config, layer, pooling, search.seed)
        return Job(trial, recipe, self.folder / f"run{trial.number}", self.root)

    def tell(self, outcome: Outcome) -> None:
        """Write down what came of a trial."""
        trial, metrics = outcome.trial, outcome.metrics
        if metrics is None:
            self.study.tell(trial, state=self.states.FAIL)
            self.require_hope()
        else:
            trial.set_user_attr("hyperparameters", outcome.hyperparameters)
            trial.set_user_attr("metrics", metrics)
            if metrics.get("pruned"):
                self.study.tell(trial, state=self.states.PRUNED)
            else:
                self.study.tell(trial, metrics["eer"])
        if not self.shared:
            note_finished(self.folder)
        if metrics is not None:
            self.keep_finalists()
            self.note_best()

    def keep_finalists(self) -> None:
        """Remove what the trials that are not among the best learned; their hyperparameters and metrics stay."""
        completed = self.study.get_trials(deepcopy=False, states=(self.states.COMPLETE,))
        ranking = sorted(completed, key=lambda trial: (trial.value, trial.number))
        pruned = self.study.get_trials(deepcopy=False, states=(self.states.PRUNED,))
        for trial in ranking[self.effort.keep :] + pruned:
            for name in (*WEIGHTS, LOSS_PLOT):
                (self.folder / f"run{trial.number}" / name).unlink(missing_ok=True)

    def note_best(self) -> None:
        """Write the best trial so far, wherever it was trained."""
        if not self.study.get_trials(deepcopy=False, states=(self.states.COMPLETE,)):
            return  # all pruned so far: another machine's are under way
        best = self.study.best_trial
        hyperparameters = best.user_attrs.get("hyperparameters")
        write_json(
            self.folder / BEST,
            {
                "best_trial_number": best.number,
                "best_validation_eer": best.value,
                "best_hyperparameters": hyperparameters or read_hyperparameters(self.folder / f"run{best.number}"),
            },
        )

    def best_eer(self) -> float:
        """Return the lowest validation EER so far."""
        values = [trial.value for trial in self.study.get_trials(deepcopy=False) if trial.value is not None]
        return min(values, default=float("nan"))

    def n_finished(self) -> int:
        """Return how many trials were trained, to the end or until they were without hope."""
        return len(self.study.get_trials(deepcopy=False, states=(self.states.COMPLETE, self.states.PRUNED)))

    def n_counted(self, below: float = float("inf")) -> int:
        """Return how many trials are finished or under way on this machine, of those with a number below."""
        return sum(
            trial.state in (self.states.COMPLETE, self.states.PRUNED)
            or (trial.state == self.states.RUNNING and is_at_work(trial.user_attrs.get(WORKER, "")))
            for trial in self.study.get_trials(deepcopy=False)
            if trial.number < below
        )

    def result(self, n_before: int) -> StudyResult:
        """Draw the pictures and say what was found."""
        if not self.study.get_trials(deepcopy=False, states=(self.states.COMPLETE,)):
            raise ValueError(self.how_to_go_on("the time was up"))
        save_pictures(self.study, self.folder)
        for run in self.folder.glob("run*"):
            if any((run / name).is_file() for name in WEIGHTS) and (run / METRICS).is_file():
                draw_losses(run)
        best, n_now = self.study.best_trial, self.n_finished()
        return StudyResult(self.folder, n_now, n_now - n_before, best.number, float(best.value or 0.0))

    def how_to_go_on(self, what: str) -> str:
        """Return the line for a study that ends before its time."""
        search, number, n_done = self.search, self.folder.name.rpartition("study")[2], self.n_finished()
        when = f"after {n_done} of {self.wanted} trials, which are kept" if n_done else "before a trial was finished"
        return (
            f"{what} {when}; go on with the same flags and fab OptimizeHyperparameters "
            f"--dataset={quote(str(search.dataset))} --backbone={search.backbone} --classifier={search.classifier} "
            f"--study-number={number}."
        )

    def require_hope(self) -> None:
        """Raise ValueError when trial after trial takes its process along."""
        self.n_lost += 1
        if self.n_lost == MOST_LOST:
            raise ValueError(
                f"The processes of {MOST_LOST} trials were killed again and again, as the system does when memory is "
                f"used up; fewer --jobs= need less. {self.how_to_go_on('Stopped')}"
            )


def _suggest_layer(trial: "optuna.Trial", layers: Sequence[int]) -> int:
    """Draw one of the layers that the store holds."""
    if len(layers) == 1:
        return layers[0]
    if list(layers) == list(range(layers[0], layers[-1] + 1)):
        return trial.suggest_int("layer", layers[0], layers[-1])
    return int(trial.suggest_categorical("layer", list(layers)))
