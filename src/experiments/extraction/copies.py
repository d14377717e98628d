"""Embeddings of augmented copies of training clips, in stores of their own beside those of the originals.

    embeddings/<corpus>/copies/downstream_train-field-1/         the recordings of the first copies, as a corpus
    embeddings/<corpus>/<backbone>/downstream_train-field-1/     their store

The recordings are kept: another backbone takes them as they are, and one can hear what a model is trained on. More
copies are further stores; those that exist stay as they are. Each says of which recordings and rows its clips are
copies, so that copies of anything else are never trained on (`inputs/copies.py`).
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock

from src.audio.storage.places import exists
from src.engines.contract import Cluster
from src.experiments.corpus.copies import Augmenting, augmented, draw_copies, rows_of_copies
from src.experiments.corpus.derivation import RECIPE, Derivation, Job
from src.experiments.corpus.fingerprints import take_fingerprints
from src.experiments.corpus.splits import read_split, split_table
from src.experiments.extraction.engines import extract_splits
from src.experiments.extraction.requests import CopiesOf, Extraction, Request
from src.utils.copies import without_copies
from src.utils.csv_tables import write_table
from src.utils.dataset import read_rejected, without, write_tables
from src.utils.embedding_store import recordings_digest, split_digest
from src.utils.files import read_json
from src.utils.paths import as_flac, claim_embeddings, copies_folder
from src.utils.recipes import name_of


def extract_copies(
    request: Request, how: Augmenting, *, root: Path, cluster: Cluster | None = None
) -> Iterator[Extraction]:
    """Make the copies of every training split of a request, and extract them as the request says.

    Parameters
    ----------
    request : Request
        Of the originals; its other splits get no copies.
    how : Augmenting
    root : Path
        Embeddings lie in `<root>/embeddings`.
    cluster : Cluster, optional
        What computes the embeddings; the recordings of the copies are made by this machine.

    Raises
    ------
    ValueError
        When an effect of the recipe cannot be had here, no split of the request is for training, or there are copies
        of other recordings or of another seed.
    """
    training = [split for split in request.splits if split.endswith("_train")]
    if not training:
        raise ValueError(f"Only training splits get copies (`augment`), not {', '.join(request.splits)}.")
    claim_embeddings(root, request.dataset)
    name = name_of(how.augment)
    for split in training:
        for number in range(1, how.copies + 1):
            folder = copies_folder(root, request.dataset, split, name, number)
            folder.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(folder.with_name(f".{folder.name}.lock")):  # other shares wait for the first
                write_copies(request.dataset, split, folder, how, number)
            copies = CopiesOf(request.dataset, name, number, how.seed)
            of_copies = replace(request, dataset=folder, splits=[split], copies=copies)
            yield from extract_splits(of_copies, root=root, cluster=cluster)


def write_copies(dataset: Path, split: str, folder: Path, how: Augmenting, number: int) -> None:
    """Write the copies of one number of a split as a corpus that holds nothing else; resumes where it stopped.

    Copies that are complete stay as they were drawn: which clips cannot be used may be found out later, by another
    share or another backbone.
    """
    clips = read_split(dataset, split)
    note = {
        "step": "GenerateEmbeddings",
        "copy": number,
        **how.about(),
        "corpus_digest": recordings_digest(take_fingerprints(dataset, clips["file"].tolist())),
        "split_digest": split_digest(clips),
    }
    _require_same(folder, note)
    if _are_complete(folder, split):
        return
    rows = without_copies(without(clips, read_rejected(dataset), dataset))
    drawn = draw_copies(dataset, rows, how, number)
    table = rows_of_copies(rows, drawn, "").assign(file=[as_flac(file) for file in rows["file"]])
    made = zip(rows["file"], table["file"], drawn, strict=True)
    jobs = [Job(dataset / source, folder / target, 0, steps=steps) for source, target, steps in made]
    derivation = Derivation(dataset, folder, note, jobs)
    derivation.start()
    reasons = derivation.run(jobs, partial(augmented, sources=how.sources(dataset)), folder.name)
    derivation.finish()
    kept = without(table.drop(columns=["duration", "amplitude"], errors="ignore"), reasons, dataset)
    write_tables(folder, kept)
    write_table(split_table(folder, split), kept)


def _are_complete(folder: Path, split: str) -> bool:
    """Return whether the tables were written, and all copies are there."""
    return split_table(folder, split).is_file() and all(
        exists(folder / file) for file in read_split(folder, split)["file"]
    )


def _require_same(folder: Path, note: dict[str, Any]) -> None:
    """Raise ValueError when there are copies of other recordings, or made in another way."""
    there = read_json(folder / RECIPE) if (folder / RECIPE).is_file() else note
    for key, value in note.items():
        if there.get(key) != value:
            raise ValueError(
                f"{folder} holds copies of other recordings, or made in another way ({key} differs): delete it, and "
                "the stores of that name beside it, to make them again."
            )
