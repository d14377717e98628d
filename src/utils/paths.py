"""Where things lie: default folders hang from the project's root, what a user types from where the user stands.

`ROOT / typed` does both: an absolute path on the right of `/` wins, and `Folder` makes whatever a user typed absolute.
"""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Folder(str):
    """A flag that holds a path. Typed by a user it becomes absolute; made by `default` it stays relative to ROOT.

    >>> str(Folder.default("datasets/release"))
    'datasets/release'
    >>> os.path.isabs(Folder("here"))
    True
    """

    __slots__ = ()

    def __new__(cls, typed: str) -> "Folder":
        """Take a path from the folder in which the user stands; nothing typed stays nothing."""
        # not resolve(): it follows links, and a corpus is called what its user calls it
        return super().__new__(cls, os.path.abspath(Path(typed).expanduser()) if typed else "")  # noqa: PTH100

    @classmethod
    def default(cls, relative: str) -> "Folder":
        """Take a path from the project's root."""
        return str.__new__(cls, relative)


def embeddings_folder(root: Path, dataset: Path, backbone: str, split: str = "") -> Path:
    """Return the folder of an embedding store: `<root>/embeddings/<corpus>/<backbone>/<split>`."""
    return root / "embeddings" / dataset.name / backbone / split


def runs_folder(root: Path) -> Path:
    """Return the folder of all runs."""
    return root / "runs"
