"""Words that the tasks share."""

from collections.abc import Iterable

from src.utils.paths import RELEASE, on

__all__ = ["DOWNSTREAM", "RELEASE", "listed", "on"]

DOWNSTREAM = "downstream_train,downstream_val,downstream_test"


def listed(names: Iterable[str]) -> str:
    """Write names as a sentence lists them.

    >>> listed(["mlp", "svm", "lr"])
    'mlp, svm or lr'
    """
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
