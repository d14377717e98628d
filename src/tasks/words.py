"""Words that the tasks share."""

from pathlib import Path
from shlex import quote

from src.utils.paths import ROOT

RELEASE = ROOT / "datasets" / "release"
DOWNSTREAM = "downstream_train,downstream_val,downstream_test"


def on(dataset: Path) -> str:
    """Return the flag that names a corpus, where it is not the default one."""
    return "" if dataset == RELEASE else f" --dataset={quote(str(dataset))}"
