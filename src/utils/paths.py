"""Where files are: default folders are relative to the project's root, typed paths to the current folder."""

import hashlib
import os
import re
from pathlib import Path, PurePosixPath
from shlex import quote

ROOT = Path(__file__).resolve().parents[2]
RELEASE = ROOT / "datasets" / "release"
"""The corpus of all tasks that are given none."""
COPIES, ENGINES = "copies", "engines"
"""Folders beside those of backbones, in the embeddings of a corpus: augmented recordings, and notes of engines."""
OWNER = "corpus.txt"
"""File in `embeddings/<corpus>/` with the path of its corpus, relative to the root if it lies below it."""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def absolute(typed: str) -> Path:
    """Make a typed path absolute, relative to the current folder; `~` is the user's home.

    Links are not followed, so a corpus keeps the name that the user gave it.

    >>> absolute("/data/../corpora/release").as_posix()
    '/corpora/release'
    """
    return Path(os.path.abspath(Path(typed).expanduser()))  # noqa: PTH100


def legible(name: str) -> str:
    r"""Return a name as text that any screen and JSON can hold, and that steers no terminal.

    Bytes that are not UTF-8, line ends, escape sequences and other control characters are written as numbers.

    >>> legible("caf\udce9\n\x1b[31m.wav")
    'caf\\xe9\\x0a\\x1b[31m.wav'
    """
    return CONTROL.sub(_number, name)


def as_flac(file: str) -> str:
    """Return the name of a clip in a derived corpus, whose recordings are all FLAC.

    >>> as_flac("real_voices/Ana_F001/1.wav")
    'real_voices/Ana_F001/1.flac'
    """
    return str(PurePosixPath(file).with_suffix(".flac"))


def on(dataset: Path) -> str:
    """Return the flag that names a corpus in a command, with a blank before it; "" for the default corpus.

    >>> on(Path("/data/my corpus"))
    " --dataset='/data/my corpus'"
    """
    return "" if dataset == RELEASE else f" --dataset={quote(str(dataset))}"


def embeddings_folder(root: Path, dataset: Path, backbone: str, split: str = "") -> Path:
    """Return the folder of an embedding store: `<root>/embeddings/<corpus>/<backbone>/<split>`.

    `<corpus>` is the name of the corpus folder. If that name was claimed by another corpus that still exists, a digest
    of the path is added, so that two corpora of one name never share a store.
    """
    return corpus_folder(root, dataset) / backbone / split


def split_of_copies(split: str, augment: str, number: int) -> str:
    """Return the name of the store of augmented copies of a split, beside that of the split itself.

    >>> split_of_copies("downstream_train", "field", 1)
    'downstream_train-field-1'
    """
    return f"{split}-{augment}-{number}"


def copies_folder(root: Path, dataset: Path, split: str, augment: str, number: int) -> Path:
    """Return the folder of the recordings of augmented copies that embeddings of a corpus were computed from."""
    return corpus_folder(root, dataset) / COPIES / split_of_copies(split, augment, number)


def claim_embeddings(root: Path, dataset: Path) -> None:
    """Record which corpus an embeddings folder belongs to; the first corpus of a name claims that name."""
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
    """Return a path as the project records it: relative to `root` if it lies inside, so that a project can be moved.

    >>> noted_path(Path("/project"), Path("/project/datasets/release"))
    'datasets/release'
    """
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else os.fspath(path)


def _number(found: re.Match[str]) -> str:
    code = ord(found[0])
    code -= 0xDC00 if 0xDC80 <= code <= 0xDCFF else 0  # how Python keeps a byte that is no UTF-8
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def _owner(root: Path, folder: Path) -> Path | None:
    note = folder / OWNER
    if not note.is_file():
        return None
    return root / note.read_text(encoding="utf-8", errors="surrogateescape")


def runs_folder(root: Path) -> Path:
    """Return the folder of all runs."""
    return root / "runs"
