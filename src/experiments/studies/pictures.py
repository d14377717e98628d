"""Pictures of a study: its history, and the importance of its hyperparameters."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from src.experiments.corpus.held_out_domains import domains_in_words
from src.experiments.runs.artefacts import save_figure

if TYPE_CHECKING:
    import optuna


def save_pictures(study: "optuna.Study", folder: Path, hold_out: str = "") -> None:
    """Draw the history and, where trials differ in their EER, the importance of the hyperparameters."""
    import optuna

    from src.visualize.study import VALUE, history_figure, importance_figure

    value = f"mean EER across {domains_in_words(hold_out)}" if hold_out else VALUE
    values = {trial.number: trial.value for trial in study.get_trials(deepcopy=False)}
    found = {number: value for number, value in values.items() if value is not None}
    save_figure(folder / "optimization_history.png", history_figure(list(found), list(found.values()), value))
    completed = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len({trial.value for trial in completed}) < 2:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its evaluator is marked experimental
        importances = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
        )
    if importances:
        figure = importance_figure(list(importances), list(importances.values()), value)
        save_figure(folder / "param_importances.png", figure)
