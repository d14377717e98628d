"""Where things lie: default folders hang from the project's root, what a user types from where the user stands."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def absolute(typed: str) -> Path:
    """Take a path from the folder in which the user stands; `~` is the user's home.

    Links are not followed: a corpus is called what its user calls it.

    >>> absolute("/data/../corpora/release").as_posix()
    '/corpora/release'
    """
    return Path(os.path.abspath(Path(typed).expanduser()))  # noqa: PTH100


def embeddings_folder(root: Path, dataset: Path, backbone: str, split: str = "") -> Path:
    """Return the folder of an embedding store: `<root>/embeddings/<corpus>/<backbone>/<split>`."""
    return root / "embeddings" / dataset.name / backbone / split


def runs_folder(root: Path) -> Path:
    """Return the folder of all runs."""
    return root / "runs"
