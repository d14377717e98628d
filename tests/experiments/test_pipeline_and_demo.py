"""The whole chain skips what is finished, and ends the same wherever it was broken off."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import joblib
import matplotlib.image
import numpy as np
import pytest

from src.experiments import demo, pipeline
from src.experiments.corpus.splits import SplitShares, read_split, split_dataset
from src.experiments.extraction.batches import Batch
from src.experiments.extraction.projections import PROJECTIONS
from src.experiments.extraction.readers import Sound, read_ahead
from src.experiments.pipeline import Chain, Step, run_pipeline
from src.utils.files import read_json

pytestmark = pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only")
MakeCorpus = Callable[..., Path]
SHARES = SplitShares(pretext=0, train=0.5, val=0.25)
STEPS = [
    "GenerateDatasetCSV",
    "AddDatasetDuration",
    "SplitDataset",
    "GenerateEmbeddings",
    "GenerateEmbeddings",
    "GenerateEmbeddings",
    "OptimizeHyperparameters",
    "TestModel",
]
ACTS = [
    "generate_tables",
    "add_duration",
    "add_amplitude",
    "split_dataset",
    "extract_splits",
    "optimize_hyperparameters",
    "evaluate_run",
]


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """Start no worker processes and, but for the demonstration, draw nothing: small corpora are done sooner."""
    if "demonstration" not in request.node.name:
        monkeypatch.setattr("src.experiments.studies.tuner.draw_pictures", lambda *_: None)
        monkeypatch.setattr("src.experiments.evaluation.evaluate.save_figure", lambda *_: None)
    with joblib.parallel_config(backend="sequential"):
        yield


def chain(dataset: Path, root: Path, **options: Any) -> Iterator[Step]:
    """Run the pipeline with a study of three trials; what it leaves goes below `root`."""
    settings = {"backbone": "lfcc", "classifier": "svm", "trials": 3, "shares": SHARES, **options}
    return run_pipeline(dataset, Chain(**settings), root=root)


def verdict(root: Path) -> dict[str, Any]:
    """Return what the chain found: the tested run, its results and its scores."""
    results = list((root / "runs").rglob("test_results.json"))
    assert len(results) == 1, "one run is tested"
    content = read_json(results[0])
    del content["about"]["tested"], content["about"]["path"]  # when, and where the corpus lies
    scores = results[0].with_name("scores.csv").read_text()
    return {"run": str(results[0].parent.relative_to(root)), "results": content, "scores": scores}


def digests(*folders: Path) -> dict[Path, str]:
    """Digest every file below some folders but the locks and the journal, to which each opening adds a line."""
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and path.name not in (".lock", "journal.log")
    }


@pytest.fixture
def corpus(make_corpus: MakeCorpus) -> Path:
    return make_corpus(people=12)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return an empty list, in which the first test that needs it puts what an undisturbed chain found."""
    return []


def expected(undisturbed: list[dict[str, Any]], make_corpus: MakeCorpus, root: Path) -> dict[str, Any]:
    if not undisturbed:
        list(chain(make_corpus("undisturbed/corpus", people=12), root / "undisturbed"))
        undisturbed.append(verdict(root / "undisturbed"))
    return undisturbed[0]


def test_the_chain_yields_its_steps_in_order_and_ends_with_the_best_run_tested(corpus: Path, tmp_path: Path) -> None:
    steps = list(chain(corpus, tmp_path))
    assert [step.task for step in steps] == STEPS
    tasks = "".join(path.read_text() for path in (Path(pipeline.__file__).parents[1] / "tasks").glob("*.py"))
    for step in steps:
        assert f'"{step.task}"' in tasks, "each step names the task that does it alone"
        assert step.place.exists()
        assert str(step).splitlines() == [f"{step.task:24} {step.outcome}", f"{'':24} {step.place}"]
    best = read_json(tmp_path / "runs" / "svm_study0" / "best_hyperparameters.json")
    run = tmp_path / "runs" / "svm_study0" / f"run{best['best_trial_number']}"
    assert steps[-1].place == run
    found = read_json(run / "test_results.json")
    assert steps[-1].outcome == f"test EER {found['eer']['value']:.2%}"
    assert found["n_bonafide"]["value"] + found["n_spoof"]["value"] == len(read_split(corpus, "downstream_test"))


def test_a_second_call_computes_nothing(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def noted(dataset: Path, batches: Sequence[Batch], **options: int) -> Iterator[list[Sound]]:
        read.extend(piece.file for batch in batches for piece in batch)
        return read_ahead(dataset, batches, **options)

    monkeypatch.setattr("src.experiments.extraction.extract.read_ahead", noted)
    first = list(chain(corpus, tmp_path))
    n_clips = sum(len(read_split(corpus, split)) for split in pipeline.DOWNSTREAM)
    assert len(read) == len(set(read)) == n_clips
    before = digests(corpus, tmp_path / "embeddings", tmp_path / "runs")
    kept = [path for path in before if path.suffix in (".npy", ".safetensors", ".flac") or "run" in path.parent.name]
    written = {path: path.stat().st_mtime_ns for path in [*kept, *corpus.rglob("*.csv")]}
    for act in ("generate_tables", "add_duration", "add_amplitude", "split_dataset", "evaluate_run"):
        monkeypatch.setattr(pipeline, act, None)
    monkeypatch.setattr("src.experiments.studies.workers.train_run", None)
    second = list(chain(corpus, tmp_path))
    assert [(step.task, step.place) for step in second] == [(step.task, step.place) for step in first]
    assert len(read) == n_clips
    assert digests(corpus, tmp_path / "embeddings", tmp_path / "runs") == before
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert second[-1] == first[-1]


@pytest.mark.slow
@pytest.mark.parametrize("n_steps", range(1, len(STEPS)))
def test_a_chain_broken_off_after_any_step_ends_the_same(
    n_steps: int, corpus: Path, tmp_path: Path, make_corpus: MakeCorpus, undisturbed: list[dict[str, Any]]
) -> None:
    started = chain(corpus, tmp_path)
    for _ in range(n_steps):
        next(started)
    started.close()  # type: ignore[attr-defined]
    assert not list((tmp_path / "runs").rglob("test_results.json"))
    assert [step.task for step in chain(corpus, tmp_path)] == STEPS
    assert verdict(tmp_path) == expected(undisturbed, make_corpus, tmp_path / "other")


def test_a_chain_interrupted_within_every_step_ends_the_same(
    corpus: Path,
    tmp_path: Path,
    make_corpus: MakeCorpus,
    undisturbed: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every act is done and not reported, one after another: eight starts until the chain is through."""
    for act in ACTS:
        work = getattr(pipeline, act)

        def interrupted(*arguments: Any, work: Callable = work, **options: Any) -> None:
            done = work(*arguments, **options)
            if isinstance(done, Iterator):
                list(done)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(pipeline, act, interrupted)
            with pytest.raises(KeyboardInterrupt):
                list(chain(corpus, tmp_path))
    steps = list(chain(corpus, tmp_path))
    assert [step.task for step in steps] == STEPS
    assert steps[-2].outcome.startswith("3 trials, 0 new")
    assert verdict(tmp_path) == expected(undisturbed, make_corpus, tmp_path / "other")


def test_more_trials_go_on_with_the_study(corpus: Path, tmp_path: Path) -> None:
    list(chain(corpus, tmp_path))
    *_, study, _ = chain(corpus, tmp_path, trials=4)
    assert study.place == tmp_path / "runs" / "svm_study0"
    assert study.outcome.startswith("4 trials, 1 new")


def test_another_split_is_embedded_searched_and_tested_again(corpus: Path, tmp_path: Path) -> None:
    list(chain(corpus, tmp_path))
    split_dataset(corpus, SHARES, seed=99)
    steps = list(chain(corpus, tmp_path))
    assert "0 computed" not in [step.outcome.rpartition(", ")[2] for step in steps if step.task == "GenerateEmbeddings"]
    assert steps[-2].place == tmp_path / "runs" / "svm_study1"
    assert steps[-1].place.parent == steps[-2].place


@pytest.mark.parametrize(
    ("options", "line"),
    [({"classifier": "cnn"}, "Unknown classifier 'cnn'"), ({"backbone": "ear"}, "Unknown backbone 'ear'")],
)
def test_a_wrong_name_is_refused_before_anything_is_written(
    options: dict[str, str], line: str, corpus: Path, tmp_path: Path
) -> None:
    before = digests(tmp_path)
    with pytest.raises(ValueError, match=line):
        next(chain(corpus, tmp_path, **options))
    assert digests(tmp_path) == before


# ---- the demonstration


@pytest.fixture
def _small_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it few short clips, and its picture by t-SNE: UMAP's first call takes longer than all the rest."""
    for name, value in {"N_PEOPLE": 8, "CLIPS_PER_PERSON": 2, "SECONDS": (0.4, 0.6), "N_TRIALS": 2}.items():
        monkeypatch.setattr(demo, name, value)
    monkeypatch.setitem(PROJECTIONS, "umap", PROJECTIONS["tsne"])


@pytest.mark.usefixtures("_small_demo")
def test_the_demonstration_runs_to_its_end_and_again(tmp_path: Path) -> None:
    first = list(demo.run_demo(tmp_path))
    assert "nothing about deepfakes" in first[0]
    tasks = ["CreateSpoofs, AddNoise", *STEPS, "VisualizeEmbeddingsUMAP"]
    assert [line.split("  ")[0].strip() for line in first[1:-1]] == tasks
    assert "fab Pipeline" in first[-1]
    (picture,) = (tmp_path / "embeddings" / "demo").rglob("umap-*.png")
    assert np.ptp(matplotlib.image.imread(picture)) > 0
    before = digests(tmp_path / "datasets", tmp_path / "runs")
    second = list(demo.run_demo(tmp_path))
    assert digests(tmp_path / "datasets", tmp_path / "runs") == before
    assert [line.splitlines()[-1] for line in second] == [line.splitlines()[-1] for line in first]
    assert second[-3] == first[-3], "the same EER"


@pytest.mark.usefixtures("_small_demo")
def test_one_seed_gives_one_corpus_even_when_it_was_broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "N_PEOPLE", 2)

    def made(name: str, seed: int) -> dict[str, str]:
        demo.make_demo_corpus(tmp_path / name / "demo", seed=seed)
        content = digests(tmp_path / name)
        return {str(path.relative_to(tmp_path / name)): digest for path, digest in content.items()}

    once, again, other = made("a", 7), made("b", 7), made("c", 8)
    assert once == again
    sounds = {name for name in once if name.endswith(".flac")}
    assert len(sounds) == 2 * 2 + 2 * (2 * 2 * 2)
    assert not {once[name] for name in sounds} & {other[name] for name in sounds}
    for every_other in (sorted(sounds)[::2], sorted(sounds)[1::2]):
        for name in every_other:
            (tmp_path / "a" / name).unlink()
        assert made("a", 7) == once
