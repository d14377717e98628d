"""One tuner for all classifiers: an Optuna study that can be repeated, killed, resumed and shared.

A study folder `runs/<classifier>_study<k>` holds a run folder for each trial, `study.json` (what is searched),
the journal, `best_hyperparameters.json` and pictures. The objective is the validation EER of the weights that the trial
saved. Weights are kept of the best trials only, hyperparameters and metrics of all.

The first trial takes the classifier's default hyperparameters, a sensible start for the search.

Repeatable: the sampler is seeded for every trial from the study's seed and the trial's number, so trial m depends
on the trials before it and on nothing else; with several jobs it depends on which of them had ended as well. A training
is pruned when its best EER so far is not among the best quarter of the finished trials', at that epoch.
"""

from contextlib import nullcontext
from pathlib import Path
from time import monotonic

from tqdm import tqdm

from src.experiments.corpus.held_out_domains import differing_choice
from src.experiments.inputs.contract import TRAIN, VAL, OpenInput, read_training_data
from src.experiments.runs.artefacts import BEST, LAYER_PLOT, LOSS_PLOT, METRICS, VAL_SCORES, read_hyperparameters
from src.experiments.runs.commands import how_to_resume
from src.experiments.runs.folders import alone
from src.experiments.runs.names import trials_of
from src.experiments.studies.effort import Effort, StudyResult
from src.experiments.studies.pictures import save_pictures
from src.experiments.studies.search import Search, StudyPlace, UnfitError, Wish, find_place
from src.experiments.studies.storage import (
    WORKER,
    give_up_dead_trials,
    is_at_work,
    note_finished,
    this_worker,
)
from src.experiments.studies.workers import Job, Outcome, forget_data, train_all
from src.experiments.training.across_domains import leave_out_domains, objective, tell
from src.experiments.training.models import model_class
from src.experiments.training.recipe import HOLD_OUT, Recipe
from src.experiments.training.trainer import draw_losses
from src.utils.files import write_json

MOST_LOST = 3
NEW_STUDY = Wish()


def optimize_hyperparameters(
    search: Search,
    effort: Effort | None = None,
    *,
    root: Path,
    wish: Wish = NEW_STUDY,
) -> StudyResult:
    """Run a study until it has as many finished trials as asked for.

    Parameters
    ----------
    search : Search
    effort : Effort, optional
    root : Path
        Holds `embeddings/` and `runs/`.
    wish : Wish
        Which study to resume, and where its trials are kept.
    """
    model_class(search.model, takes=search.input.kind)  # refuses an unknown name
    search.first()  # refuses what cannot be fixed
    opened = search.input.for_model(search.model).open(search.dataset, root)
    opened.check(TRAIN, VAL)
    data = read_training_data(opened)  # refuses bad input
    if search.hold_out:
        tell(leave_out_domains(search.dataset, data, search.hold_out))
    place = find_place(search, search.describe(opened), root, wish)
    forget_data()
    with nullcontext() if place.storage else alone(place.folder):
        return _Tuner(search, effort or Effort(), root, place, opened, len(data.train)).run()


class _Tuner:
    """A study under way in this process."""

    def __init__(
        self, search: Search, effort: Effort, root: Path, place: StudyPlace, opened: OpenInput, n_clips: int
    ) -> None:
        import optuna

        from src.experiments.studies.sampler import PerTrialSampler

        self.search, self.effort, self.root, self.name, self.folder = search, effort, root, place.study, place.folder
        self.opened, self.n_clips = opened, n_clips
        self.shared, self.n_lost = place.storage is not None, 0
        self.kind = model_class(search.model)
        self.wanted = effort.trials or self.kind.Config.trials
        self.deadline = monotonic() + effort.timeout if effort.timeout else float("inf")
        self.states = optuna.trial.TrialState
        self.study = place.open()
        self.study.sampler = PerTrialSampler(search.seed)

    def run(self) -> StudyResult:
        """Train until there are enough trials; a stop by Ctrl-C says how to resume."""
        give_up_dead_trials(self.study, alone=not self.shared)
        if not self.study.get_trials(deepcopy=False):
            self.study.enqueue_trial(self.search.first())
        done = self.n_finished()
        if done:
            self.keep_finalists()  # a kill may have come between the end of a trial and this
            self.note_best()
        with tqdm(total=max(self.wanted, done), initial=done, desc=self.folder.name, unit="trial", disable=None) as bar:
            try:
                for outcome in train_all(self.ask, self.effort.jobs):
                    self.tell(outcome)
                    if outcome.metrics:
                        eer = objective(outcome.metrics, self.search.hold_out)
                        bar.set_postfix_str(f"EER {eer:.2%}, best {self.best_eer():.2%}")
                        bar.update()
            except KeyboardInterrupt:
                raise KeyboardInterrupt(self.how_to_resume("stopped")) from None
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
        search, chosen = self.search, self.opened.suggest(trial)
        try:
            config = search.draw(trial, self.n_clips)
        except UnfitError:
            raise
        except ValueError as error:  # Optuna's, of a parameter whose choices have changed
            raise ValueError(
                f"{self.folder.name} has the search space of another version ({error}): start a new study."
            ) from None
        recipe = Recipe(search.dataset, chosen, search.model, config, search.seed, search.hold_out)
        return Job(trial, recipe, self.run_folder(trial.number), self.root)

    def tell(self, outcome: Outcome) -> None:
        """Store the outcome of a trial."""
        trial, metrics = outcome.trial, outcome.metrics
        if metrics is None:
            self.study.tell(trial, state=self.states.FAIL)
            self.count_lost()
        else:
            trial.set_user_attr("hyperparameters", outcome.hyperparameters)
            trial.set_user_attr("metrics", metrics)
            if metrics.get("pruned"):
                self.study.tell(trial, state=self.states.PRUNED)
            else:
                self.study.tell(trial, objective(metrics, self.search.hold_out))
        if not self.shared:
            note_finished(self.folder)
        if metrics is not None:
            self.keep_finalists()
            self.note_best()

    def keep_finalists(self) -> None:
        """Remove the weights, and what only a test would need, of all but the best trials; the rest stays."""
        completed = self.study.get_trials(deepcopy=False, states=(self.states.COMPLETE,))
        ranking = sorted(completed, key=lambda trial: (trial.value, trial.number))
        pruned = self.study.get_trials(deepcopy=False, states=(self.states.PRUNED,))
        for trial in ranking[self.effort.keep :] + pruned:
            for name in (*self.kind.files, LOSS_PLOT, LAYER_PLOT, VAL_SCORES):
                (self.run_folder(trial.number) / name).unlink(missing_ok=True)

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
                "best_validation_eer": best.user_attrs.get("metrics", {}).get("eer", best.value),
                **({HOLD_OUT: self.search.hold_out, "best_eer_across": best.value} if self.search.hold_out else {}),
                "dataset": str(self.search.dataset),
                "best_hyperparameters": hyperparameters or read_hyperparameters(self.run_folder(best.number)),
            },
        )

    def best_eer(self) -> float:
        """Return the lowest validation EER so far."""
        values = [trial.value for trial in self.study.get_trials(deepcopy=False) if trial.value is not None]
        return min(values, default=float("nan"))

    def choice_in_domain(self) -> str:
        """Say which trial validation in domain would have chosen instead of the best; nothing if the same."""
        completed = self.study.get_trials(deepcopy=False, states=(self.states.COMPLETE,))
        known = [
            (trial.user_attrs["metrics"]["eer"], trial.number, trial.value or 0.0)
            for trial in completed
            if "metrics" in trial.user_attrs
        ]
        return differing_choice(known, self.search.hold_out, "trial") if self.search.hold_out and known else ""

    def n_finished(self) -> int:
        """Return how many trials were trained, to the end or until they were pruned."""
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
            raise ValueError(self.how_to_resume("the time was up"))
        save_pictures(self.study, self.folder, self.search.hold_out)
        for run in (name.folder(self.root) for name in trials_of(self.name, self.root)):
            if any((run / name).is_file() for name in self.kind.files) and (run / METRICS).is_file():
                draw_losses(run)
        best, n_now = self.study.best_trial, self.n_finished()
        counts = (n_now, n_now - n_before, best.number, float(best.value or 0.0))
        return StudyResult(self.folder, *counts, self.search.hold_out, self.choice_in_domain())

    def how_to_resume(self, what: str) -> str:
        """Return the line for a study that ends early: why, after how many trials, and the command that resumes it."""
        n_done = self.n_finished()
        when = f"after {n_done} of {self.wanted} trials, which are kept" if n_done else "before a trial was finished"
        eaten = self.search.input
        command = how_to_resume(self.name, str(self.search.dataset), {"input": eaten.kind, **eaten.as_json()})
        return f"{what} {when}; resume it with the same flags and {command}."

    def run_folder(self, number: int) -> Path:
        """Return the folder of a trial."""
        return self.name.run(number).folder(self.root)

    def count_lost(self) -> None:
        """Count a trial whose processes all died; raise ValueError after a few of them."""
        self.n_lost += 1
        if self.n_lost == MOST_LOST:
            raise ValueError(
                f"The processes of {MOST_LOST} trials were killed repeatedly, possibly out of memory; use fewer "
                f"`jobs`. {self.how_to_resume('Stopped')}"
            )
