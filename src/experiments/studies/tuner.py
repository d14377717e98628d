"""One tuner for all classifiers: an Optuna study that can be repeated, killed, resumed and shared.

A study folder `runs/<classifier>_study<k>` holds a run folder for each trial, `study.json` (what is searched),
the journal, `best_hyperparameters.json` and pictures. The objective is the validation EER of the weights that the trial
saved. Weights are kept of the best trials only, hyperparameters and metrics of all.

The first trial takes the classifier's default hyperparameters, a sensible start for the search.

Repeatable: the sampler is seeded for every trial from the study's seed and the trial's number, so trial m depends
on the trials before it and on nothing else; with several jobs on the outcomes up to m - jobs (`workers.py`) and on what
was drawn since. The same seed and the same number of jobs give the same study, killed or not; one of several jobs that
ended and is then extended goes on from all that it knows. A training is pruned when its best EER so far is not among
the best quarter of these trials', at that epoch. Of a study that machines share, outcomes are stored as they come.
"""

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from src.experiments.inputs.contract import TRAIN, VAL, read_training_data
from src.experiments.runs.commands import how_to_resume
from src.experiments.runs.folders import alone
from src.experiments.studies.effort import Effort, StudyResult
from src.experiments.studies.findings import Findings, Task
from src.experiments.studies.jobs import choose_jobs, jobs_before
from src.experiments.studies.pictures import draw_pictures
from src.experiments.studies.places import Places
from src.experiments.studies.search import Search, StudyPlace, UnfitError, Wish, find_place
from src.experiments.studies.storage import note_finished, open_shared, told_failures
from src.experiments.studies.workers import Job, Outcome, Workers, forget_data, train_all
from src.experiments.training.across_domains import leave_out_domains, objective, tell
from src.experiments.training.models import model_class
from src.experiments.training.recipe import Recipe

if TYPE_CHECKING:
    import optuna

MOST_LOST = 3
WAIT_SECONDS = 2.0
"""How often a process without a trial looks whether those of others are finished."""
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
    with tuner_of(search, effort or Effort(), root=root, wish=wish) as tuner:
        done = tuner.begin()
        tuner.work(done)
        return tuner.result(done)


@contextmanager
def tuner_of(search: Search, effort: Effort, *, root: Path, wish: Wish, name: str = "") -> Iterator["Tuner"]:
    """Open the study of a search, as `wish` says, for this process; its unfinished trials fail in the end.

    Parameters
    ----------
    search, effort, root, wish
        See `optimize_hyperparameters`.
    name : str
        Of this process as an engine's worker; "" elsewhere.
    """
    kind = model_class(search.model, takes=search.input.kind)  # refuses an unknown name
    search.first()  # refuses what cannot be fixed
    opened = search.input.for_model(search.model).open(search.dataset, root)
    opened.check(TRAIN, VAL)
    data = read_training_data(opened)  # refuses bad input
    if search.hold_out:
        tell(leave_out_domains(search.dataset, data, search.hold_out))
    place = find_place(search, search.describe(opened), root, wish)
    before = 1 if place.storage else jobs_before(place.folder)
    jobs = effort.jobs or before or choose_jobs(kind, data, effort.trials or kind.Config.trials)
    task = Task(search, replace(effort, jobs=jobs), root, opened, len(data.train))
    del data  # trials read their own
    forget_data()
    with told_failures(place.storage, place.study.number) if place.storage else alone(place.folder):
        tuner = Tuner(task, place, name)
        try:
            yield tuner
        finally:
            tuner.workers.end()
            tuner.places.close()


class Tuner:
    """A study under way in this process."""

    def __init__(self, task: Task, place: StudyPlace, name: str = "") -> None:
        import optuna

        from src.experiments.studies.sampler import PerTrialSampler

        self.search, self.effort, self.root, self.opened = task.search, task.effort, task.root, task.opened
        self.n_clips, self.place, self.name, self.folder = task.n_clips, place, place.study, place.folder
        self.shared, self.n_lost = place.storage is not None, 0
        self.kind = model_class(self.search.model)
        self.wanted = self.effort.trials or self.kind.Config.trials
        self.deadline = monotonic() + self.effort.timeout if self.effort.timeout else float("inf")
        self.workers = Workers(self.effort.jobs)
        self.states = optuna.trial.TrialState
        self.study = place.open(self.effort.jobs)
        self.study.sampler = PerTrialSampler(self.search.seed)
        self.findings = Findings(self.study, self.name, task)
        self.places = Places(self.study, self.wanted, shared=self.shared, name=name)

    def begin(self) -> int:
        """Put in order what a killed process may have left; return how many trials are finished."""
        self.places.begin()
        if not self.study.get_trials(deepcopy=False):
            self.study.enqueue_trial(self.search.first())
        done = self.places.n_finished()
        if done:
            self.findings.note()  # a kill may have come between the end of a trial and this
        return done

    def work(self, done: int) -> None:
        """Train until there are enough trials, of which some are done; a stop by Ctrl-C says how to resume."""
        with self.bar(done) as bar:
            try:
                for outcome in train_all(lambda: self.ask(bar), self.workers, in_order=not self.shared):
                    self.tell(outcome)
                    if outcome.metrics:
                        eer = objective(outcome.metrics, self.search.hold_out)
                        self.show(bar, f"EER {eer:.2%}, best {self.findings.best_eer():.2%}")
            except KeyboardInterrupt:
                raise KeyboardInterrupt(self.how_to_resume("stopped")) from None

    def bar(self, done: int) -> "tqdm[Any]":
        """Return a bar of the finished trials, wherever they are trained."""
        total = max(self.wanted, done)
        return tqdm(total=total, initial=done, desc=self.folder.name, unit="trial", disable=None)

    def show(self, bar: "tqdm[Any]", what: str) -> None:
        """Show how many trials are finished by now."""
        bar.set_postfix_str(what, refresh=False)
        bar.update(self.places.n_finished() - bar.n)
        bar.refresh()

    def ask(self, bar: "tqdm[Any]") -> Job | None:
        """Draw the next trial; none when enough are finished, all others are under way here, or the time is up.

        Where others are under way elsewhere, and none here, wait: one may be lost, and another take its place.
        """
        while True:
            if monotonic() > self.deadline:
                return None
            trial = self.places.take()
            if trial:
                return self.job_of(trial)
            if not self.shared or self.places.own or self.places.n_finished() >= self.wanted:
                return None
            self.show(bar, f"waiting for {self.places.n_under_way()} under way elsewhere")
            sleep(WAIT_SECONDS)
            self.places.free_lost()

    def job_of(self, trial: "optuna.Trial") -> Job:
        """Let a trial choose what is searched."""
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
        return Job(trial, recipe, self.findings.run_folder(trial.number), self.root)

    def tell(self, outcome: Outcome) -> None:
        """Store the outcome of a trial; nothing where another process has taken this one for dead in the meantime."""
        from optuna.exceptions import UpdateFinishedTrialError

        number = outcome.trial.number
        try:
            self.findings.store(outcome)
        except (UpdateFinishedTrialError, ValueError):
            if not (self.shared and self.places.has_lost(number)):
                raise
            warnings.warn(
                f"Trial {number} was given up by another machine, to which this one was silent.", stacklevel=2
            )
            return
        finally:
            self.places.own.pop(number, None)
        if outcome.metrics is None:
            self.count_lost()
        if not self.shared:
            note_finished(self.folder)
        if outcome.metrics is not None:
            self.findings.note()

    def forget(self) -> None:
        """Remove the study where no trial of it has been started."""
        import optuna

        if all(trial.state == self.states.WAITING for trial in self.study.get_trials(deepcopy=False)):
            if self.place.storage and self.place.name:
                optuna.delete_study(study_name=self.place.name, storage=open_shared(self.place.storage))
            shutil.rmtree(self.folder)

    def result(self, n_before: int) -> StudyResult:
        """Draw the pictures and say what was found."""
        if not self.study.get_trials(deepcopy=False, states=(self.states.COMPLETE,)):
            raise ValueError(self.how_to_resume("the time was up"))
        draw_pictures(self.study, self.folder, self.findings.kept_runs(), self.workers, self.search.hold_out)
        best, n_now = self.study.best_trial, self.places.n_finished()
        counts = (n_now, n_now - n_before, best.number, float(best.value or 0.0))
        left_out = self.search.hold_out, self.findings.choice_in_domain()
        return StudyResult(self.folder, *counts, self.effort.jobs, *left_out)

    def how_to_resume(self, what: str) -> str:
        """Return the line for a study that ends early: why, after how many trials, and the command that resumes it."""
        n_done = self.places.n_finished()
        when = f"after {n_done} of {self.wanted} trials, which are kept" if n_done else "before a trial was finished"
        eaten = self.search.input
        command = how_to_resume(self.name, str(self.search.dataset), {"input": eaten.kind, **eaten.as_json()})
        return f"{what} {when}; resume it with the same flags and {command}."

    def count_lost(self) -> None:
        """Count a trial whose processes all died; raise ValueError after a few of them."""
        self.n_lost += 1
        if self.n_lost == MOST_LOST:
            raise ValueError(
                f"The processes of {MOST_LOST} trials were killed repeatedly, possibly out of memory; use fewer "
                f"`jobs`. {self.how_to_resume('Stopped')}"
            )
