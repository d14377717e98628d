"""The whole chain on one corpus, one step after another, each skipped where it is finished.

Every step leaves files; whether it is finished is read from them and from nowhere else. A chain that was killed goes on
where it stopped, and one that is finished does nothing when it is run again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from src.backbones import BACKBONES, load_backbone
from src.experiments.corpus.catalogue import add_amplitude, add_duration, generate_tables
from src.experiments.corpus.splits import DOWNSTREAM, SplitShares, read_split, split_dataset, split_table
from src.experiments.evaluation.evaluate import HeldOut, evaluate_run
from src.experiments.extraction.extract import extract
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.runs.artefacts import TEST_RESULTS
from src.experiments.runs.names import RunName
from src.experiments.studies.search import Search, Wish
from src.experiments.studies.tuner import Effort, optimize_hyperparameters
from src.models import classifier_class
from src.utils.dataset import FILES_TABLE, check_dataset, read_files
from src.utils.embedding_store import split_digest
from src.utils.files import read_json
from src.utils.registry import lookup


@dataclass(frozen=True)
class Step:
    """A step that is done: the task that does the same alone, what came of it, and where it lies."""

    task: str
    outcome: str
    place: Path

    def __str__(self) -> str:
        return f"{self.task:24} {self.outcome}\n{'':24} {self.place}"


def run_pipeline(
    dataset: Path,
    *,
    root: Path,
    backbone: str,
    classifier: str,
    trials: int | None = None,
    model: str = "",
    shares: SplitShares | None = None,
    seed: int = 7,
) -> Iterator[Step]:
    """Go from a folder of recordings to the tested best run of a study; yield each step when it is done.

    Parameters
    ----------
    dataset : Path
    root : Path
        Holds `embeddings/` and `runs/`.
    backbone, classifier : str
    trials : int
        Of the study; None = as many as the classifier's config names.
    model : str
        Hub id or local folder; empty = the backbone's default.
    shares : SplitShares, optional
        For the split, where none was made yet.
    seed : int
    """
    lookup(BACKBONES, backbone, "backbone")
    classifier_class(classifier)
    check_dataset(dataset)
    yield from _tables(dataset)
    if not split_table(dataset, "downstream_test").is_file():
        split_dataset(dataset, shares or SplitShares(), seed=seed)
    counts = ", ".join(f"{split.removeprefix('downstream_')} {len(read_split(dataset, split))}" for split in DOWNSTREAM)
    made_with = read_json(dataset / "splits" / "recipe.json")["seed"]
    yield Step("SplitDataset", f"clips by person: {counts} (seed {made_with})", dataset / "splits")
    loaded = load_backbone(backbone, model)
    for split in DOWNSTREAM:
        done = extract(dataset, split, loaded, backbone, root=root)
        shape = f"{done.n_clips} clips x {len(loaded.layers)} layers x {loaded.dimension}"
        outcome = f"{split}: {shape}, {done.n_computed} computed"
        yield Step("GenerateEmbeddings", outcome, done.folder)
    search = Search(dataset, Embeddings(backbone, layer=None, pooling=None), classifier, seed)
    study = optimize_hyperparameters(search, Effort(trials), root=root, wish=Wish(reuse=True))
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


def _test(dataset: Path, root: Path, name: RunName) -> Step:
    """Test the study's best run, unless it was tested on this very split."""
    run = name.folder(root)
    results = read_json(run / TEST_RESULTS) if (run / TEST_RESULTS).is_file() else {}
    if results.get("about", {}).get("split_digest") != split_digest(read_split(dataset, "downstream_test")):
        evaluate_run(name, HeldOut(dataset), root=root)
        results = read_json(run / TEST_RESULTS)
    return Step("TestModel", f"test EER {results['eer']['value']:.2%}", run)
