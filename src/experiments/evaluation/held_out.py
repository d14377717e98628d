"""The clips that a run is tested on, checked: of which corpus, and of people whom the run was not trained on.

People of training and validation may not be in the test. Equal names mean the same person within a corpus and between a
corpus and those derived from it; elsewhere they are only reported, by the names before corpora were merged as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.experiments.evaluation.overlap import earlier_names, known_before_merging
from src.experiments.inputs.contract import TEST, TRAIN, digest_of_corpus, require_both_classes
from src.experiments.runs.artefacts import folder_of_tests
from src.experiments.runs.lineage import first_source, is_same_corpus
from src.experiments.training.trained import Trained
from src.utils.clip_table import ClipTable


@dataclass(frozen=True)
class HeldOut:
    """The clips that a run is tested on."""

    dataset: Path | None = None
    """The corpus; None = the run's own."""
    split: str = TEST
    gender: str | None = None
    """F or M: only clips of these people; None = all."""


USUAL = HeldOut()


@dataclass(frozen=True)
class HeldOutClips:
    """The clips of a test, and how they relate to those that the run was trained on."""

    dataset: Path
    noted_path: str
    """Of the corpus, as provenance keeps it."""
    table: ClipTable
    origin: Mapping[str, Any]
    digest: str | None
    """Of the recordings of the corpus's training split, which identifies a corpus; None where it has none."""
    is_own_corpus: bool
    """Whether the run was trained on this corpus."""
    n_known: int
    """People whose names are in training or validation, by those before corpora were merged as well."""

    def folder_name(self, test: HeldOut) -> str:
        """Return where results lie within the run's folder: in itself for the usual test, else in one of their own."""
        return folder_of_tests(self.dataset, test.split, test.gender, is_own_corpus=self.is_own_corpus)


def read_held_out(trained: Trained, test: HeldOut, root: Path) -> HeldOutClips:
    """Return the clips of a test, checked; refuse those that cannot test the run."""
    dataset = test.dataset or trained.recipe.dataset
    opened = trained.open(dataset, root)
    opened.check(test.split)
    table, origin = opened.read(test.split, test.gender), opened.origin(test.split)
    name = f"{test.split} of {dataset}" + (f", gender {test.gender}," if test.gender else "")
    require_both_classes(table, name)
    what = f"The {trained.recipe.input.kind} that {trained.folder} was trained on and those of {test.split}"
    trained.recipe.input.require_like(trained.origin(TRAIN), origin, what)
    digest = digest_of_corpus(opened)
    is_own = is_same_corpus(dataset, digest, trained.inputs, trained.provenance, root)
    known = sorted(trained.people() & set(table.people()))
    same_people = is_own or first_source(dataset).resolve() == first_source(trained.recipe.dataset).resolve()
    if known and same_people and test.split == TEST:
        raise ValueError(
            f"{len(known)} people of {test.split} were in the training of {trained.folder} (first: {known[0]}): "
            "the corpus has been split another way since; train again."
        )
    n_known = len(known)
    if not same_people:
        heard, tested = earlier_names(trained.recipe.dataset), earlier_names(dataset)
        n_known += len(known_before_merging(trained.people(), heard, table.people(), tested))
    return HeldOutClips(dataset, opened.noted_path, table, origin, digest, is_own, n_known)
