"""Pictures of a study: its history, the importance of its hyperparameters, and the curves of the trials that are kept.

They are drawn when the trials have ended, by the processes that trained them. What a killed study has not drawn, its
next start draws; a picture that is younger than all that it shows stays.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.experiments.corpus.held_out_domains import domains_in_words
from src.experiments.runs.artefacts import LAYER_PLOT, LAYER_WEIGHTS, LOSS_PLOT, read_array, save_figure
from src.experiments.studies.workers import Workers
from src.experiments.training.trainer import CURVES, draw_losses

if TYPE_CHECKING:
    import optuna

HISTORY, IMPORTANCES = "optimization_history.png", "param_importances.png"


def draw_pictures(
    study: "optuna.Study", folder: Path, kept: Sequence[Path], workers: Workers, hold_out: str = ""
) -> None:
    """Draw what is missing or older than what it shows.

    Parameters
    ----------
    study : optuna.Study
    folder : Path
        Of the study.
    kept : sequence of Path
        Folders of the trials that kept their weights.
    workers : Workers
    hold_out : str
        See `Search`.
    """
    value = f"mean EER across {domains_in_words(hold_out)}" if hold_out else ""
    wanted: list[tuple[Any, ...]] = []
    if not _shows_all(folder / HISTORY, study):
        wanted.append((draw_study, study, folder, value))
    wanted += [(draw_losses, run) for run in kept if _lacks_curves(run)]
    workers.call_all(wanted)


def draw_study(study: "optuna.Study", folder: Path, value: str) -> None:
    """Draw both pictures of a study; its history comes last, and says that the other one is there."""
    draw_importances(study, folder / IMPORTANCES, value)
    draw_history(study, folder / HISTORY, value)


def draw_history(study: "optuna.Study", path: Path, value: str) -> None:
    """Draw the value of every trial, and the best by then."""
    from src.visualize.study import VALUE, history_figure

    values = {trial.number: trial.value for trial in study.get_trials(deepcopy=False)}
    found = {number: value for number, value in values.items() if value is not None}
    save_figure(path, history_figure(list(found), list(found.values()), value or VALUE))


def draw_importances(study: "optuna.Study", path: Path, value: str) -> None:
    """Draw the importance of the hyperparameters, where trials differ in their EER."""
    import optuna

    from src.visualize.study import VALUE, importance_figure

    completed = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len({trial.value for trial in completed}) < 2:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its evaluator is marked experimental
        importances = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
        )
    if importances:
        save_figure(path, importance_figure(list(importances), list(importances.values()), value or VALUE))


def _shows_all(history: Path, study: "optuna.Study") -> bool:
    """Tell whether the history was drawn after the last trial had ended."""
    ends = [trial.datetime_complete for trial in study.get_trials(deepcopy=False) if trial.datetime_complete]
    return history.is_file() and all(end.timestamp() <= history.stat().st_mtime for end in ends)


def _lacks_curves(run: Path) -> bool:
    """Tell whether a run has curves, or a mix of layers, without a picture of them."""
    curves = [run / f"{name}.npy" for name in CURVES]
    shown = {LOSS_PLOT: curves} if len(read_array(curves[0])) > 1 else {}
    if (run / LAYER_WEIGHTS).is_file():
        shown[LAYER_PLOT] = [run / LAYER_WEIGHTS]
    return not all(_is_current(run / picture, sources) for picture, sources in shown.items())


def _is_current(picture: Path, sources: Sequence[Path]) -> bool:
    """Tell whether a picture is there and no older than what it shows."""
    return picture.is_file() and all(source.stat().st_mtime <= picture.stat().st_mtime for source in sources)
