"""Prunes a training by the trials before it whose outcomes it may know, so that a study of several jobs repeats itself.

While trial m is trained by one of several processes, others store theirs: which of them are there by now depends on the
clock. Only those that were there when trial m was drawn count: the trials up to m - jobs (`workers.py`).
"""

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.pruners import PercentilePruner
from optuna.trial import FrozenTrial


class EarlierTrialsPruner(PercentilePruner):
    """Optuna's percentile pruner, which compares trial m with those up to m - jobs.

    Parameters
    ----------
    jobs : int
        How many trials are trained at the same time.
    best_percent : float
        A training is pruned unless its best value so far is among this best share of the others', at that epoch.
    n_startup_trials : int
        How many trials end before any is pruned.
    """

    def __init__(self, jobs: int, best_percent: float, *, n_startup_trials: int) -> None:
        super().__init__(best_percent, n_startup_trials=n_startup_trials)
        self.jobs = jobs

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Tell whether a training is to be stopped."""
        return super().prune(_UpTo(study, trial.number - self.jobs), trial)  # type: ignore[arg-type]


class _UpTo:
    """A study as it was when only its trials up to a number had ended."""

    def __init__(self, study: optuna.Study, number: int) -> None:
        self._study, self._number = study, number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def get_trials(self, **which: Any) -> Sequence[FrozenTrial]:
        return [trial for trial in self._study.get_trials(**which) if trial.number <= self._number]
