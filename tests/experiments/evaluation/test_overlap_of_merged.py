"""People are known again by the names that they had before corpora were merged, whatever was derived since."""

from collections.abc import Callable
from pathlib import Path

import joblib
import pytest

from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.merging import merge_datasets
from src.experiments.corpus.splits import DOWNSTREAM, SplitShares, read_split, split_dataset
from src.experiments.corpus.transforms import normalize_dataset
from src.experiments.evaluation.benchmark import Judged, run_benchmark
from src.experiments.evaluation.evaluate import evaluate_run
from src.experiments.evaluation.held_out import HeldOut
from src.experiments.evaluation.overlap import earlier_names
from src.experiments.extraction.engines import extract_splits
from src.experiments.extraction.requests import Request
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.runs.names import RunName
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trained import read_trained
from src.experiments.training.trainer import train_model
from tests.conftest import write_corpus

pytestmark = [
    pytest.mark.usefixtures("one_thread", "no_pictures"),
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
]
OF_A, OF_MERGED = RunName.parse("run0"), RunName.parse("run1")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with a run of the corpus `a`, and one of `a` and `b` that were merged and normalised."""
    root = tmp_path_factory.mktemp("merged")
    corpora = [root / "datasets" / name for name in "ab"]
    for seed, corpus in enumerate(corpora):
        generate_tables(write_corpus(corpus, people=6, clips=1, without_spoofs=0, seed=50_000 * seed))
    for file in sorted(corpora[1].glob("*/*")):  # other people than those of a
        file.rename(file.with_name(file.name.replace("Person", "Other")))
    generate_tables(corpora[1])
    with joblib.parallel_config(backend="sequential"):
        derived = normalize_dataset(merge_datasets(corpora, root / "datasets" / "both").folder).folder
    derived.rename(root / "datasets" / "derived")
    for name in ("a", "derived"):
        dataset = root / "datasets" / name
        split_dataset(dataset, SplitShares(pretext=0, train=0.4, val=0.3), seed=7)
        list(extract_splits(Request(dataset, DOWNSTREAM, "lfcc"), root=root))
        train_model(choose_recipe(dataset, Embeddings("lfcc", -1), "lr"), root=root)
    return root


def benchmark(root: Path, run: RunName, *names: str) -> list[Judged]:
    return run_benchmark(run, [root / "datasets" / name for name in names], root=root)


def test_a_run_of_a_merged_corpus_knows_the_people_of_its_parts(root: Path) -> None:
    people = read_trained(root, OF_MERGED).people()
    for found in benchmark(root, OF_MERGED, "a", "b"):
        known = sum(person.startswith(f"{found.about['corpus']}-") for person in people)
        assert found.about["overlap"] == {"people": 0, "people_before_merging": known, "files": 0, "contents": 0}
        said = f"{known} people of it were in training or validation, by their names before corpora were merged"
        assert said in found.about["remarks"]


def test_a_run_of_a_part_knows_its_people_in_a_merged_corpus(root: Path) -> None:
    (found,) = benchmark(root, OF_A, "derived")
    known = len(read_trained(root, OF_A).people())
    assert found.about["overlap"]["people_before_merging"] == known > 0


def test_people_of_the_same_merged_corpus_are_known_by_their_names_alone(root: Path) -> None:
    (found,) = benchmark(root, OF_MERGED, "both")
    assert found.about["overlap"]["people"] == len(read_trained(root, OF_MERGED).people())
    assert found.about["overlap"]["people_before_merging"] == 0


@pytest.mark.parametrize(("run", "tested"), [(OF_MERGED, "a"), (OF_A, "derived")])
def test_a_test_on_another_corpus_tells_them(run: RunName, tested: str, root: Path) -> None:
    dataset = root / "datasets" / tested
    verdict = evaluate_run(run, HeldOut(dataset, "downstream_train"), root=root)
    known = {person.removeprefix("a-") for person in read_trained(root, run).people()}
    people = {person.removeprefix("a-") for person in read_split(dataset, "downstream_train")["speaker"]}
    assert verdict.n_known == len(people & known) > 0
    assert "of another corpus, or of one before it was merged" in verdict.note_on_people


def test_what_was_merged_twice_is_known_as_well(root: Path, make_corpus: Callable[..., Path], tmp_path: Path) -> None:
    generate_tables(make_corpus("c", people=2, clips=1))
    corpora = [root / "datasets" / "derived", tmp_path / "datasets" / "c"]
    names = earlier_names(merge_datasets(corpora, tmp_path / "twice").folder)
    assert names["derived-a-Person00_F000"] == names["c-Person00_F000"] == "Person00_F000"
    assert names["derived-b-Other00_F000"] == "Other00_F000"


def test_a_corpus_without_tables_has_no_earlier_names(tmp_path: Path) -> None:
    assert earlier_names(tmp_path) == {}
