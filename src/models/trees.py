"""Trees of scikit-learn on disk: skops writes them as data, without pickles, and reads them without running code."""

from pathlib import Path
from typing import Any

from src.models.contract import reading_weights
from src.utils.files import atomic_path

WEIGHTS = "model.skops"


def save_trees(folder: Path, estimator: Any) -> None:
    """Write `model.skops`."""
    import skops.io

    with atomic_path(folder / WEIGHTS) as temporary:
        skops.io.dump(estimator, temporary)


def load_trees(folder: Path, trusted: list[str]) -> Any:
    """Read `model.skops`; `trusted` names the types that it may hold beyond those skops knows.

    Raises
    ------
    FileNotFoundError
        When there is none.
    ValueError
        When it is damaged, or names other types.
    """
    import skops.io

    with reading_weights(folder / WEIGHTS):
        return skops.io.load(folder / WEIGHTS, trusted=trusted)
