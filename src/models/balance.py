"""How much the clips of each class weigh in a training.

- "balanced": both classes weigh the same, however many clips each has: a clip of the smaller class weighs more.
- "none": every clip weighs the same, so that the larger class dominates.

Corpora hold five or ten spoofs for every bona fide clip, and the EER weighs both errors the same: balanced is the
default. A study tries both, because heavy weights on few clips make a classifier follow these clips' accidents.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import optuna

CLASS_WEIGHTS = ("balanced", "none")


def check_class_weight(how: str) -> None:
    """Raise ValueError when there is no such weighting.

    >>> check_class_weight("bona-fide")
    Traceback (most recent call last):
    ValueError: Unknown class_weight 'bona-fide'; allowed: balanced, none.
    """
    if how not in CLASS_WEIGHTS:
        raise ValueError(f"Unknown class_weight '{how}'; allowed: {', '.join(CLASS_WEIGHTS)}.")


def suggest_class_weight(trial: "optuna.Trial") -> str:
    """Let a trial choose the weighting; asked last, so that a trial draws everything else as it did before."""
    return str(trial.suggest_categorical("class_weight", CLASS_WEIGHTS))


def in_sklearn(how: str) -> str | None:
    """Return the weighting as scikit-learn spells it.

    >>> in_sklearn("balanced"), in_sklearn("none")
    ('balanced', None)
    """
    return None if how == "none" else how
