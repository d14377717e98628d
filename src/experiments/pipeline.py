"""The whole chain on one corpus, one step after another, each skipped where it is finished.

Every step leaves files; whether it is finished is read from them and from nowhere else. A chain that was killed
resumes where it stopped; one that is finished loads no model and does nothing when it is run again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from src.backbones import BACKBONES
from src.experiments.corpus.catalogue import add_amplitude, add_duration, generate_tables
from src.experiments.corpus.splits import (
    DOWNSTREAM,
    SPLITS,
    SplitShares,
    read_split,
    split_dataset,
    split_notes,
    split_table,
)
from src.experiments.evaluation.evaluate import HeldOut, evaluate_run
from src.experiments.extraction.engines import extract_splits
from src.experiments.extraction.requests import Request
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.runs.artefacts import TEST_RESULTS
from src.experiments.runs.names import RunName
from src.experiments.studies.search import Search, Wish
from src.experiments.studies.tuner import Effort, optimize_hyperparameters
from src.models import classifier_class
from src.utils.dataset import FILES_TABLE, check_dataset, people_of, read_files
from src.utils.embedding_store import split_digest
from src.utils.embeddings import read_meta
from src.utils.files import read_json
from src.utils.registry import lookup


@dataclass(frozen=True)
class Step:
    """A finished step: the task that does it alone, its outcome, and where the result lies."""

    task: str
    outcome: str
    place: Path

    def __str__(self) -> str:
        return f"{self.task:24} {self.outcome}\n{'':24} {self.place}"


@dataclass(frozen=True)
class Chain:
    """What the chain computes and trains on a corpus."""

    backbone: str
    classifier: str
    trials: int | None = None
    """Of the study; None = the classifier's default."""
    model: str | None = None
    """Hub id or local folder; None = the backbone's default."""
    shares: SplitShares | None = None
    """For splitting a corpus that has no splits yet; None = the default ones."""
    seed: int = 7


def run_pipeline(dataset: Path, chain: Chain, *, root: Path) -> Iterator[Step]:
    """Go from a folder of recordings to the tested best run of a study; yield each step when it is done.

    Parameters
    ----------
    dataset : Path
    chain : Chain
    root : Path
        Holds `embeddings/` and `runs/`.

    Raises
    ------
    ValueError, FileNotFoundError
        As the tasks that do the steps one by one; names are checked before anything is written.
    """
    lookup(BACKBONES, chain.backbone, "backbone")
    classifier_class(chain.classifier)
    check_dataset(dataset)
    yield from _tables(dataset)
    yield _splits(dataset, chain.shares, chain.seed)
    request = Request(dataset, DOWNSTREAM, chain.backbone, chain.model)
    for split, done in zip(DOWNSTREAM, extract_splits(request, root=root), strict=True):
        meta = read_meta(done.folder)
        shape = f"{done.n_clips} clips x {len(meta.layers)} layers x {meta.dimension}"
        yield Step("GenerateEmbeddings", f"{split}: {shape}, {done.n_computed} computed", done.folder)
    search = Search(dataset, Embeddings(chain.backbone, layer=None, pooling=None), chain.classifier, chain.seed)
    study = optimize_hyperparameters(search, Effort(chain.trials), root=root, wish=Wish(reuse=True))
    yield Step("OptimizeHyperparameters", study.outcome, study.folder)
    yield _test(dataset, root, study.name.run(study.best_trial))


def _tables(dataset: Path) -> Iterator[Step]:
    if not (dataset / FILES_TABLE).is_file():
        generate_tables(dataset)
    files = read_files(dataset)
    yield Step("GenerateDatasetCSV", f"{len(files)} clips", dataset / FILES_TABLE)
    if "duration" not in files:
        add_duration(dataset)
    if "amplitude" not in files:
        add_amplitude(dataset)
    hours = read_files(dataset)["duration"].sum() / 3600
    yield Step("AddDatasetDuration", f"{hours:.2f} hours; peaks as well", dataset / FILES_TABLE)


def _splits(dataset: Path, shares: SplitShares | None, seed: int) -> Step:
    """Split the corpus if it has no splits yet, and say which clips the splits lack."""
    if not split_table(dataset, "downstream_test").is_file():
        if shares is None:
            _require_people(dataset)
        split_dataset(dataset, shares or SplitShares(), seed=seed)
    counts = ", ".join(f"{split.removeprefix('downstream_')} {len(read_split(dataset, split))}" for split in DOWNSTREAM)
    made_with = read_json(dataset / "splits" / "recipe.json")["seed"]
    notes = "".join(f"\n{'':24} Note: {note}" for note in split_notes(dataset))
    outcome = f"clips by person: {counts} (seed {made_with}){notes}"
    return Step("SplitDataset", outcome, dataset / "splits")


def _require_people(dataset: Path) -> None:
    """Raise ValueError when people are too few for all splits: a pipeline has no flags for other splits."""
    n_people = int((people_of(read_files(dataset))["spoof_count"] > 0).sum())
    if n_people >= len(SPLITS):
        return
    few = f"{n_people} people with spoofs cannot fill the {len(SPLITS)} splits that the pipeline makes"
    if n_people < len(DOWNSTREAM):
        raise ValueError(f"{few}; at least {len(DOWNSTREAM)} are needed, one each for training, validation and test.")
    raise ValueError(
        f"{few}: run fab SplitDataset --pretext=0 --dataset={quote(str(dataset))} first, which makes "
        f"{len(DOWNSTREAM)}, then fab Pipeline again."
    )


def _test(dataset: Path, root: Path, name: RunName) -> Step:
    """Test the study's best run, unless it was already tested on this split."""
    run = name.folder(root)
    results = read_json(run / TEST_RESULTS) if (run / TEST_RESULTS).is_file() else {}
    if results.get("about", {}).get("split_digest") != split_digest(read_split(dataset, "downstream_test")):
        evaluate_run(name, HeldOut(dataset), root=root)
        results = read_json(run / TEST_RESULTS)
    return Step("TestModel", f"test EER {results['eer']['value']:.2%}", run)
