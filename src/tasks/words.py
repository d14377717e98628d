"""Words that the tasks share."""

from collections.abc import Iterable
from pathlib import Path

from src.utils.paths import RELEASE, absolute, on

__all__ = ["DOWNSTREAM", "FOLDERS_HELP", "RELEASE", "folders", "listed", "on"]

DOWNSTREAM = "downstream_train,downstream_val,downstream_test"
FOLDERS_HELP = {
    "noise_folder": "folder of recordings of noise, such as that of MUSAN, for recipes and effects that mix in some",
    "rooms_folder": "folder of responses of rooms, for recipes and effects that use some",
}


def listed(names: Iterable[str]) -> str:
    """Write names as a sentence lists them.

    >>> listed(["mlp", "svm", "lr"])
    'mlp, svm or lr'
    """
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def folders(typed: str) -> list[Path]:
    """Return the folders that were typed with commas between them, each as `absolute` does.

    >>> [folder.name for folder in folders("a, b/")]
    ['a', 'b']
    """
    return [absolute(name.strip()) for name in typed.split(",") if name.strip()]
