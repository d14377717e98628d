"""Words that the tasks share."""

from collections.abc import Iterable
from pathlib import Path
from shlex import quote

from src.utils.paths import ROOT

RELEASE = ROOT / "datasets" / "release"
DOWNSTREAM = "downstream_train,downstream_val,downstream_test"


def listed(names: Iterable[str]) -> str:
    """Write names as a sentence lists them.

    >>> listed(["mlp", "svm", "lr"])
    'mlp, svm or lr'
    """
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def on(dataset: Path) -> str:
    """Return the flag that names a corpus, where it is not the default one."""
    return "" if dataset == RELEASE else f" --dataset={quote(str(dataset))}"
