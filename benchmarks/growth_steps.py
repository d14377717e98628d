"""The steps whose growth is measured, each as its task calls it; the corpus lies in `<root>/corpus`.

What a store holds is made up, in the form of the backbone lfcc, which needs no download: one layer of 120 numbers, so
that a million clips take 1 GB. It is written in batches of 16 clips, as a model takes them. The verdict is on scores
that are made up as well: one for each clip of the corpus, of 400 people and 8 systems.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.growth_corpus import PEOPLE, SYSTEMS

if TYPE_CHECKING:
    from src.experiments.extraction.requests import Request
    from src.experiments.training.recipe import Recipe

BATCH = 16
CLASSIFIER = "lr"
SMALL = "other"
"""Name of a corpus of a few clips, with which the corpus is merged."""


def generate(root: Path) -> None:
    """GenerateDatasetCSV."""
    from src.experiments.corpus.catalogue import generate_tables

    generate_tables(root / "corpus")


def duration(root: Path) -> None:
    """AddDatasetDuration."""
    from src.experiments.corpus.catalogue import add_duration

    add_duration(root / "corpus")


def amplitude(root: Path) -> None:
    """AddDatasetAmplitude."""
    from src.experiments.corpus.catalogue import add_amplitude

    add_amplitude(root / "corpus")


def check(root: Path) -> None:
    """CheckDataset."""
    from src.experiments.corpus.checking import check_corpus

    str(check_corpus(root / "corpus"))


def inspect(root: Path) -> None:
    """DatasetInfo."""
    from src.experiments.corpus.inspection import inspect_dataset

    str(inspect_dataset(root / "corpus"))


def split(root: Path) -> None:
    """SplitDataset, without pretext splits, so that all clips are the classifiers'."""
    from src.experiments.corpus.splits import SplitShares, split_dataset

    split_dataset(root / "corpus", SplitShares(pretext=0), seed=7)


def merge(root: Path) -> None:
    """MergeDatasets, with a corpus of a few clips."""
    from src.experiments.corpus.catalogue import generate_tables
    from src.experiments.corpus.merging import merge_datasets

    generate_tables(root / SMALL)
    merge_datasets([root / "corpus", root / SMALL])


def plan(root: Path) -> None:
    """Plan the extraction of all splits: headers, fingerprints, stores."""
    from src.experiments.extraction.plan import make_plan

    make_plan(_request(root), root=root)


def store(root: Path) -> None:
    """Write the stores of all splits, rows made up, without their indexes."""
    from src.backbones import identify_backbone
    from src.experiments.corpus.fingerprints import take_fingerprints
    from src.experiments.corpus.splits import read_split
    from src.utils.embedding_store import EmbeddingStore, Row

    request = _request(root)
    identity = {**(identify_backbone("lfcc") or {}), **request.about()}
    rng = np.random.default_rng(7)
    for name in request.splits:
        clips = read_split(request.dataset, name)
        prints = take_fingerprints(request.dataset, clips["file"].tolist())
        moved = np.where(clips["label"] == "spoof", 0.5, 0.0).astype(np.float32)
        with EmbeddingStore(request.folder(root, name), identity) as open_store:
            files = open_store.waiting(prints)
            for start in range(0, len(files), BATCH):
                part = files[start : start + BATCH]
                values = rng.standard_normal((len(part), 1, 2, identity["dimension"]), dtype=np.float32)
                values[:, 0, 0, :8] += moved[start : start + BATCH, None]
                open_store.append([Row(file, prints[file], 9) for file in part], values)


def index(root: Path) -> None:
    """Write the indexes, as GenerateEmbeddings does where all rows are there: plan, check of every row, index."""
    from src.experiments.extraction.engines import extract_splits

    list(extract_splits(_request(root), root=root))


def info(root: Path) -> None:
    """EmbeddingsInfo."""
    from src.experiments.extraction.stores import format_reports, inspect_stores

    format_reports(inspect_stores(root), root)


def load(root: Path) -> None:
    """Check and read the training data."""
    from src.experiments.inputs.contract import TRAIN, VAL, read_training_data

    opened = _recipe(root).input.open(root / "corpus", root)
    opened.check(TRAIN, VAL)
    read_training_data(opened)


def train(root: Path) -> None:
    """TrainModel: logistic regression."""
    from src.experiments.training.trainer import train_model

    train_model(_recipe(root), root=root)


def test(root: Path) -> None:
    """TestModel, on the test split: a tenth of the clips."""
    from src.experiments.evaluation.evaluate import evaluate_run
    from src.experiments.runs.names import RunName

    evaluate_run(RunName.parse("run0"), root=root)


def verdict(root: Path) -> None:
    """Metrics with intervals of made-up scores of all clips, and of each gender, system and duration."""
    from src.metrics.bootstrap import Trials
    from src.metrics.verdict import (
        break_down,
        evaluate_with_intervals,
        parts_by_duration,
        parts_by_system,
        parts_by_value,
    )
    from src.utils.dataset import read_files

    n_clips = len(read_files(root / "corpus"))
    rng = np.random.default_rng(7)
    labels = np.arange(n_clips) % 2
    systems = np.array([f"system-{number}" for number in range(SYSTEMS)])[rng.integers(0, SYSTEMS, n_clips)]
    person = rng.integers(0, PEOPLE, n_clips)
    trials = Trials(labels, np.array([f"Person-{number:03d}" for number in range(PEOPLE)])[person], systems)
    trials = replace(trials, systems=np.where(labels == 1, "", systems))
    scores = 3.0 * labels - 1.5 + rng.standard_normal(n_clips) + rng.standard_normal(PEOPLE)[person]
    evaluate_with_intervals(trials, scores, 0.0)
    for parts in (
        parts_by_value(np.array(["F", "M"])[person % 2]),
        parts_by_system(labels, trials.systems if trials.systems is not None else systems),
        parts_by_duration(rng.gamma(6, 0.8, n_clips)),
    ):
        break_down(trials, scores, 0.0, parts)


def _request(root: Path) -> "Request":
    from src.experiments.corpus.dealing import SPLITS
    from src.experiments.extraction.requests import Request

    return Request(root / "corpus", SPLITS[2:], "lfcc")


def _recipe(root: Path) -> "Recipe":
    from src.experiments.inputs.embeddings import Embeddings
    from src.experiments.training.recipe import choose_recipe

    return choose_recipe(root / "corpus", Embeddings("lfcc", -1, "mean"), CLASSIFIER)


STEPS: dict[str, Callable[[Path], None]] = {
    "GenerateDatasetCSV": generate,
    "AddDatasetDuration": duration,
    "AddDatasetAmplitude": amplitude,
    "CheckDataset": check,
    "SplitDataset": split,
    "MergeDatasets": merge,
    "plan of an extraction": plan,
    "writing of the stores": store,
    "index, and the plan before it": index,
    "GenerateEmbeddings, again": index,
    "EmbeddingsInfo": info,
    "loading of the training data": load,
    "TrainModel": train,
    "TestModel, a tenth of the clips": test,
    "verdict on a score for each clip": verdict,
    "DatasetInfo": inspect,
    "DatasetInfo, again": inspect,
}
"""What a step is called in the table -> the step, in an order in which they can be run."""
