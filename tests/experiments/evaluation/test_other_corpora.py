"""Tests on other corpora are never mixed up with a run's own, whatever corpora and people are called (faults 3, 5)."""

from pathlib import Path

import pytest

from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.splits import DOWNSTREAM, SplitShares, split_dataset
from src.experiments.evaluation.comparison import compare_runs
from src.experiments.evaluation.evaluate import HeldOut, Verdict, evaluate_run
from src.experiments.extraction.engines import extract_splits
from src.experiments.extraction.requests import Request
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.runs.names import RunName
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trainer import train_model
from src.utils.embeddings import load_embeddings
from src.utils.paths import embeddings_folder
from tests.conftest import write_corpus

pytestmark = pytest.mark.usefixtures("no_pictures")
RUN = RunName.parse("run0")


def prepare(dataset: Path, root: Path, *, audio_seed: int, split_seed: int = 7) -> Path:
    write_corpus(dataset, seed=audio_seed)
    generate_tables(dataset)
    split_dataset(dataset, SplitShares(pretext=0, train=0.5, val=0.25), seed=split_seed)
    list(extract_splits(Request(dataset, DOWNSTREAM, "lfcc"), root=root))
    return dataset


def judge(dataset: Path | None, root: Path, split: str = "downstream_test") -> Verdict:
    return evaluate_run(RUN, HeldOut(dataset, split), root=root)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def two_sites(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Return a root with a tested run of siteA/release, and the two corpora, whose people have the same names."""
    root = tmp_path / "project"
    first = prepare(tmp_path / "siteA" / "release", root, audio_seed=0)
    train_model(choose_recipe(first, Embeddings("lfcc"), "lr"), root=root)
    judge(None, root)
    second = prepare(tmp_path / "siteB" / "release", root, audio_seed=50_000, split_seed=2)
    return root, first, second


def test_two_corpora_of_one_name_have_stores_of_their_own(two_sites: tuple[Path, Path, Path]) -> None:
    root, first, second = two_sites
    folders = [embeddings_folder(root, dataset, "lfcc", "downstream_test") for dataset in (first, second)]
    assert folders[0] == root / "embeddings" / "release" / "lfcc" / "downstream_test"
    assert folders[0] != folders[1]
    tables = [load_embeddings(folder) for folder in folders]
    shared = set(tables[0].files) & set(tables[1].files)
    assert shared
    for file in shared:  # the same name, another sound
        rows = [table.vectors[table.files == file][0] for table in tables]
        assert (rows[0] != rows[1]).any()


def test_a_test_on_another_corpus_of_the_same_name_leaves_the_runs_own_alone(
    two_sites: tuple[Path, Path, Path],
) -> None:
    root, _, second = two_sites
    run = RUN.folder(root)
    before = contents(run)
    verdict = judge(second, root)
    assert contents(run) == before
    assert verdict.folder.parent == run
    assert verdict.folder.name.startswith("test-release-")
    assert verdict.about["path"] == str(second)
    assert not verdict.is_own_corpus


def test_people_of_equal_names_in_another_corpus_are_reported_not_refused(two_sites: tuple[Path, Path, Path]) -> None:
    root, _, second = two_sites
    verdict = judge(second, root)
    assert verdict.n_known > 0
    assert "of another corpus" in verdict.note_on_people


def test_the_same_corpus_split_another_way_is_still_refused(two_sites: tuple[Path, Path, Path]) -> None:
    root, first, _ = two_sites
    split_dataset(first, SplitShares(pretext=0, train=0.5, val=0.25), seed=3)
    list(extract_splits(Request(first, DOWNSTREAM, "lfcc"), root=root))
    with pytest.raises(ValueError, match="split another way"):
        judge(first, root)


def test_a_corpus_that_was_moved_is_the_same(two_sites: tuple[Path, Path, Path], tmp_path: Path) -> None:
    root, first, _ = two_sites
    moved = tmp_path / "siteC" / "release"
    moved.parent.mkdir()
    first.rename(moved)
    verdict = judge(moved, root)
    assert verdict.folder == RUN.folder(root)
    assert verdict.is_own_corpus


def test_without_a_corpus_a_run_is_tested_on_its_own(two_sites: tuple[Path, Path, Path]) -> None:
    root, first, _ = two_sites
    verdict = judge(None, root)
    assert (verdict.folder, verdict.about["path"]) == (RUN.folder(root), str(first))


def test_runs_tested_on_corpora_of_one_name_are_not_compared(two_sites: tuple[Path, Path, Path]) -> None:
    root, _, second = two_sites
    train_model(choose_recipe(second, Embeddings("lfcc"), "lr"), root=root)
    evaluate_run(RunName.parse("run1"), root=root)
    compared = compare_runs("run0,run1", root=root)
    assert (compared.differences, compared.other_clips) == ([], [("run0", "run1")])
