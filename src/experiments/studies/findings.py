"""What a study has found so far: its trials, the best of them, and of which trials the weights are kept.

Trials may be trained on several machines; each keeps this for the run folders that it reaches.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from src.experiments.corpus.held_out_domains import differing_choice
from src.experiments.inputs.contract import OpenInput
from src.experiments.runs.artefacts import BEST, LAYER_PLOT, LOSS_PLOT, METRICS, VAL_SCORES, read_hyperparameters
from src.experiments.runs.names import StudyName, trials_of
from src.experiments.studies.effort import Effort
from src.experiments.studies.search import Search
from src.experiments.studies.workers import Outcome
from src.experiments.training.across_domains import objective
from src.experiments.training.models import model_class
from src.experiments.training.recipe import HOLD_OUT
from src.utils.files import write_json

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class Task:
    """What a study is to do."""

    search: Search
    effort: Effort
    root: Path
    opened: OpenInput
    n_clips: int
    """In training."""


class Findings:
    """The trials that a study has finished, and what its folder keeps of them."""

    def __init__(self, study: "optuna.Study", name: StudyName, task: Task) -> None:
        import optuna

        self.study, self.name, self.root, self.search, self.keep = study, name, task.root, task.search, task.effort.keep
        self.jobs = task.effort.jobs
        self.kind = model_class(task.search.model)
        self.states = optuna.trial.TrialState

    def store(self, outcome: Outcome) -> None:
        """Store the outcome of a trial."""
        trial, metrics = outcome.trial, outcome.metrics
        if metrics is None:
            self.study.tell(trial, state=self.states.FAIL)
            return
        trial.set_user_attr("hyperparameters", outcome.hyperparameters)
        trial.set_user_attr("metrics", metrics)
        if metrics.get("pruned"):
            self.study.tell(trial, state=self.states.PRUNED)
        else:
            self.study.tell(trial, objective(metrics, self.search.hold_out))

    def note(self) -> None:
        """Keep the weights of the best trials alone, and write which one is the best."""
        self.keep_finalists()
        self.note_best()

    def keep_finalists(self) -> None:
        """Remove the weights, and what only a test would need, of all but the best trials; the rest stays."""
        ranking = sorted(self._completed(), key=lambda trial: (trial.value, trial.number))
        pruned = self.study.get_trials(deepcopy=False, states=(self.states.PRUNED,))
        for trial in ranking[self.keep :] + pruned:
            for name in (*self.kind.files, LOSS_PLOT, LAYER_PLOT, VAL_SCORES):
                (self.run_folder(trial.number) / name).unlink(missing_ok=True)

    def note_best(self) -> None:
        """Write the best trial so far, wherever it was trained."""
        if not self._completed():
            return  # all pruned so far: another machine's are under way
        best = self.study.best_trial
        hyperparameters = best.user_attrs.get("hyperparameters")
        write_json(
            self.name.folder(self.root) / BEST,
            {
                "best_trial_number": best.number,
                "best_validation_eer": best.user_attrs.get("metrics", {}).get("eer", best.value),
                **({HOLD_OUT: self.search.hold_out, "best_eer_across": best.value} if self.search.hold_out else {}),
                "dataset": str(self.search.dataset),
                "jobs": self.jobs,
                "best_hyperparameters": hyperparameters or read_hyperparameters(self.run_folder(best.number)),
            },
        )

    def best_eer(self) -> float:
        """Return the lowest validation EER so far."""
        values = [trial.value for trial in self.study.get_trials(deepcopy=False) if trial.value is not None]
        return min(values, default=float("nan"))

    def choice_in_domain(self) -> str:
        """Say which trial validation in domain would have chosen instead of the best; nothing if the same."""
        known = [
            (trial.user_attrs["metrics"]["eer"], trial.number, trial.value or 0.0)
            for trial in self._completed()
            if "metrics" in trial.user_attrs
        ]
        return differing_choice(known, self.search.hold_out, "trial") if self.search.hold_out and known else ""

    def run_folder(self, number: int) -> Path:
        """Return the folder of a trial."""
        return self.name.run(number).folder(self.root)

    def kept_runs(self) -> list[Path]:
        """Return the folders of the finished trials that have their weights."""
        runs = [name.folder(self.root) for name in trials_of(self.name, self.root)]
        finished = [run for run in runs if (run / METRICS).is_file()]
        return [run for run in finished if any((run / name).is_file() for name in self.kind.files)]

    def _completed(self) -> "list[optuna.trial.FrozenTrial]":
        return self.study.get_trials(deepcopy=False, states=(self.states.COMPLETE,))
