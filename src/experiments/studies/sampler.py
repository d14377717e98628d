"""Trials drawn by Optuna's TPE, each from a seed of its own, so that a study can be repeated and resumed.

A sampler with one seed for the whole study would depend on how many trials the process has drawn; one that is seeded by
the trial's number draws the same trial after any interruption.
"""

from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial


class PerTrialSampler(BaseSampler):
    """The TPE sampler, seeded for every trial from the study's seed and the trial's number."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._of_trial = TPESampler(seed=seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Seed the sampler for this trial."""
        self._of_trial = TPESampler(seed=(self.seed * 1_000_003 + trial.number) % 2**32)
        self._of_trial.before_trial(study, trial)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Delegate to the TPE sampler of this trial."""
        return self._of_trial.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Delegate to the TPE sampler of this trial."""
        return self._of_trial.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Delegate to the TPE sampler of this trial."""
        return self._of_trial.sample_independent(study, trial, param_name, param_distribution)
