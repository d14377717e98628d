"""Stores of one split from several machines become one: the same rows, compared with their checksums."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from src.experiments.corpus.splits import read_split
from src.experiments.extraction.engines import extract_splits
from src.experiments.extraction.merging import merge_stores
from src.experiments.extraction.requests import Limits, Request, Share
from src.utils.embeddings import layer_file, load_embeddings, read_journal
from src.utils.files import read_json, write_json
from src.utils.paths import embeddings_folder

SPLIT = "downstream_train"


@pytest.fixture(scope="module")
def shares(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the roots of three machines, each with its share of the store of a split."""
    roots = [tmp_path_factory.mktemp("machine") for _ in range(3)]
    for number, root in enumerate(roots):
        request = Request(
            prepared / "datasets" / "corpus", [SPLIT], "lfcc", limits=Limits(1.5), share=Share(((number, 3),))
        )
        assert [done.n_clips for done in extract_splits(request, root=root)] == [None]
    return roots


def store(root: Path) -> Path:
    return root / "embeddings" / "corpus" / "lfcc" / SPLIT


def copies_of(shares: list[Path], folder: Path) -> list[Path]:
    return [Path(shutil.copytree(store(root), folder / str(number))) for number, root in enumerate(shares)]


def assert_equal(folder: Path, prepared: Path) -> None:
    expected = load_embeddings(embeddings_folder(prepared, prepared / "datasets" / "corpus", "lfcc", SPLIT))
    merged = load_embeddings(folder)
    assert merged.files.tolist() == expected.files.tolist()
    np.testing.assert_array_equal(merged.vectors, expected.vectors)


def test_shares_become_the_store_of_one_machine(shares: list[Path], prepared: Path, tmp_path: Path) -> None:
    parts, dataset = copies_of(shares, tmp_path), prepared / "datasets" / "corpus"
    folder = store(tmp_path / "own")
    assert merge_stores(parts[:2], folder, dataset).n_clips is None
    assert merge_stores(parts[1:2], folder, dataset).n_computed == 0, "rows that are there are not added again"
    done = merge_stores(parts[2:], folder, dataset)
    assert done.n_clips == len(read_split(dataset, SPLIT))
    assert_equal(folder, prepared)
    assert not read_journal(folder)["file"].duplicated().any()


def test_a_row_that_is_not_what_was_written_is_left_to_be_computed(
    shares: list[Path], prepared: Path, tmp_path: Path
) -> None:
    parts, dataset = copies_of(shares, tmp_path), prepared / "datasets" / "corpus"
    with layer_file(parts[1], 0).open("r+b") as file:
        file.seek(5)
        file.write(b"\xff")
    folder = store(tmp_path / "own")
    assert merge_stores(parts, folder, dataset).n_clips is None
    damaged = read_journal(parts[1])["file"][0]
    assert set(read_split(dataset, SPLIT)["file"]) - set(read_journal(folder)["file"]) == {damaged}
    (done,) = extract_splits(Request(dataset, [SPLIT], "lfcc"), root=tmp_path / "own")
    assert done.n_computed == 1
    assert_equal(folder, prepared)


def test_stores_of_another_kind_or_of_other_recordings_are_refused(
    shares: list[Path], prepared: Path, tmp_path: Path
) -> None:
    parts = copies_of(shares, tmp_path)
    dataset = Path(shutil.copytree(prepared / "datasets" / "corpus", tmp_path / "datasets" / "corpus"))
    changed = dataset / read_journal(parts[1])["file"][0]
    changed.write_bytes(changed.read_bytes() + b"0")
    with pytest.raises(ValueError, match=f"1 recordings changed .*{changed.name}"):
        merge_stores(parts[:2], store(tmp_path / "own"), dataset)
    write_json(parts[2] / "meta.json", {**read_json(parts[2] / "meta.json"), "precision": "of old"})
    with pytest.raises(ValueError, match="another kind: precision"):
        merge_stores(parts[1:], store(tmp_path / "other"), prepared / "datasets" / "corpus")
