"""Where things lie: default folders hang from the project's root, what a user types from where the user stands."""

import hashlib
import os
from pathlib import Path
from shlex import quote

ROOT = Path(__file__).resolve().parents[2]
RELEASE = ROOT / "datasets" / "release"
"""The corpus of all tasks that are given none."""
OWNER = "corpus.txt"
"""In `embeddings/<corpus>/`: the path of the corpus that it belongs to, from the root where it lies below the root."""


def absolute(typed: str) -> Path:
    """Take a path from the folder in which the user stands; `~` is the user's home.

    Links are not followed: a corpus is called what its user calls it.

    >>> absolute("/data/../corpora/release").as_posix()
    '/corpora/release'
    """
    return Path(os.path.abspath(Path(typed).expanduser()))  # noqa: PTH100


def on(dataset: Path) -> str:
    """Return the flag that names a corpus in a command, with a blank before it; "" for the default corpus.

    >>> on(Path("/data/my corpus"))
    " --dataset='/data/my corpus'"
    """
    return "" if dataset == RELEASE else f" --dataset={quote(str(dataset))}"


def embeddings_folder(root: Path, dataset: Path, backbone: str, split: str = "") -> Path:
    """Return the folder of an embedding store: `<root>/embeddings/<corpus>/<backbone>/<split>`.

    The corpus's folder is called as the corpus is. Where that name belongs to a corpus that lies elsewhere (and is
    still there), a digest of the path is added, so that two corpora of one name never share a store.
    """
    return corpus_folder(root, dataset) / backbone / split


def claim_embeddings(root: Path, dataset: Path) -> None:
    """Note whose embeddings lie in a corpus's folder, for `embeddings_folder`; the first corpus of a name claims it."""
    folder = corpus_folder(root, dataset)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / OWNER).is_file():
        (folder / OWNER).write_text(noted_path(root, dataset), encoding="utf-8", errors="surrogateescape")


def corpus_folder(root: Path, dataset: Path) -> Path:
    """Return the folder of all embeddings of a corpus; see `embeddings_folder`."""
    usual = root / "embeddings" / dataset.name
    owner = _owner(root, usual)
    if owner is not None and owner.is_dir() and owner.resolve() != dataset.resolve():
        digest = hashlib.sha256(os.fsencode(dataset.resolve())).hexdigest()[:8]
        return usual.with_name(f"{dataset.name}-{digest}")
    return usual


def noted_path(root: Path, path: Path) -> str:
    """Return a path as the project notes it: relative to `root` where it lies inside, so that a project can be moved.

    >>> noted_path(Path("/project"), Path("/project/datasets/release"))
    'datasets/release'
    """
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else os.fspath(path)


def _owner(root: Path, folder: Path) -> Path | None:
    note = folder / OWNER
    if not note.is_file():
        return None
    return root / note.read_text(encoding="utf-8", errors="surrogateescape")


def runs_folder(root: Path) -> Path:
    """Return the folder of all runs."""
    return root / "runs"
