"""Which corpus a run was trained on, and whether another folder holds the same one.

A corpus is known by where it lies and by a digest of its recordings, never by its folder's name alone: two sites may
each have a `release`. People are the same only within a corpus, and between a corpus and those derived from it.
"""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from src.utils.files import read_json

DERIVED_FROM = "recipe.json"
"""In a derived corpus: what it was made from and with."""


def describe_corpus(path: str, digest: str | None) -> dict[str, Any]:
    """Return what the provenance of a run says of its corpus.

    Parameters
    ----------
    path : str
        As its user gave it, relative to the project where it lies inside.
    digest : str, optional
        Of the recordings that the run was trained on.
    """
    return {"path": path, "digest": digest}


def corpus_path(inputs: Mapping[str, Any], provenance: Mapping[str, Any], root: Path) -> Path:
    """Return the folder of the corpus that a run was trained on.

    Runs of the first edition noted its name and the command that was typed. Where a project was moved, its corpus is
    looked for in the `datasets/` that moved with it.
    """
    path = _known_path(inputs, provenance, root)
    usual = root / "datasets" / inputs["corpus"]
    return path if path and (path.is_dir() or not usual.is_dir()) else usual


def is_same_corpus(
    path: Path, digest: str | None, inputs: Mapping[str, Any], provenance: Mapping[str, Any], root: Path
) -> bool:
    """Tell whether a corpus is the one that a run was trained on.

    Parameters
    ----------
    path, digest
        Where it lies, and the digest of the recordings of its training split; None where that is not known.
    inputs, provenance : mapping
        What the run noted.
    root : Path
        The project's folder.
    """
    known = _noted(provenance).get("digest") or _digest_of_first_edition(provenance)
    if digest is not None and digest == known:
        return True
    own = _known_path(inputs, provenance, root)
    return own.resolve() == path.resolve() if own else bool(path.name == inputs["corpus"])


def first_source(dataset: Path) -> Path:
    """Return the original corpus behind a derived one; an original corpus is its own."""
    seen = []
    while (dataset / DERIVED_FROM).is_file() and dataset not in seen:
        seen.append(dataset)
        note = read_json(dataset / DERIVED_FROM)
        source = note.get("source") if isinstance(note, Mapping) else None
        if not isinstance(source, str):
            break
        dataset = dataset.parent / source
    return dataset


def _known_path(inputs: Mapping[str, Any], provenance: Mapping[str, Any], root: Path) -> Path | None:
    """Return where the corpus of a run lay; None where a run of the first edition noted its name alone."""
    noted = _noted(provenance).get("path")
    return root / noted if noted else _typed_path(provenance, inputs["corpus"])


def _noted(provenance: Mapping[str, Any]) -> Mapping[str, Any]:
    corpus = provenance["data"].get("corpus")
    return corpus if isinstance(corpus, Mapping) and isinstance(corpus.get("path"), str) else {}


def _digest_of_first_edition(provenance: Mapping[str, Any]) -> str | None:
    origin = provenance["data"].get("embeddings", {}).get("downstream_train", {})
    digest = origin.get("corpus_digest")
    return digest if isinstance(digest, str) else None


def _typed_path(provenance: Mapping[str, Any], name: str) -> Path | None:
    """Return the corpus's path from the command that was typed, where it was an absolute one."""
    try:
        words = shlex.split(str(provenance.get("command", "")))
    except ValueError:
        return None
    flags = [word.removeprefix("--dataset=") for word in words if word.startswith("--dataset=/")]
    return Path(flags[-1]) if flags and Path(flags[-1]).name == name else None
